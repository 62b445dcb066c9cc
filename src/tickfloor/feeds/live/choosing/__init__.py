"""Which instruments are wanted of those that are traded."""
