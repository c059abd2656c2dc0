"""Penalties with a number for each weight that was "auto"."""

from collections.abc import Generator, Sequence
from dataclasses import replace

from corrigible.methods import ConfiguredMethod
from corrigible.objective import Term
from corrigible.protocols.corrections.gap_weights import require_one_gap, weight_for_gap
from corrigible.protocols.corrections.judged_rows import JudgedRows
from corrigible.protocols.corrections.trials import Trials
from corrigible.protocols.corrections.weight import WeightChoice, WeightTrial, choose_weight
from corrigible.protocols.fairness.enforcing import About
from corrigible.protocols.schedule import Schedule
from corrigible.protocols.training_facts import Known


def with_chosen_weights(
    rows: JudgedRows, terms: Sequence[Term], changes: Sequence[ConfiguredMethod], schedule: Schedule, known: Known
) -> Generator[WeightTrial | WeightChoice, None, tuple[tuple[Term, ...], About | None]]:
    """The penalties, with a chosen number for each weight that was "auto", and how a gap between groups was reached."""
    require_one_gap(terms)
    found = list(terms)
    unknown = [place for place, term in enumerate(terms) if term.is_auto and term.gap is None]
    trials = Trials(schedule, rows.folds(known.seed), changes) if unknown else None
    for place in unknown:
        others = [term for number, term in enumerate(found) if number != place and not term.is_auto]
        assert trials is not None
        for progress in choose_weight(found[place], others, trials, known):
            yield progress
        assert isinstance(progress, WeightChoice)
        found[place] = replace(found[place], weight=progress.weight)
    # Last, because the gap is to be reached with all others in place.
    of_gap = next((place for place, term in enumerate(found) if term.gap is not None), None)
    if of_gap is None:
        return tuple(found), None
    others = [term for term in found if term.gap is None]
    choice, about = weight_for_gap(found[of_gap], others, changes, schedule, known, validation=rows.validation)
    yield choice
    found[of_gap] = replace(found[of_gap], weight=choice.weight)
    return tuple(found), about
