"""Coinbase Advanced Trade over captures."""
