"""Data sets, their kinds, and what is planted in them or drawn from them."""
