"""Plots of explanations, as matplotlib figures."""
