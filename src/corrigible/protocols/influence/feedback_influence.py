"""Which feedback did it: by how much each remark helped a correction, or harmed it.

The correction is replayed (see `replay`), and each remark gets a factor that is 1. A penalty P of a batch B of reviewed
rows becomes P(B) - Σ (1 - factor) · (P(B) - P(B without the remark)). Where marked content is moved, the loss of a
label row becomes factor times its loss as it was changed, plus (1 - factor) times its loss as the same draws change it
while what the remark marks is left in place; a move that several remarks ask for is shared by them equally
(`without_remarks`). The derivative goes back from the loss of reviewed rows whose marked content is exchanged, which is
minus the swap score (`swap_score`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from markupsafe import Markup
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import as_dataset, labelled, strata_of
from corrigible.data.protocol import Dataset
from corrigible.data.swapping import some_rows
from corrigible.errors import FeedbackError, RecipeError
from corrigible.feedback.checks import as_list
from corrigible.feedback.masks import Marks, marks_of
from corrigible.figures import number, signed
from corrigible.html_table import table_html
from corrigible.models.flat_weights import at_weights
from corrigible.models.forward import Forward
from corrigible.models.modes import device_of, untouched
from corrigible.models.networks import copied, trainable_network
from corrigible.objective import PenaltySettings, Term, terms_of
from corrigible.protocols.careful import careful_step
from corrigible.protocols.corrections.defaults import default_method
from corrigible.protocols.corrections.swap_score import swapped_batches
from corrigible.protocols.corrections.usable_feedback import usable_marks
from corrigible.protocols.influence.learned import require_separable
from corrigible.protocols.influence.recorded_run import Course
from corrigible.protocols.influence.replay import Taught, replayed, require_same_end, slopes_by_factors
from corrigible.protocols.influence.without_remarks import Missing, in_penalties, moves_of, of_remarks
from corrigible.protocols.schedule import Schedule, batches_of, require_fit
from corrigible.protocols.training_facts import AugmentSettings, Known, changes_of, provided
from corrigible.types import Batch, Feedback

NUM_DONORS, MOST_ROWS = 10, 256
"""Rows that lend to each reviewed row, and most reviewed rows that are asked about, drawn where there are more."""


@dataclass(frozen=True)
class FeedbackInfluence:
    """By how much swapped rows would be less likely if each remark had not been given; positive: the remark helps."""

    values: Float[Tensor, " remark"]
    """Median over the reviewed rows that the remark is not about itself, in units of the log-likelihood: rows that are
    themselves marked wrongly do not decide it, as long as they are fewer than half."""
    by_row: Float[Tensor, " reviewed remark"]
    """The same for each reviewed row: by how much its loss would rise."""
    rows: Int[Tensor, " reviewed"]
    """The positions of these rows."""
    feedback: tuple[Feedback, ...]
    swap_score: float
    """Of the corrected model, the mean over the reviewed rows."""
    corrected: nn.Module
    """The model at the end of the replayed correction."""

    @property
    def order(self) -> list[int]:
        """The remarks' positions, from the most helpful to the most harmful."""
        return self.values.argsort(descending=True, stable=True).tolist()

    def worst(self, n: int) -> list[int]:
        """The positions of the n remarks that helped least, the most harmful first.

        Raises:
            RecipeError: fewer remarks than n.
        """
        count = whole_number("n", n, 0, len(self.feedback))
        return self.order[::-1][:count]

    def __str__(self) -> str:
        lines = [f"  {self._about(place)}: {signed(float(self.values[place]))}" for place in self.order]
        return "\n".join([self._title, *lines])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        cells = [(self._about(place), signed(float(self.values[place]))) for place in self.order]
        table = table_html(("feedback", "fall of the log-likelihood without it"), cells)
        return Markup("<p><b>{}</b></p>").format(self._title) + table

    @property
    def _title(self) -> str:
        return (
            f"Influence of {len(self.feedback)} remarks on swapped rows, whose swap score is {number(self.swap_score)}"
        )

    def _about(self, place: int) -> str:
        said = self.feedback[place]
        return f"{place}: {said.region} {f'on row {said.row}' if said.row is not None else f'on the {said.scope}'}"


