"""Recordings: everything that a venue sent, as it was received, in rotated files with an index."""
