"""Goodfellow, Shlens and Szegedy 2015, Explaining and harnessing adversarial examples, on rows of tables: training on
changes that an applicant could make (Simonetto et al. 2024, constrained adaptive attack).
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import torch
from torch import nn

from corrigible.augment.feasible_attack import feasible_attack
from corrigible.batches import joined_batches
from corrigible.declarations import declared
from corrigible.explanations.counterfactuals.constraints import Constraint
from corrigible.explanations.counterfactuals.schema import Schema
from corrigible.types import Batch


@declared(kind="augmentation", rows="labelled")
def feasible_rows(
    model: nn.Module,
    batch: Batch,
    generator: torch.Generator,
    *,
    schema: Schema,
    constraints: Sequence[Constraint] = (),
    epsilon: float = 1.0,
    steps: int = 4,
    rows: Literal["both", "attacked"] = "both",
) -> Batch:
    """The batch with its rows attacked by `feasible_attack` along the gradient; ``both`` puts the original rows before.

    Args:
        schema: what the columns are; a fact about the training data that is filled in.
        constraints: which changes are allowed, as `counterfactuals` takes them.
        epsilon: the most that the changes of a row may cost, as `feasible_attack` counts it.
        steps: of the attack, each a pass there and back.

    Raises:
        RecipeError, DataError, UnsupportedModelError: as `feasible_attack`.
    """
    seed = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
    x = feasible_attack(
        model,
        batch.x,
        batch.y,
        schema=schema,
        constraints=constraints,
        epsilon=epsilon,
        budget=1 + 2 * steps,  # The rows themselves are asked about once.
        search="gradient",
        starts=1,
        task=batch.task,
        seed=seed,
    )
    attacked = replace(batch, x=x.to(batch.x))
    return attacked if rows == "attacked" else joined_batches([batch, attacked])
