"""Tickfloor: a runtime for real-time market data."""

__version__ = "0.1.0.dev0"
