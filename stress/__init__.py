"""Stress tests: real processes, random deaths, and tables of what was seen."""
