"""Which feedback did it: by how much each remark helped a correction, or harmed it.

The correction is replayed (see `replay`), and each remark gets a factor that is 1. A penalty P of a batch B of reviewed
rows becomes P(B) - Σ (1 - factor) · (P(B) - P(B without the remark)): the penalty itself at factors of 1, and without
one remark where its factor is 0 and all others are 1. The derivative goes back from the loss of reviewed rows whose
marked content is exchanged, which is minus the swap score (`swap_score`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Float, Int
from markupsafe import Markup
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import as_dataset, labelled, strata_of, task_of
from corrigible.data.protocol import Dataset
from corrigible.errors import FeedbackError, RecipeError
from corrigible.feedback.checks import as_list
from corrigible.feedback.masks import Marks, marks_of
from corrigible.figures import number, signed
from corrigible.html_table import table_html
from corrigible.models.flat_weights import at_weights
from corrigible.models.forward import Forward
from corrigible.models.modes import device_of, frozen_norms, untouched
from corrigible.models.networks import copied, trainable_network
from corrigible.objective import PenaltySettings, terms_of
from corrigible.protocols.careful import careful_step
from corrigible.protocols.corrections.swap_score import swapped_batches
from corrigible.protocols.corrections.usable_feedback import usable_marks
from corrigible.protocols.influence.learned import require_separable
from corrigible.protocols.influence.recorded_run import Course, Seen
from corrigible.protocols.influence.replay import Taught, replayed, require_same_end, slopes_by_factors
from corrigible.protocols.schedule import Schedule, require_fit
from corrigible.protocols.training_facts import Known, provided
from corrigible.training import step_seed
from corrigible.types import Batch, Feedback

NUM_DONORS = 10


@dataclass(frozen=True)
class FeedbackInfluence:
    """By how much the swap score would fall if each remark had not been given; positive: the remark helps."""

    values: Float[Tensor, " remark"]
    """Mean over the reviewed rows that the remark is not about itself, in units of the log-likelihood."""
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
        table = table_html(("feedback", "fall of the swap score without it"), cells)
        return Markup("<p><b>{}</b></p>").format(self._title) + table

    @property
    def _title(self) -> str:
        return f"Influence of {len(self.feedback)} remarks on the swap score, {number(self.swap_score)}"

    def _about(self, place: int) -> str:
        said = self.feedback[place]
        return f"{place}: {said.region} {f'on row {said.row}' if said.row is not None else f'on the {said.scope}'}"


def feedback_influence(
    model: nn.Module,
    data: Any,
    feedback: Any,
    *,
    penalties: PenaltySettings,
    schedule: Schedule | None = None,
    corrected: nn.Module | None = None,
    seed: Any = 0,
) -> FeedbackInfluence:
    """By how much the swap score would fall if each remark had not been given, for a correction by penalties.

    Positive: the remark helps. Negative: it harms, so look at it again. To first order in each remark alone, in the
    training run itself; it costs a few corrections. No remark is judged on the row that it is about.

    Args:
        model: the model before the correction.
        data, feedback: as they were given to `correct`.
        penalties: at least one that learns from feedback, with weights that are numbers: "auto" chooses anew without a
            remark. Corrections by changed batches, such as transplant, have no such derivative.
        schedule: of the correction; None for that of `correct`.
        corrected: the corrected model, whose weights must be those at the end of the replay; None for not comparing.
        seed: of the correction.

    Raises:
        RecipeError: no penalty that learns from feedback, or a weight "auto".
        FeedbackError: fewer than two reviewed rows.
        UnsupportedModelError: a network that cannot be replayed, or another ``corrected`` model.
    """
    network, dataset, said = copied(trainable_network(model)), labelled(as_dataset(data)), as_list(feedback)
    seed = whole_number("seed", seed)
    require_separable(dataset)
    require_fit(network, dataset)
    marks = usable_marks(said, dataset)
    terms = provided(terms_of(penalties), Known(network, dataset, marks, seed))
    if not any(term.on_reviewed_rows for term in terms):
        raise RecipeError("no penalty here learns from reviewed rows; name one that does, such as right_reasons")
    rows = marks.irrelevant.rows(strata_of(dataset))
    if len(rows) < 2:
        raise FeedbackError(f"{len(rows)} rows have inputs that must not matter; expected at least 2 to compare")
    schedule = Schedule() if schedule is None else schedule
    run = replayed(Taught(network, dataset, schedule, seed, terms, marks, step=careful_step))
    end = copied(network)
    run.course.weights.load(end, run.theta)
    if corrected is not None:
        require_same_end(run, run.course.weights.vector(trainable_network(corrected)))
    losses, slopes = _swapped_losses(end, run.course, dataset, marks, rows, theta=run.theta, seed=seed)
    without = [_without(said, place, dataset) for place in range(len(said))]
    factors = partial(of_feedback, without=without, feedback=said, dataset=dataset)
    by_row = -slopes_by_factors(run, slopes, len(said), factors=factors).cpu()
    is_own = torch.tensor([[said_of.row == row for said_of in said] for row in rows.tolist()])
    values = by_row.masked_fill(is_own, 0.0).sum(dim=0) / (~is_own).sum(dim=0)
    return FeedbackInfluence(values, by_row, rows, tuple(said), -float(losses.mean()), end)


def _without(said: Sequence[Feedback], place: int, dataset: Dataset) -> Marks:
    return marks_of([other for number, other in enumerate(said) if number != place], dataset)


def _swapped_losses(
    network: nn.Module, course: Course, dataset: Dataset, marks: Marks, rows: Tensor, *, theta: Tensor, seed: int
) -> tuple[Tensor, Float[Tensor, " reviewed weight"]]:
    """Each reviewed row's mean loss with others' content where it is marked, and its gradient."""
    found, slopes = [], []
    with untouched(network, seed):
        for row in rows.split(1):
            at = theta.detach().requires_grad_()

            def mean_loss(network: nn.Module, row: Tensor = row) -> Tensor:
                batches = swapped_batches(dataset, marks, row, num_donors=NUM_DONORS, seed=seed)
                parts = [_losses(network, batch.to(device_of(network))) for batch in batches]
                return torch.cat(parts).mean()

            loss = at_weights(network, course.weights.named(at), mean_loss)
            slopes.append(torch.autograd.grad(loss, at)[0])
            found.append(loss.detach())
    return torch.stack(found), torch.stack(slopes)


def _losses(network: nn.Module, batch: Batch) -> Tensor:
    forward = Forward(network, batch, track_input=False)
    return forward.task.loss(forward.outputs, batch.y, batch.extra)


def of_feedback(
    course: Course,
    theta: Tensor,
    seen: Seen,
    at: tuple[int, int],
    *,
    without: Sequence[Marks],
    feedback: Sequence[Feedback],
    dataset: Dataset,
) -> tuple[Tensor, Tensor, Tensor]:
    """The objective with a factor for each remark about rows of the batch."""
    batch, reviewed = seen
    reviewed = batch if reviewed is None else reviewed
    present = set(reviewed.index.tolist())
    column = [place for place, said in enumerate(feedback) if said.row is None or said.row in present]
    counts = torch.ones(len(column), dtype=theta.dtype, device=theta.device, requires_grad=True)
    others = [_marked(reviewed, without[place], dataset) for place in column]

    def missing(network: nn.Module) -> Tensor:
        """By how much the penalties are larger with each remark than without it."""
        forward = Forward(network, reviewed, seed=step_seed(course.seed, *at), track_input=True, track_layers=True)
        total = counts.new_zeros(len(column))
        with frozen_norms(network):
            for term in course.terms:
                weight = term.weight_at(at[0]) if term.on_reviewed_rows else 0.0
                if weight:
                    whole = term.value(forward, reviewed)
                    each = [whole - term.value(forward, other) for other in others]
                    total = total + weight * torch.stack(each) if each else total
        return total

    plain = course.total(theta, None, seen, epoch=at[0], place=at[1])
    more = at_weights(course.network, course.weights.named(theta), missing)
    return plain + ((counts - 1) * more).sum(), counts, torch.tensor(column, device=theta.device)


def _marked(batch: Batch, marks: Marks, dataset: Dataset) -> Batch:
    """The same rows with other marks."""
    strata = batch.y.cpu() if task_of(dataset).logits is not None else batch.index.cpu()
    masks: dict[str, Any] = {
        name: getattr(marks, name).masks(batch.index.cpu(), strata).to(batch.x.device)
        for name in ("irrelevant", "relevant")
    }
    return replace(batch, **masks)
