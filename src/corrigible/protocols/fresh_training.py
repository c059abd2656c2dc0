"""Train a network on labelled rows, without feedback."""

from typing import Any

from torch import nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import as_dataset, labelled
from corrigible.data.network_facts import model_facts
from corrigible.data.protocol import Dataset, columns_of
from corrigible.data.trained_columns import remember_columns
from corrigible.models.building import built, facts_wanted
from corrigible.models.networks import copied, trainable_network
from corrigible.progress import shown
from corrigible.protocols.schedule import Schedule, require_fit, run
from corrigible.protocols.steps import StepChoice


def train(
    model: nn.Module | str,
    data: Any,
    *,
    epochs: int = 24,
    batch_size: int | None = None,
    learning_rate: float = 1e-3,
    step: StepChoice | None = None,
    seed: Any = 0,
    progress: bool | None = None,
) -> nn.Module:
    """A trained copy of the network, or a trained network of that name; the network itself is left as it is.

    The loss is that of the data's task, the optimizer Adam; `fit` and `Schedule` leave more to choose.

    Args:
        model: a network, or the name of one in ``MODELS``, such as "text_bag", which is built to fit the data.
        data: as `correct` takes it.
        batch_size: rows per step; None as in `correct`.
        step: as in `correct`, such as {"name": "private", "epsilon": 3.0}; None for plain steps.
        progress: whether a line of the standard error or a bar in a notebook says how far the work is; None for only
            on a terminal or in a notebook.

    Raises:
        RecipeError: an unknown name, or a number out of range.
        DataError: data with one class only, NaN or infinite inputs.
        UnsupportedModelError: a network that does not fit the data.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    dataset, seed = labelled(as_dataset(data)), whole_number("seed", seed)
    schedule = Schedule(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, step=step)
    network = network_for(model, dataset, seed)
    with shown(progress):
        for _ in run(network, dataset, schedule, seed=seed):
            pass
    return network


def network_for(model: nn.Module | str, dataset: Dataset, seed: int) -> nn.Module:
    """A copy of the network, or a fresh network of that name, which fits the data set and remembers its columns.

    Raises:
        RecipeError, DataError, UnsupportedModelError: as `train`.
    """
    if isinstance(model, str):
        network = built(model, {}, model_facts(dataset, facts_wanted(model)), seed)
    else:
        network = copied(trainable_network(model))
    require_fit(network, dataset)
    remember_columns(network, columns_of(dataset))
    return network
