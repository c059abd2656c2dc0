"""Label losses: one number per row."""

from corrigible.losses.cross_entropy import cross_entropy
from corrigible.losses.member_cross_entropy import member_cross_entropy
from corrigible.losses.task_loss import task_loss

LOSSES = {f.__name__: f for f in (task_loss, cross_entropy, member_cross_entropy)}

__all__ = ["LOSSES", "cross_entropy", "member_cross_entropy", "task_loss"]
