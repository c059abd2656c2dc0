"""Was a row among those that a model was trained on? Shokri et al. 2017, Membership inference attacks against machine
learning models.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from corrigible.arguments import whole_number
from corrigible.errors import RecipeError, unknown
from corrigible.explanations.inputs import as_model
from corrigible.intervals import require_few
from corrigible.protocols.privacy.attacked_rows import AttackedRows, attacked_rows
from corrigible.protocols.privacy.lira import MODELS_FOR_OWN_SPREAD, likelihood_ratio, standard_score
from corrigible.protocols.privacy.measured_success import success_of
from corrigible.protocols.privacy.membership_found import MembershipInference
from corrigible.protocols.privacy.shadow_models import LEAST, MOST, ShadowModels, Training, fitting, trained_shadows
from corrigible.protocols.schedule import Schedule, require_fit
from corrigible.protocols.unlearning.margins import margins

SCORES: Mapping[str, Any] = {"lira": likelihood_ratio, "offline_lira": standard_score}
METHODS = ("loss", *SCORES)


def membership_inference(
    model: Any,
    members: Any,
    others: Any,
    *,
    method: str = "loss",
    shadow_models: int | ShadowModels = 16,
    schedule: Training | None = None,
    start: nn.Module | None = None,
    folder: str | Path | None = None,
    num_resamples: int = 1000,
    seed: Any = 0,
) -> MembershipInference:
    """How well an attacker tells which rows a model was trained on; the model is left as it is.

    "loss" takes rows with a small loss for members, without any other model. "lira" and "offline_lira" train shadow
    models on random parts of both kinds of rows, and compare what the model says of a row's label with what they say:
    "lira" with those that saw the row and those that did not, "offline_lira" with the latter alone.

    LiRA with few shadow models is weaker than it could be: means are estimated from a handful of values, and below 64
    models one spread stands for all rows. The result says so, and what it measures is a lower bound on what an attacker
    with more models reaches. Rows should be drawn alike: an attack also tells members from others that are of another
    kind, which is no leak.

    Args:
        model: a network, or a function of x that gives its outputs.
        members: the rows that it was trained on, as `correct` takes rows; for LiRA all of them, because shadow models
            are trained on as many rows.
        others: rows of the same kind that it was not trained on. At least 100 for the share of members found at 1 %
            false positives, 1,000 at 0.1 %; else these are not measured.
        method: "loss", "lira" or "offline_lira".
        shadow_models: how many are trained, at least 4; or those that an earlier call of `trained_shadows` gave.
        schedule: how the model was trained: a `Schedule`, or a function (untrained network, rows, seed) -> trained
            network. None for the default schedule.
        start: the network before it was trained; None for fresh weights in the model's form.
        folder: where finished shadow models are kept, so that a call that was interrupted goes on.
        num_resamples: for the intervals of AUC and advantage; 0 for none.

    Raises:
        RecipeError: an unknown method, or a number out of range.
        DataError: no rows, rows of different kinds, or a row that is on both sides.
        UnsupportedModelError: a model that does not fit the rows, or a ranking.
        TrainingDivergedError: the loss of a shadow model became NaN or infinite.
    """
    if method not in METHODS:
        raise RecipeError(unknown("method", str(method), METHODS))
    require_few(num_resamples)
    network, seed = as_model(model), whole_number("seed", seed)
    rows = attacked_rows(network, members, others)
    scores, shadows = margins(network, rows.data), None
    if method in SCORES:
        shadows = shadows_for(network, rows, shadow_models, schedule=schedule, start=start, folder=folder, seed=seed)
        scores = SCORES[method](scores, shadows.margins(rows), shadows.has_seen)
    apart = rows.apart(scores)
    return MembershipInference(
        method=method,
        num_members=rows.num_members,
        num_others=rows.num_others,
        success=success_of(apart, num_resamples=num_resamples, seed=seed),
        member_scores=apart[0],
        other_scores=apart[1],
        num_shadow_models=0 if shadows is None else len(shadows),
        notes=() if shadows is None else _notes(shadows, rows),
    )


def shadows_for(
    model: nn.Module,
    rows: AttackedRows,
    shadow_models: int | ShadowModels,
    *,
    schedule: Training | None,
    start: nn.Module | None,
    folder: str | Path | None,
    seed: int,
) -> ShadowModels:
    """The shadow models that were given, or as many new ones.

    Raises:
        RecipeError, DataError, UnsupportedModelError, TrainingDivergedError: as `membership_inference`.
    """
    if isinstance(shadow_models, ShadowModels):
        return fitting(shadow_models, rows)
    count = whole_number("shadow_models", shadow_models, LEAST, MOST)
    training = Schedule() if schedule is None else schedule
    if not (isinstance(training, Schedule) or callable(training)):
        raise RecipeError(
            f"schedule is a {type(training).__name__}; expected a Schedule, or (network, rows, seed) -> trained network"
        )
    if start is not None:
        require_fit(start, rows.data)
    return trained_shadows(model, rows, count, training, start=start, folder=folder, seed=seed)


def size_notes(shadows: ShadowModels, rows: AttackedRows) -> tuple[str, ...]:
    """Whether shadow models are trained on another number of rows than the model."""
    trained_on = float(shadows.has_seen.sum(dim=1).double().mean())
    if abs(trained_on - rows.num_members) <= 0.1 * rows.num_members:
        return ()
    return (
        f"shadow models are trained on {trained_on:,.0f} rows, the model on {rows.num_members:,}: give about as many "
        "others as members, or more shadow models",
    )


def _notes(shadows: ShadowModels, rows: AttackedRows) -> tuple[str, ...]:
    """What limits LiRA by these shadow models."""
    if len(shadows) >= MODELS_FOR_OWN_SPREAD:
        return size_notes(shadows, rows)
    few = (
        f"with {len(shadows)} shadow models the attack is weaker than it could be: the means of each row come from few "
        f"values, and below {MODELS_FOR_OWN_SPREAD} models one spread stands for all rows; an attacker with more of "
        "them finds more"
    )
    return few, *size_notes(shadows, rows)
