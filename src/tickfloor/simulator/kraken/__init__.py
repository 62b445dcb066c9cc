"""Kraken over captures."""
