"""Feed worker: venue adapters, captures, replay and the simulated market."""
