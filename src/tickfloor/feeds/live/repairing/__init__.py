"""What was missed, asked for again within the venue's limits."""
