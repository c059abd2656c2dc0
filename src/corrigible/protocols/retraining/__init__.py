"""Explanations that need whole trainings: other explanations, removed inputs, shuffled labels."""
