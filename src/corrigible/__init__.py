"""Neural networks you can correct."""

__version__ = "0.1.0"
