"""The rule language, one pass a file: parse, resolve, plan."""
