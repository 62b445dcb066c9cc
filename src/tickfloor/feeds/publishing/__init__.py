"""A venue's market as records on the tape and rows, bars and books on the board."""
