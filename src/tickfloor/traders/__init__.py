"""Trader worker: the rule language and the engine that runs the traders."""
