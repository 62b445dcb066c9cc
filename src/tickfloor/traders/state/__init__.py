"""What outlasts an engine: its state as plain data, and the board from which it goes on after a hole."""
