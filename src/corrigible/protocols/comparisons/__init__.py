"""Correct with one method after another, and put the results side by side."""
