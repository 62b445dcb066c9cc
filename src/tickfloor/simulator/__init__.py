"""A local exchange: a seeded market or a recorded one, served as the real venues do, with scripted hostility."""
