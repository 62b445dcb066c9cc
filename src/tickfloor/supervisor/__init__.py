"""Supervisor: processes, lifecycle, routing, placement."""
