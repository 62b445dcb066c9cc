"""Display workers: what a person sees."""
