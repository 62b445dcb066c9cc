"""Records in, signals out: who is here, what that means for an instrument, and an instrument at work."""
