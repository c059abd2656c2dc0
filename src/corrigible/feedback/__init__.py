"""Feedback: what people said about regions of the input, stored and resolved to masks."""
