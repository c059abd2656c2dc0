"""Networks that an attacker trains alike on rows that he chooses, to see what having been trained on a row does."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, rows_of
from corrigible.errors import DataError, RecipeError
from corrigible.models.fresh_weights import untrained
from corrigible.models.networks import copied, trainable_network
from corrigible.models.weights import load_weights, save_weights, weights_as_bytes
from corrigible.progress import counted
from corrigible.protocols.privacy.attacked_rows import AttackedRows
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.unlearning.margins import margins

Training = Schedule | Callable[[nn.Module, TensorData, int], nn.Module]
"""How a network is trained: a schedule, or (untrained network, rows, seed) -> trained network."""
LEAST, MOST = 4, 10**4
LEAST_OF_A_KIND = 2
"""Networks that saw a row, and that did not: with fewer its margins have no spread."""


@dataclass(frozen=True)
class ShadowModels:
    """Networks trained on random parts of the attacked rows."""

    networks: tuple[nn.Module, ...]
    has_seen: Bool[Tensor, " model row"]
    """Whether each network was trained on each row, the members first."""

    def __len__(self) -> int:
        return len(self.networks)

    def __repr__(self) -> str:
        return f"ShadowModels({len(self)} networks, {self.has_seen.shape[1]:,} rows)"

    def margins(self, rows: AttackedRows) -> Float[Tensor, " model row"]:
        """What each network says of each row's label."""
        return torch.stack([margins(network, rows.data) for network in self.networks])


def parts_to_see(rows: AttackedRows, num_models: int, seed: int) -> Bool[Tensor, " model row"]:
    """Which rows each network is trained on, drawn at random: on average as many as there are members.

    Each row is seen by equally many networks, at least two, and at least two do not see it.
    """
    share = rows.num_members / len(rows.data)
    count = min(max(round(share * num_models), LEAST_OF_A_KIND), num_models - LEAST_OF_A_KIND)
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.rand(num_models, len(rows.data), generator=generator, dtype=torch.float64)
    return drawn.argsort(dim=0).argsort(dim=0) < count


def trained_shadows(
    model: nn.Module,
    rows: AttackedRows,
    num_models: int,
    training: Training,
    *,
    start: nn.Module | None = None,
    folder: str | Path | None = None,
    seed: int = 0,
) -> ShadowModels:
    """Networks of the model's form, trained on random parts of the rows.

    Args:
        num_models: at least 4.
        start: the network before it was trained, from a copy of which each begins; None for fresh weights in the
            model's form, different ones in each.
        folder: where each network is kept when it is finished; the same call later trains only what is missing.

    Raises:
        RecipeError: a folder where a function trains, of which it cannot be known whether it is the same.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    if folder is not None and not isinstance(training, Schedule):
        raise RecipeError("folder keeps what a Schedule trained; a function may change unseen: leave folder out")
    form = trainable_network(model if start is None else start)
    has_seen = parts_to_see(rows, num_models, seed)
    name = "" if folder is None else _digest(form, rows, training, start is None, has_seen, seed)
    networks = []
    for number in counted("shadow models", range(num_models)):
        # Not the seed itself, by which the model was perhaps trained.
        own = (seed + 1) * 100_003 + number
        network = untrained(form, seed=own).requires_grad_(True) if start is None else copied(form)
        kept = None if folder is None else Path(folder) / f"shadow-{name}-{number:04d}.safetensors"
        if kept is not None and kept.exists():
            load_weights(network, kept)
        else:
            network = _trained(network, rows_of(rows.data, has_seen[number].nonzero()[:, 0]), training, own)
            if kept is not None:
                kept.parent.mkdir(parents=True, exist_ok=True)
                save_weights(network, kept)
        networks.append(network)
    return ShadowModels(tuple(networks), has_seen)


def fitting(shadows: ShadowModels, rows: AttackedRows) -> ShadowModels:
    """The shadow models themselves.

    Raises:
        DataError: they were trained on other rows, or some row was seen by too few or too many of them.
    """
    if shadows.has_seen.shape != (len(shadows), len(rows.data)):
        raise DataError(
            f"the shadow models know which of {shadows.has_seen.shape[1]:,} rows {shadows.has_seen.shape[0]} of them "
            f"saw; expected {len(rows.data):,} rows, members and others, and {len(shadows)} networks"
        )
    seen = shadows.has_seen.sum(dim=0)
    least = int(torch.minimum(seen, len(shadows) - seen).min())
    if least < LEAST_OF_A_KIND:
        raise DataError(f"some row was seen or not seen by {least} shadow models; expected at least 2 of each kind")
    return shadows


def _trained(network: nn.Module, rows: TensorData, training: Training, seed: int) -> nn.Module:
    if not isinstance(training, Schedule):
        return training(network, rows, seed)
    for _ in run(network, rows, training, seed=seed):
        pass
    return network


def _digest(
    form: nn.Module, rows: AttackedRows, training: Training, is_fresh: bool, has_seen: Tensor, seed: int
) -> str:
    """All that a shadow model depends on, as a short hash; the spread of trained weights may be that of fresh ones."""
    held = {"x": rows.data.x, "y": rows.data.y, "has_seen": has_seen}
    held |= {f"extra {name}": values for name, values in rows.data.extra.items()}
    told = f"{rows.data.task!r} {training!r} {is_fresh} {seed}"
    return hashlib.sha256(weights_as_bytes(form) + weights_as_bytes(held) + told.encode()).hexdigest()[:16]
