"""Whether workers are well, and when one is replaced before it hurts."""
