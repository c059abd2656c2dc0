"""Whether an explanation deserves trust: axioms, sanity checks and attacks."""
