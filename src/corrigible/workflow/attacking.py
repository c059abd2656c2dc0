"""What attackers reach with the models of an evaluation: the rows they tell, and what changes of inputs do."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from corrigible.augment.feasible_attack import feasible_attack
from corrigible.comparison import spoken
from corrigible.data.dataset import TensorData, rows_of
from corrigible.data.protocol import Dataset, tokens_of
from corrigible.data.swapping import some_rows
from corrigible.errors import CorrigibleError
from corrigible.explanations.counterfactuals import schema_of
from corrigible.printable import plural
from corrigible.progress import begun
from corrigible.protocols.privacy.attacked_attribute import feature_held_by
from corrigible.protocols.privacy.attacked_rows import without_members
from corrigible.protocols.privacy.attribute_inference import attribute_inference
from corrigible.protocols.privacy.membership_inference import membership_inference
from corrigible.protocols.robustness.certified_accuracy import certified_accuracy
from corrigible.protocols.robustness.robust_accuracy import robust_accuracy
from corrigible.recipe import Recipe, load_data
from corrigible.study import Study
from corrigible.types import Measurement
from corrigible.workflow.forgotten import training

PRIVACY, ROBUSTNESS = "privacy", "robustness"
MOST_ROWS = 5000
"""Training rows, and others, that an attacker tries to tell apart."""
USUAL_CHANGE = 8 / 255
"""Of an input, as a share of the range of inputs; of a table the changes of a row may cost 1 together."""

OVER = "over what the other columns, or the most frequent group, tell"


@dataclass(frozen=True)
class Attacks:
    """What is measured of each model, and on which rows."""

    recipe: Recipe
    known: Dataset
    """The training rows."""
    data: Dataset
    """The rows of the evaluation."""
    beside: Dataset
    """Rows that the training rows are told from: of the validation split where there is one, which is drawn alike."""
    asked: tuple[str, ...]
    seed: int

    @property
    def split_beside(self) -> str:
        """The split of these rows."""
        return self.recipe.validation_split or self.recipe.evaluate.split

    def on(self, model: nn.Module) -> list[Measurement]:
        """The measurements of one model; a kind of attack that does not fit it says why."""
        return [found for name in self.asked for found in OF[name](self, model)]


def attacks_of(study: Study, recipe: Recipe, data: Dataset, asked: tuple[str, ...], seed: int) -> Attacks:
    """What is asked about the models of a study, which are measured on these rows."""
    split = recipe.validation_split
    beside = load_data(recipe, study.folder, split) if split and PRIVACY in asked else data
    return Attacks(recipe, training(study).rows, data, beside, asked, seed)


def _privacy(attacks: Attacks, model: nn.Module) -> Iterator[Measurement]:
    begun("attacking: which rows was it trained on")
    known, beside = (_some(rows, MOST_ROWS, attacks.seed) for rows in (attacks.known, attacks.beside))
    yield from _tried("membership_auc", lambda: _membership(attacks, model, known, beside))
    others = _some(attacks.data, MOST_ROWS, attacks.seed)
    if others.group is not None and others.columns is not None:
        begun("attacking: what does a prediction tell of the group")
        yield from _tried("attribute_inference_gain", lambda: _attribute(attacks, model, others))


def _membership(attacks: Attacks, model: nn.Module, known: TensorData, others: TensorData) -> list[Measurement]:
    apart = without_members(model, known, others)
    found = membership_inference(model, known, apart, seed=attacks.seed).measurements()
    equal = len(others) - len(apart)
    note = f"against {attacks.split_beside} rows, which should be drawn as the training rows are"
    note += f"; without {plural(equal, 'row')} that equal training rows" if equal else ""
    return [replace(one, note="; ".join(filter(None, (one.note, note)))) for one in found]


def _attribute(attacks: Attacks, model: nn.Module, rows: TensorData) -> list[Measurement]:
    """Of the group; where a feature holds it too, the attacker does not see that. What counts is the gain."""
    assert rows.group is not None
    name = feature_held_by(rows, rows.group)
    values: Any = rows.group if name is None else name
    found = attribute_inference(model, rows, values, seed=attacks.seed)
    accuracies = [attack.success for attack in found.attacks]
    gains = (found.with_prediction.gain, found.with_prediction.auc_gain)
    return [*(replace(gain, part="", note=OVER) for gain in gains if gain is not None), *accuracies]


def _robustness(attacks: Attacks, model: nn.Module) -> Iterator[Measurement]:
    begun("attacking: which changes of inputs fool it")
    rows = _some(attacks.data, attacks.recipe.evaluate.num_attacked, attacks.seed)
    epsilon = attacks.recipe.evaluate.epsilon
    if tokens_of(attacks.data) is not None:
        yield Measurement("robust_accuracy", None, note="not measured: attacks change pixels or columns, not words")
    elif rows.columns is not None and attacks.recipe.kind == "table":
        yield from _tried(
            "robust_accuracy", lambda: _of_table(attacks, model, rows, 1.0 if epsilon is None else epsilon)
        )
    else:
        low, high = float(rows.x.min().clamp_max(0)), float(rows.x.max().clamp_min(1))
        how: dict[str, Any] = {"low": low, "high": high}
        how["epsilon"] = USUAL_CHANGE * (high - low) if epsilon is None else epsilon
        yield from _tried("robust_accuracy", lambda: robust_accuracy(model, rows, **how, seed=attacks.seed))
        yield from _tried("certified_accuracy", lambda: certified_accuracy(model, rows, **how))


def _of_table(attacks: Attacks, model: nn.Module, rows: TensorData, epsilon: float) -> Any:
    """Under changes that the recipe's part [counterfactuals] allows an applicant to make."""
    assert rows.columns is not None
    written, sample = attacks.recipe.counterfactuals, _some(attacks.known, MOST_ROWS, attacks.seed).x
    schema = schema_of(rows.columns, sample, units=written.units)
    attack = partial(feasible_attack, schema=schema, constraints=written.constraints, rows=sample)
    found = robust_accuracy(model, rows, epsilon=epsilon, attack={"feasible_attack": attack}, seed=attacks.seed)
    note = f"under allowed changes that cost at most {epsilon:g} together"
    return [replace(one, note=note) for one in found.measurements() if not one.part]


def _tried(metric: str, attack: Callable[[], Any]) -> list[Measurement]:
    """What the attack measured but for accuracy itself, or why it could not be made."""
    try:
        found = attack()
    except CorrigibleError as error:
        return [Measurement(metric, None, note=f"not measured: {error}")]
    listed = found if isinstance(found, list) else found.measurements()
    return [replace(one, part=spoken(one.part)) for one in listed if one.metric != "accuracy"]


def _some(data: Dataset, most: int, seed: int) -> TensorData:
    """At most so many of the rows, drawn by the seed."""
    return rows_of(data, some_rows(torch.arange(len(data)), most, seed).sort().values)


OF: dict[str, Callable[[Attacks, nn.Module], Iterator[Measurement]]] = {PRIVACY: _privacy, ROBUSTNESS: _robustness}
