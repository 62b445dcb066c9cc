"""Trades put in order by their ids: nothing twice, and what is missing is asked for."""
