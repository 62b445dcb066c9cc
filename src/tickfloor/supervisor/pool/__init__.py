"""The trader workers as one pool: who runs which traders, and how they change places without a gap."""
