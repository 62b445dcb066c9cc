"""How raw events become market state: bars, books, venue time."""
