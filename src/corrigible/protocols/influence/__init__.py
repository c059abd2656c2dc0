"""Which training rows, and which feedback, taught a network what it says of a row."""
