"""Limit the influence of inputs or units without retraining, and measure what that cost and what it left."""
