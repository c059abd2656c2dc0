"""What a score is worth with some groups of inputs only: the engine of everything that looks at coalitions."""
