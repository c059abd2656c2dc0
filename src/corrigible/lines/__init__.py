"""The printed form of each record."""
