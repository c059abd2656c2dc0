"""Bounds of a model's logits for a box of inputs (Gowal et al. 2018, On the effectiveness of interval bound propagation
for training verifiably robust models).
"""

from corrigible.models.bounds.propagating import logit_bounds

__all__ = ["logit_bounds"]
