"""What explanations say about marked inputs, and what stands in their place: what penalties share."""
