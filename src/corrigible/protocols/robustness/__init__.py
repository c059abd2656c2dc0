"""Robustness beside accuracy: under attacks, and proved; a defence to compare with; and checks of rows."""
