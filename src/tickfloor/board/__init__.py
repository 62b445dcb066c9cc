"""Shared memory: segments, board, tape, doorbells and fences; writer and reader halves apart."""
