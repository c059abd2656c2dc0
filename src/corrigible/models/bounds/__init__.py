"""Between which values a model's logits stay while its inputs move (Gowal et al. 2018, On the effectiveness of interval
bound propagation for training verifiably robust models).
"""

from corrigible.models.bounds.propagating import logit_bounds

__all__ = ["logit_bounds"]
