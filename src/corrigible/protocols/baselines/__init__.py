"""Models made without looking at explanations, which a correction must beat."""
