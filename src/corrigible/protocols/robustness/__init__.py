"""Robustness against adversarial rows: accuracy under attacks, and a defence to compare with."""
