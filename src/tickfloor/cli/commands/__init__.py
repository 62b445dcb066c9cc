"""The ``tickfloor`` command's groups: what may be typed. What it does is in the module of the same name outside."""
