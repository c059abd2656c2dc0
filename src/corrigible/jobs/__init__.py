"""Verbs that the review page starts, one at a time, and their progress, which is kept in the study."""
