"""Judge a method of unlearning: how far its models can be told from models that never saw the forgotten rows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from markupsafe import Markup
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, all_rows, as_dataset, rows_of, task_of
from corrigible.errors import DataError, RecipeError, UnsupportedModelError, unknown
from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.models.networks import network_of
from corrigible.models.predictive import all_outputs
from corrigible.protocols.mean_quality import mean_quality
from corrigible.protocols.unlearning.klom import klom, row_attack
from corrigible.protocols.unlearning.margins import margins

HEADINGS = ("rows", "number", "KLoM", "95th percentile", "total variation", "quality", "retrained", "attack")


@dataclass(frozen=True)
class JudgedRows:
    """Unlearned models beside retrained ones on some rows."""

    rows: str
    num_rows: int
    klom: float
    """The mean over rows of `klom`, in nats; 0 is indistinguishable."""
    klom_95: float
    """Its 95th percentile over rows."""
    total_variation: float
    """How far the predictions of unlearned and retrained models of the same place are apart (`Task.moved`), 0 to 1."""
    quality: float
    """Of the unlearned models, on average: for classes the accuracy."""
    quality_retrained: float
    attack: float | None
    """How often the attack of U-LiRA is right (`row_attack`), 0.5 is guessing; None with fewer than three models."""


@dataclass(frozen=True)
class UnlearningJudged:
    """What `judge_unlearning` found, for each kind of rows."""

    num_models: int
    parts: tuple[JudgedRows, ...]

    def __getitem__(self, rows: str) -> JudgedRows:
        """What was found for this kind of rows; a RecipeError names the kinds that there are."""
        found = [part for part in self.parts if part.rows == rows]
        if not found:
            raise RecipeError(unknown("kind of rows", str(rows), [part.rows for part in self.parts]))
        return found[0]

    def __str__(self) -> str:
        lines = [f"{self.num_models} unlearned models beside retrained ones"]
        for cells in self._cells:
            named = zip(HEADINGS[2:], cells[2:], strict=True)
            lines.append(f"  {cells[0]} ({cells[1]} rows): {', '.join(f'{name} {cell}' for name, cell in named)}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        said = Markup("<p><b>{} unlearned models beside retrained ones</b></p>").format(self.num_models)
        return said + table_html(HEADINGS, self._cells)

    @property
    def _cells(self) -> list[tuple[str, ...]]:
        return [
            (
                part.rows,
                f"{part.num_rows:,}",
                *map(number, (part.klom, part.klom_95, part.total_variation, part.quality, part.quality_retrained)),
                "not measured" if part.attack is None else number(part.attack),
            )
            for part in self.parts
        ]


def judge_unlearning(
    unlearned: Sequence[nn.Module], retrained: Sequence[nn.Module], rows: Mapping[str, Any]
) -> UnlearningJudged:
    """How far unlearned models are from models that were trained without the forgotten rows, by kinds of rows.

    Args:
        unlearned, retrained: models made with different seeds, at least two of each; the more, the surer the figures.
        rows: kinds of rows by name, as `correct` takes rows: such as {"forgotten": …, "kept": …, "test": …}.

    Raises:
        DataError: no rows, something other than a list of models, or fewer than two.
        UnsupportedModelError: models with different numbers of outputs, or outputs that are NaN or infinite.
    """
    networks = [networks_in(name, given) for name, given in (("unlearned", unlearned), ("retrained", retrained))]
    if not rows:
        raise DataError('no rows; expected kinds of rows by name, such as {"forgotten": (x, y)}')
    parts = [_judged(name, all_rows(as_dataset(given)), *networks) for name, given in rows.items()]
    return UnlearningJudged(len(networks[0]), tuple(parts))


def networks_in(name: str, models: Any) -> list[nn.Module]:
    """The networks themselves of at least two models, without wrappers around them.

    Raises:
        DataError: something other than a list of models, or fewer than two.
    """
    if isinstance(models, nn.Module) or not isinstance(models, Iterable):
        raise DataError(f"{name} is of type {type(models).__name__}; expected a list of models")
    found = [network_of(model) for model in models]
    if len(found) < 2:
        raise DataError(f"{name} has {len(found)} models; expected at least two, with different seeds")
    return found


def _require_alike(rows: TensorData, models: Iterable[nn.Module]) -> None:
    one, task = rows_of(rows, torch.tensor([0])), task_of(rows)
    widths = sorted({tuple(all_outputs(model, one.x, task=task).shape[1:]) for model in models})
    if len(widths) > 1:
        said = " and ".join(" × ".join(map(str, width)) for width in widths)
        raise UnsupportedModelError(f"models have {said} outputs; expected as many of each, for the same classes")


def _judged(name: str, rows: TensorData, unlearned: Sequence[nn.Module], retrained: Sequence[nn.Module]) -> JudgedRows:
    _require_alike(rows, [*unlearned, *retrained])
    found, expected = (torch.stack([margins(model, rows) for model in models]) for models in (unlearned, retrained))
    each = klom(found, expected)
    qualities = [sum(mean_quality(model, rows) for model in models) / len(models) for models in (unlearned, retrained)]
    return JudgedRows(
        rows=name,
        num_rows=len(rows),
        klom=float(each.mean()),
        klom_95=float(each.quantile(0.95)),
        total_variation=_apart(rows, unlearned, retrained),
        quality=qualities[0],
        quality_retrained=qualities[1],
        attack=float(row_attack(found, expected)) if min(len(found), len(expected)) > 2 else None,
    )


def _apart(rows: TensorData, unlearned: Sequence[nn.Module], retrained: Sequence[nn.Module]) -> float:
    task = task_of(rows)
    moved: list[Tensor] = [
        task.moved(*(all_outputs(model, rows.x, task=task).double() for model in pair)).mean()
        for pair in zip(unlearned, retrained, strict=False)
    ]
    return float(torch.stack(moved).mean())
