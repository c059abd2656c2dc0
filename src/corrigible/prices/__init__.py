"""Prices beside groups: free of an attribute, or moved to equal distributions, and who pays more or less."""
