"""Indicators, one small class each, updated bar by bar in constant time."""
