"""Procedures that train, once or several times."""
