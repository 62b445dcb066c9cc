"""Binance's spot and USD-M faces."""
