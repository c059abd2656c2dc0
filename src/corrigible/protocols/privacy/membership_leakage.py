"""Shokri, Strobel and Zick 2021, On the privacy risks of model explanations; of counterfactuals, Pawelczyk, Lakkaraju
and Neel 2023, On the privacy risks of algorithmic recourse: how much more explanations reveal of who was trained on.

An attacker learns from shadow models, whose members he knows, how what is given out differs between members and others.
He is asked twice: with the predictions alone, and with what is served beside them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from markupsafe import Markup, escape
from torch import Tensor, nn

from corrigible.arguments import whole_number
from corrigible.boosting import Chances
from corrigible.errors import RecipeError
from corrigible.explanations.inputs import as_model
from corrigible.html_table import table_html
from corrigible.intervals import require_few
from corrigible.progress import counted
from corrigible.protocols.privacy.attacked_rows import AttackedRows, attacked_rows
from corrigible.protocols.privacy.measured_success import Scores, auc_difference, success_of, with_interval
from corrigible.protocols.privacy.membership_inference import shadows_for, size_notes
from corrigible.protocols.privacy.served import Served, functions_served, served_by, served_predictions
from corrigible.protocols.privacy.shadow_models import ShadowModels, Training
from corrigible.protocols.unlearning.margins import margins
from corrigible.types import Measurement, Measurements

MOST_VALUES = 64
"""Values of a row that the attacker looks at one by one; of more he sees their size and spread alone."""
ALONE = "the prediction alone"
FEW = "an attack learned from more shadow models, or of another kind, may find more"


@dataclass(frozen=True)
class MembershipLeakage:
    """How well membership is told from predictions alone, and with what is served beside them."""

    auc: tuple[Measurement, ...]
    """From the prediction alone, then with each thing that is served; their part says which."""
    more: tuple[Measurement, ...]
    """What each thing served adds to the AUC, with a paired interval over the same rows."""
    num_shadow_models: int
    notes: tuple[str, ...] = ()

    def measurements(self) -> list[Measurement]:
        """The same, as `evaluate` gives measurements."""
        return Measurements([*self.auc, *self.more])

    def __str__(self) -> str:
        lines = [f"  {name}: AUC {found}" + (f", more by {more}" if more else "") for name, found, more in self._cells]
        return "\n".join([self._title, *lines, *(f"  Note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        table = table_html(("seen", "AUC, 0.5 is guessing", "more by"), self._cells)
        notes = Markup("<br>").join(escape(note) for note in self.notes)
        return Markup("<p><b>{}</b></p>").format(self._title) + table + Markup("<p>{}</p>").format(notes)

    @property
    def _title(self) -> str:
        return f"Membership told from what is served, by an attack learned from {self.num_shadow_models} shadow models"

    @property
    def _cells(self) -> list[tuple[str, str, str]]:
        more = ["", *(with_interval(found) for found in self.more)]
        return [(found.part, with_interval(found), one) for found, one in zip(self.auc, more, strict=True)]


def membership_leakage(
    model: Any,
    members: Any,
    others: Any,
    served: Mapping[str, Served],
    *,
    shadow_models: int | ShadowModels = 8,
    schedule: Training | None = None,
    start: nn.Module | None = None,
    folder: str | Path | None = None,
    num_resamples: int = 1000,
    seed: Any = 0,
) -> MembershipLeakage:
    """How much better members are told from others if more than the prediction is served; the model stays as it is.

    The attack is gradient boosting on what shadow models give out about the rows they saw and did not see: the margin
    of the label, the prediction, and what is served, with its size and spread. The attacker also knows the row, up to
    64 inputs. It is no upper bound: an attacker of another kind may find more in an explanation.

    Args:
        model, members, others, shadow_models, schedule, start, folder, num_resamples: as `membership_inference` takes
            them.
        served: what is given out beside the prediction, by name: functions (model, rows) -> (row, number), such as
            `served_attributions` and `served_counterfactuals` give.

    Raises:
        RecipeError: nothing served, or a number out of range.
        DataError, UnsupportedModelError, TrainingDivergedError: as `membership_inference`, or what is served.
    """
    if not functions_served(served):
        raise RecipeError("nothing is served beside the prediction; expected {'attributions': served_attributions()}")
    require_few(num_resamples)
    network, seed = as_model(model), whole_number("seed", seed)
    rows = attacked_rows(network, members, others)
    shadows = shadows_for(network, rows, shadow_models, schedule=schedule, start=start, folder=folder, seed=seed)
    seen = [_seen(served, one, rows) for one in counted("models asked", (network, *shadows.networks))]
    names = (ALONE, *(f"with {name}" for name in served))
    found = {name: rows.apart(_scores(place, seen, shadows, seed)) for place, name in enumerate(names)}
    how: dict[str, int] = {"num_resamples": num_resamples, "seed": seed}
    return MembershipLeakage(
        auc=tuple(_auc(name, scores, **how) for name, scores in found.items()),
        more=tuple(
            auc_difference("membership_auc_more", found[ALONE], found[name], part=name, **how) for name in names[1:]
        ),
        num_shadow_models=len(shadows),
        notes=(FEW, *size_notes(shadows, rows)),
    )


def _seen(served: Mapping[str, Served], model: nn.Module, rows: AttackedRows) -> list[Tensor]:
    """What one model gives out about each row: the prediction, and the prediction with each thing served."""
    predicted = served_by(ALONE, served_predictions(), model, rows.data)
    inputs = rows.data.x.detach().cpu().double().flatten(1)
    known = [inputs] if inputs.shape[1] <= MOST_VALUES else []
    alone = torch.cat([margins(model, rows.data)[:, None], predicted, *known], dim=1)
    return [
        alone,
        *(torch.cat([alone, described(served_by(name, one, model, rows.data))], dim=1) for name, one in served.items()),
    ]


def described(values: Float[Tensor, " row value"]) -> Float[Tensor, " row described"]:
    """The values themselves where they are few, and the length, the largest size and the spread of each row's."""
    spread = values.nan_to_num(0.0)
    facts = [spread.abs().sum(dim=1), spread.norm(dim=1), spread.abs().amax(dim=1), spread.var(dim=1, correction=0)]
    of_rows = torch.stack(facts, dim=1).masked_fill(values.isnan().all(dim=1)[:, None], torch.nan)
    return torch.cat([values, of_rows], dim=1) if values.shape[1] <= MOST_VALUES else of_rows


def _scores(place: int, seen: list[list[Tensor]], shadows: ShadowModels, seed: int) -> Float[Tensor, " row"]:
    """The chance that each row is a member of the attacked model, learned from the shadow models."""
    x = np.concatenate([one[place].numpy() for one in seen[1:]])
    is_category = np.zeros(x.shape[1], dtype=np.bool_)
    attack = Chances(x, shadows.has_seen.flatten().long().numpy(), is_category, seed)
    return torch.from_numpy(attack.predict(seen[0][place].numpy())[:, 1])


def _auc(name: str, scores: Scores, *, num_resamples: int, seed: int) -> Measurement:
    found = success_of(scores, num_resamples=num_resamples, seed=seed)[0]
    return Measurement(found.metric, found.value, found.low, found.high, found.count, name)
