"""Which rules match: thresholds of all rules on a column are one sorted list, and every rule is a bit."""
