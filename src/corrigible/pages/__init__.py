"""Pages that verbs write beside their results: what a model looks at, and what it may look at by mistake."""
