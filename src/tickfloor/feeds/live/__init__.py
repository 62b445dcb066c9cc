"""Live venues: connections that are kept, streams that are watched, repairs that are asked for."""
