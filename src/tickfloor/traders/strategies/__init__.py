"""Strategies: traders that are a user's own Python code, called for ticks and bars, and blamed for what they do."""
