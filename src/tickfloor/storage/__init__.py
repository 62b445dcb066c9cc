"""Storage worker: every database write and query."""
