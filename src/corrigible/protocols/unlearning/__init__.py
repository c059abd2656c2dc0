"""Forget rows that a model was trained on, and judge how well it was done."""
