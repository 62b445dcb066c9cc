"""Recorded frames, given again at their pace or as fast as they are taken."""
