"""What processes say to each other: records, messages, states, errors, ids."""
