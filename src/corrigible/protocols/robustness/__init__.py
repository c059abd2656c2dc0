"""Robustness beside accuracy: under attacks, and proved; and a defence to compare with."""
