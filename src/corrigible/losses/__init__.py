"""Label losses: one number per row. Those of tasks are in `corrigible.tasks`, such as RankNet's of pairs."""

from collections.abc import Mapping
from typing import Any

from corrigible.losses.cross_entropy import cross_entropy
from corrigible.losses.focal import focal
from corrigible.losses.last_layer_bound import last_layer_bound
from corrigible.losses.member_soft_targets import member_soft_targets
from corrigible.losses.member_task_loss import member_task_loss
from corrigible.losses.soft_targets import soft_targets
from corrigible.losses.task_loss import task_loss
from corrigible.models.forward import Loss

LOSSES = {
    f.__name__: f
    for f in (
        task_loss,
        cross_entropy,
        focal,
        soft_targets,
        member_task_loss,
        member_soft_targets,
        last_layer_bound,
    )
}
LossChoice = str | Mapping[str, Any] | Loss
"""A label loss, its name, or {"name": …, setting: …}."""

__all__ = [
    "LOSSES",
    "LossChoice",
    "cross_entropy",
    "focal",
    "last_layer_bound",
    "member_soft_targets",
    "member_task_loss",
    "soft_targets",
    "task_loss",
]
