"""What people said about regions of the input, kept and resolved to masks."""
