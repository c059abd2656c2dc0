"""Data sets, their kinds, planted decoys, and swapped rows."""