def feedback_influence(
    model: nn.Module,
    data: Any,
    feedback: Any,
    *,
    augment: AugmentSettings | None = None,
    penalties: PenaltySettings | None = None,
    schedule: Schedule | None = None,
    corrected: nn.Module | None = None,
    seed: Any = 0,
) -> FeedbackInfluence:
    """By how much the log-likelihood of swapped rows would fall without each remark, to first order in each alone.

    It is the median over the reviewed rows that the remark is not about, each with other rows' values where it is
    marked (`swap_score`). Positive: the remark helps. Negative: it harms, so look at it again. The derivative is that
    of the training run itself, with all its draws. For 20 remarks it costs 5 to 20 corrections of a small network.
    Without a penalty's remark the penalty sees the rows unmarked. Where marked content is moved, rows keep in
    place what the remark marks; that other remarks would then be moved oftener is not counted.

    Args:
        model: the model before the correction.
        data, feedback: as they were given to `correct`.
        augment, penalties: as they were given to `correct`; if neither is, the method that it chooses. Weights must be
            numbers: "auto" chooses anew without a remark. Of changes that learn from feedback, transplant alone.
        schedule: of the correction; None for that of `correct`.
        corrected: the corrected model, whose weights must be those at the end of the replay; None for not comparing.
        seed: of the correction.

    Raises:
        RecipeError: nothing that learns from feedback, a weight "auto", or a penalty whose rows transplant changes.
        FeedbackError: fewer than two reviewed rows.
        UnsupportedModelError: a network that cannot be replayed, or another ``corrected`` model.
    """
    network, dataset, said = copied(trainable_network(model)), labelled(as_dataset(data)), as_list(feedback)
    seed = whole_number("seed", seed)
    require_separable(dataset)
    require_fit(network, dataset)
    known = Known(network, dataset, usable_marks(said, dataset), seed)
    taught, missing, shares = _taught(known, said, augment, penalties, Schedule() if schedule is None else schedule)
    rows = known.marks.irrelevant.rows(strata_of(dataset))
    if len(rows) < 2:
        raise FeedbackError(f"{len(rows)} rows have inputs that must not matter; expected at least 2 to compare")
    rows = some_rows(rows, MOST_ROWS, seed).sort().values
    run = replayed(taught)
    end = copied(network)
    run.course.weights.load(end, run.theta)
    if corrected is not None:
        require_same_end(run, run.course.weights.vector(trainable_network(corrected)))
    losses, slopes = _swapped_losses(end, run.course, known, rows, theta=run.theta)
    found = -slopes_by_factors(run, slopes, len(shares), factors=partial(of_remarks, missing=missing)).cpu()
    by_row = found @ shares.to(found)
    is_own = torch.tensor([[said_of.row == row for said_of in said] for row in rows.tolist()])
    values = by_row.masked_fill(is_own, torch.nan).nanquantile(0.5, dim=0)
    return FeedbackInfluence(values, by_row, rows, tuple(said), -float(losses.mean()), end)


def _taught(
    known: Known, said: list[Feedback], augment: Any, penalties: Any, schedule: Schedule
) -> tuple[Taught, list[Missing], Float[Tensor, " column remark"]]:
    """The correction, what it lacks without each remark, and what each column of that counts for in each remark."""
    dataset, marks = known.dataset, known.marks
    if augment is None and penalties is None:
        method = default_method(dataset, marks)
        augment, penalties = method.augment, method.penalties
    terms, changes = provided(terms_of(penalties or {}), known), changes_of(augment or {})
    learns, moves = any(term.on_reviewed_rows for term in terms), None
    if changes:
        _require_apart(terms, known)
        moves = moves_of(changes, said, known)
    if not learns and not any(change.declaration.serves for change in changes):
        raise RecipeError(
            "no penalty here learns from reviewed rows; name one that does, such as right_reasons, or transplant"
        )
    of: dict[str, Any] = {"marks": marks if terms else None, "augment": moves.augment if moves else ()}
    taught = Taught(known.model, dataset, schedule, known.seed, terms, step=careful_step, **of)
    missing: list[Missing] = []
    if learns:
        without = [_without(said, place, dataset) for place in range(len(said))]
        missing.append(partial(in_penalties, without=without, feedback=said, dataset=dataset))
    shares = torch.eye(len(said))
    if moves:
        missing.append(moves.missing(batches_of(dataset, schedule, of["marks"], known.seed)[0], len(said)))
        shares = torch.cat([shares, moves.shares(len(said))])
    return taught, missing, shares


def _require_apart(terms: Sequence[Term], known: Known) -> None:
    """Raises RecipeError for a penalty that sees the rows that are changed, since it would change with them."""
    every_row = len(known.marks.reviewed_rows(known.dataset)) == len(known.dataset)
    for term in terms:
        if every_row if term.on_reviewed_rows else not term.declaration.is_own:
            raise RecipeError(
                f"penalty {term.name!r} sees the rows between which content is moved, and what it would be without a "
                "remark is not known; name transplant alone, or penalties alone"
            )


def _without(said: Sequence[Feedback], place: int, dataset: Dataset) -> Marks:
    return marks_of([other for number, other in enumerate(said) if number != place], dataset)


def _swapped_losses(
    network: nn.Module, course: Course, known: Known, rows: Tensor, *, theta: Tensor
) -> tuple[Tensor, Float[Tensor, " reviewed weight"]]:
    """Each reviewed row's mean loss with others' content where it is marked, and its gradient."""
    found, slopes = [], []
    with untouched(network, known.seed):
        for row in rows.split(1):
            at = theta.detach().requires_grad_()

            def mean_loss(network: nn.Module, row: Tensor = row) -> Tensor:
                batches = swapped_batches(known.dataset, known.marks, row, num_donors=NUM_DONORS, seed=known.seed)
                parts = [_losses(network, batch.to(device_of(network))) for batch in batches]
                return torch.cat(parts).mean()

            loss = at_weights(network, course.weights.named(at), mean_loss)
            slopes.append(torch.autograd.grad(loss, at)[0])
            found.append(loss.detach())
    return torch.stack(found), torch.stack(slopes)


def _losses(network: nn.Module, batch: Batch) -> Tensor:
    forward = Forward(network, batch, track_input=False)
    return forward.task.loss(forward.outputs, batch.y, batch.extra)
