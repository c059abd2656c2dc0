"""How sure a network may be: temperatures and prediction sets, fitted on rows with marked content exchanged."""
