"""Kirichenko, Izmailov and Wilson 2023, Last layer re-training is sufficient for robustness to spurious correlations.

A network that relies on a confounder has mostly also learned what should matter; only its last layer gives it too
little weight. So that layer is trained again on equally many rows of each group. Here the rows are drawn once and the
layer is trained by gradient steps; the paper averages several draws and fits a logistic regression with an L1 penalty.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, all_labels, as_dataset, labelled, require_classes, rows_of, task_of
from corrigible.data.protocol import Dataset, beside
from corrigible.errors import UnsupportedModelError
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.bayes.layers import is_bayesian
from corrigible.models.modes import PrivateRandomness, evaluating, like_parameters
from corrigible.models.networks import copied, trainable_network
from corrigible.objective import PenaltySettings, Term
from corrigible.protocols.baselines.label_groups import label_groups
from corrigible.protocols.schedule import Schedule, require_fit, run
from corrigible.protocols.steps import require_ordinary
from corrigible.protocols.training_facts import own_terms
from corrigible.training import Epoch


def last_layer_retraining(
    model: nn.Module,
    data: Any,
    *,
    schedule: Schedule,
    penalties: PenaltySettings | Sequence[Term] | None = None,
    seed: int = 0,
) -> Generator[Epoch, None, nn.Module]:
    """A copy of the model whose last linear layer is trained from fresh weights; all other layers stay unchanged.

    The layer is trained on equally many rows of each pair of label and group, as many as the rarest pair has; if the
    data has no groups, on equally many rows of each label. The seed draws them. The layer's inputs are computed once,
    in eval mode.

    Args:
        model: a trained model whose output is that of a linear layer.
        data: ``(x, y, group)`` or ``(x, y)`` arrays or a map-style data set of such rows, preferably rows that the
            model was not trained on.
        penalties: those of the network's own objective; they count where the last layer has a distribution.

    Raises:
        UnsupportedModelError: the output is not that of a linear layer.
    """
    model, dataset = trainable_network(model), labelled(as_dataset(data))
    require_classes(dataset)
    require_fit(model, dataset)
    require_ordinary(schedule.step_factory(None), "last_layer_retraining")
    retrained = copied(model)
    retrained.__dict__.pop("privacy", None)
    groups = label_groups(dataset)
    chosen = balanced(all_labels(dataset) if groups is None else groups, seed)
    layer, features = last_layer_inputs(retrained, dataset, chosen)
    with PrivateRandomness(seed):
        layer.reset_parameters()
    rows = TensorData(features, all_labels(dataset)[chosen], task=task_of(dataset), **beside(dataset, chosen))
    terms = own_terms(penalties, layer, rows, seed) if is_bayesian(layer) else ()
    yield from run(layer, rows, schedule, penalties=terms, seed=seed)
    return retrained


def balanced(groups: Int[Tensor, " row"], seed: int) -> Int[Tensor, " chosen"]:
    """Positions of equally many rows of each group, as many as the rarest group has, drawn by the seed."""
    order = torch.randperm(len(groups), generator=torch.Generator().manual_seed(seed))
    members = [order[groups[order] == group] for group in groups.unique()]
    fewest = min(map(len, members))
    return torch.cat([rows[:fewest] for rows in members])


def last_layer_inputs(
    model: nn.Module, dataset: Dataset, index: Int[Tensor, " chosen"]
) -> tuple[nn.Linear, Float[Tensor, " chosen feature"]]:
    """The linear layer that gives the model's output, and its inputs for these rows.

    Raises:
        UnsupportedModelError: the output is not that of a linear layer.
    """
    features = []
    with evaluating(model), torch.no_grad():
        size = rows_that_fit(model, like_parameters(rows_of(dataset, index[:1]).x, model))
        for part in index.split(size):
            with _linear_calls(model) as calls:
                output = model(like_parameters(rows_of(dataset, part).x, model).clone())
            if not calls or not torch.equal(calls[-1][2].flatten(), output.flatten()):
                raise UnsupportedModelError(
                    "the model's output is not that of a linear layer; last_layer_retraining needs one at the end"
                )
            layer, entered, _ = calls[-1]
            features.append(entered.cpu())
    return layer, torch.cat(features)


@contextmanager
def _linear_calls(model: nn.Module) -> Iterator[list[tuple[nn.Linear, Tensor, Tensor]]]:
    """Each linear layer that runs, with its input and output, in order."""
    calls: list[tuple[nn.Linear, Tensor, Tensor]] = []

    def note(module: nn.Module, arguments: Any, output: Tensor) -> None:
        assert isinstance(module, nn.Linear)
        calls.append((module, arguments[0].clone(), output))

    hooks = [module.register_forward_hook(note) for module in model.modules() if isinstance(module, nn.Linear)]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()
