"""Gaps between groups: enforced in training, and by the methods that ours is compared with."""
