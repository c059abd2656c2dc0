"""Choose the weight of a penalty that closes a gap between groups, together with what the feedback teaches."""

import time
from collections.abc import Sequence
from dataclasses import replace

from jaxtyping import Int
from torch import Tensor, nn

from corrigible.data.protocol import Dataset
from corrigible.errors import RecipeError
from corrigible.figures import number, short_number
from corrigible.methods import ConfiguredMethod
from corrigible.models.networks import copied
from corrigible.objective import Term
from corrigible.protocols.careful import careful_step
from corrigible.protocols.corrections.weight import WeightChoice
from corrigible.protocols.fairness.enforcing import About, reach
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.training_facts import Known, augments_of


def require_one_gap(terms: Sequence[Term]) -> None:
    """Raises RecipeError for several penalties whose weight is to reach a gap."""
    names = [term.name for term in terms if term.gap is not None]
    if len(names) > 1:
        raise RecipeError(
            f"{' and '.join(names)} each have a gap to reach; expected one, and a fixed weight for others"
        )


def weight_for_gap(
    term: Term,
    others: Sequence[Term],
    changes: Sequence[ConfiguredMethod],
    schedule: Schedule,
    known: Known,
    *,
    validation: Dataset | None,
) -> tuple[WeightChoice, About]:
    """The weight with which the corrected model reaches the term's gap, and how it was found.

    Each trial is a whole correction, with the other penalties and the changes of rows. A correction alone that reaches
    the gap leaves the weight 0.

    Raises:
        UnsupportedModelError: rows without the attribute.
        DataError: fewer than two groups of enough rows.
        TrainingDivergedError: training diverged with every weight.
    """
    started, augment = time.perf_counter(), augments_of(changes, known)

    def teach(weight: float, rows: Int[Tensor, " row"] | None) -> nn.Module:
        taught, terms = copied(known.model), [*others, replace(term, weight=weight)]
        for _ in run(
            taught,
            known.dataset,
            schedule,
            marks=known.marks,
            penalties=terms,
            augment=augment,
            rows=rows,
            step=careful_step,
            seed=known.seed,
        ):
            pass
        return taught

    corrected = teach(0.0, None)
    _, search, of_rows = reach(corrected, known.dataset, term, teach, validation=validation, seed=known.seed)
    about, chosen = About(term, search, of_rows, time.perf_counter() - started), search.chosen
    reached = f"reaches a gap of {number(chosen.gap)}, asked for {number(search.asked)}"
    if not search.has_reached:
        reached = f"reaches {number(chosen.gap)} alone, asked for {number(search.asked)}: no weight reaches it"
    message = f"{term.name} gets weight {short_number(chosen.weight)}, which {reached}"
    return WeightChoice(term.name, chosen.weight, message), about
