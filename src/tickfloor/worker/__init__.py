"""Inside any worker: start, channel, loop, checkpoint, log."""
