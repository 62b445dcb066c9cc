"""A running floor seen and steered from outside, through a local socket."""
