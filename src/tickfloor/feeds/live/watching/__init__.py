"""Streams that are accepted and silent, found and asked for elsewhere."""
