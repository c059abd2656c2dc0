"""Correct a model from feedback: the protocol, the judge that weighs penalties and gives the verdict, and its rows."""
