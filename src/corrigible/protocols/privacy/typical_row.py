"""Fredrikson, Jha and Ristenpart 2015, Model inversion attacks that exploit confidence information and basic
countermeasures: the row that a model holds for typical of a class.

Gradient ascent on the probability of the class within the range of the inputs. An attacker who knows no model guesses
the mean of all rows. From there he climbs; how much nearer he comes to the mean of the class is what the model gave
away.
"""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from markupsafe import Markup
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import TensorData, all_rows, as_dataset, task_of
from corrigible.data.naming import class_number
from corrigible.data.protocol import class_names_of
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.inputs import as_model
from corrigible.figures import number
from corrigible.html_table import table_html
from corrigible.models.centring import one_hot_members
from corrigible.models.modes import like_parameters, untouched
from corrigible.models.predictive import predictive
from corrigible.protocols.schedule import require_fit
from corrigible.types import Columns, Measurement, Measurements

FIRST_STEP = 0.02
"""How far the input with the largest slope moves in the first step, as a share of its range; less in later ones."""
MOST_STEPS = 10**5
ROUNDING = 1e-4
"""Shorter moves, in standard deviations, are what numbers of 32 bits do not tell."""


@dataclass(frozen=True)
class TypicalRow:
    """What an attacker takes for a typical row of a class, beside the truth and what he would guess without the model.

    Distances are root mean squares over the inputs, in standard deviations of the rows.
    """

    x: Float[Tensor, " 1 *input"]
    label: str
    probability: float
    """That the model gives the class at this row."""
    distance: float
    """From the mean of the rows of the class."""
    distance_without: float
    """Of the mean of all rows from that of the class: of who knows no model."""
    direction: float | None
    """The cosine of the moves from the mean of all rows to this row and to the mean of the class: 1 for the same
    direction, 0 for one that tells nothing; None where either does not move."""
    num_rows: int
    """Of the class."""
    num_steps: int
    note: str = ""

    @property
    def gain(self) -> float:
        """By which share the distance is smaller than without the model; below 0 where it is larger."""
        return 1 - self.distance / self.distance_without

    def measurements(self) -> list[Measurement]:
        """The same, as `evaluate` gives measurements."""
        values = {
            "typical_row_distance": self.distance,
            "typical_row_distance_without": self.distance_without,
            "typical_row_direction": self.direction,
        }
        part = f"class {self.label}"
        return Measurements(
            Measurement(name, value, count=self.num_rows, part=part, note="" if value is not None else "not measured")
            for name, value in values.items()
        )

    def __str__(self) -> str:
        return "\n".join([self._title, *(f"  {name}: {cell}" for name, cell in self._cells)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return Markup("<p><b>{}</b></p>").format(self._title) + table_html(("", "value"), self._cells)

    @property
    def _title(self) -> str:
        return f"Typical row of class {self.label}, by model inversion in {self.num_steps} steps"

    @property
    def _cells(self) -> list[tuple[str, str]]:
        return [
            ("probability of the class", number(self.probability)),
            ("distance from the mean of the class", number(self.distance)),
            ("distance of the mean of all rows from it", number(self.distance_without)),
            ("direction", "not measured" if self.direction is None else number(self.direction)),
            *([("note", self.note)] if self.note else []),
        ]


def typical_row(
    model: Any, label: int | str, data: Any, *, steps: int = 200, enough: float = 0.99, seed: Any = 0
) -> TypicalRow:
    """The row that the model holds for typical of a class, and how near it is to the mean of the class.

    The ascent begins at the mean of all rows. Numbers stay within the range of the rows, and the columns of a category
    are shares that sum to 1. It ends where the class is likely enough: further on, rows become extreme, not typical.
    The model stays as it is.

    Args:
        model: a network, or a differentiable function of x that gives its outputs.
        label: the class, by its number or name.
        data: rows of all classes, as `correct` takes them: they say which ranges inputs have, and what the truth is.
        steps: the most steps that are taken.
        enough: the probability of the class at which the ascent ends, above 0 and at most 1.

    Raises:
        RecipeError: labels that are no classes, an unknown class, or a number out of range.
        DataError: no row of the class, or rows of this class alone.
        UnsupportedModelError: a model that does not fit the rows, or a function that has no gradient.
    """
    network, steps = as_model(model), whole_number("steps", steps, 1, MOST_STEPS)
    if not 0 < enough <= 1:
        raise RecipeError(f"enough is {enough!r}; expected a probability above 0 and at most 1")
    rows = all_rows(as_dataset(data))
    number_of_class, name = _class(rows, label)
    require_fit(network, rows)
    found, probability, taken, note = _ascent(
        network, rows, number_of_class, steps, float(enough), whole_number("seed", seed)
    )
    return _compared(rows, number_of_class, name, found, probability, taken, note)


def _class(rows: TensorData, label: int | str) -> tuple[int, str]:
    if task_of(rows).logits is None:
        raise RecipeError(f"the task {task_of(rows).name!r} has no classes; expected rows with one class each")
    names = class_names_of(rows) or tuple(str(one) for one in range(int(rows.y.max()) + 1))
    found = class_number(label if isinstance(label, str) else whole_number("label", label), names)
    is_class = rows.y == found
    if not bool(is_class.any()) or bool(is_class.all()):
        raise DataError(
            f"{int(is_class.sum())} of {len(rows)} rows are of class {label}; expected some, and others too"
        )
    return found, names[found]


def _ascent(
    model: nn.Module, rows: TensorData, label: int, steps: int, enough: float, seed: int
) -> tuple[Tensor, float, int, str]:
    """The likeliest row that was met, the probability there, the steps taken, and a note."""
    given = like_parameters(rows.x.detach(), model)
    low, span = given.amin(dim=0, keepdim=True), (given.amax(dim=0) - given.amin(dim=0))[None]
    task, at = task_of(rows), ((given.mean(dim=0) - low) / span).nan_to_num(0.0)  # An input without a range stays.
    best, best_at, note = -1.0, at, ""
    with untouched(model, seed):
        for step in range(steps + 1):
            x = (low + at * span).requires_grad_()
            assert task.logits is not None
            chance = task.logits(predictive(model, x, task=task).outputs).log_softmax(dim=1)[0, label]
            if float(chance.detach().exp()) > best:
                best, best_at = float(chance.detach().exp()), at
            if best >= enough or step == steps:
                break
            slope = torch.autograd.grad(chance, x)[0] * span
            if not bool(slope.abs().max() > 0):
                note = "the probability has no slope there, so the ascent ended"
                break
            size = FIRST_STEP * (1 - step / steps)
            at = _feasible(at + size * slope / slope.abs().max(), rows.columns)
    return (low + best_at * span).detach().cpu(), best, step, note


def _feasible(at: Float[Tensor, " 1 *input"], columns: Columns | None) -> Float[Tensor, " 1 *input"]:
    """The nearest row within the range, 0 to 1, whose categories are shares that sum to 1."""
    found = at.clamp(0, 1)
    if columns is None or not columns.has_categories:
        return found
    for member in one_hot_members(columns).bool().T.to(at.device):
        found[0, member] = on_simplex(found[0, member])
    return found


def on_simplex(values: Float[Tensor, " value"]) -> Float[Tensor, " value"]:
    """The nearest shares, which sum to 1 (Duchi et al. 2008, Efficient projections onto the l1-ball)."""
    ordered = values.sort(descending=True).values
    surplus = (ordered.cumsum(dim=0) - 1) / torch.arange(1, len(values) + 1, device=values.device)
    last = int((ordered > surplus).nonzero()[-1])
    found: Tensor = (values - surplus[last]).clamp_min(0)
    return found


def _compared(
    rows: TensorData, label: int, name: str, found: Tensor, probability: float, steps: int, note: str
) -> TypicalRow:
    x = rows.x.detach().cpu().double().flatten(1)
    spread, mean, of_class = x.std(dim=0), x.mean(dim=0), x[rows.y.cpu() == label].mean(dim=0)
    varies = spread > 0
    moved, truth = (((to - mean) / spread)[varies] for to in (found.double().flatten(), of_class))
    sizes = float(moved.norm() * truth.norm())
    return TypicalRow(
        x=found,
        label=name,
        probability=probability,
        distance=float((moved - truth).square().mean().sqrt()),
        distance_without=float(truth.square().mean().sqrt()),
        direction=float(moved @ truth) / sizes if float(moved.norm()) > ROUNDING and sizes > 0 else None,
        num_rows=int((rows.y == label).sum()),
        num_steps=steps,
        note=note,
    )
