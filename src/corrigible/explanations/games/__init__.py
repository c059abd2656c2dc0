"""Games: the engine that evaluates the score of rows with some groups of inputs absent, for all coalition methods."""
