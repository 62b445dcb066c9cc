"""Sockets to a venue: opened, subscribed, shared out, rotated and lost."""
