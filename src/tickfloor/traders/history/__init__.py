"""Rules over what has been: candles as columns, and trades through the engine."""
