"""Verbs that run in a process of their own, one at a time, and what they told, kept in the study."""
