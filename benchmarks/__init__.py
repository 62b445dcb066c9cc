"""Benchmarks: every number beside its baselines, measured in the same run."""
