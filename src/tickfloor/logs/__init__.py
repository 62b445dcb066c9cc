"""Logger worker: every log sink."""
