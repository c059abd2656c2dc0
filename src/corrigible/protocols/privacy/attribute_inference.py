"""What does a prediction tell of a person's other attributes? Fredrikson et al. 2014, Privacy in pharmacogenetics, and
Yeom et al. 2018, Privacy risk in machine learning: analyzing the connection to overfitting.

What the other columns tell of an attribute they tell without any model. So the same attacker is asked twice, and what
counts is what he gains. Nor does he need a model to name the most frequent class: where the other columns tell him less
than that, the gain is counted from there.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from corrigible.arguments import whole_number
from corrigible.boosting import Boosted, Chances
from corrigible.data.dataset import all_rows, as_dataset
from corrigible.explanations.inputs import as_model
from corrigible.intervals import require_few, resamples
from corrigible.metrics.ranking import auc
from corrigible.progress import counted
from corrigible.protocols.privacy.attacked_attribute import Attribute, attribute_of, folds_of
from corrigible.protocols.privacy.attribute_found import WITHOUT, AttributeAttack, AttributeInference
from corrigible.protocols.privacy.measured_success import ends
from corrigible.protocols.privacy.served import Served, functions_served, served_by, served_predictions
from corrigible.protocols.schedule import require_fit
from corrigible.types import Measurement

MOST_FOLDS = 100
Numbers = NDArray[np.float64]
Measure = Callable[[Numbers, Tensor], float]
"""(told, rows) -> how well these rows are told."""


def attribute_inference(
    model: Any,
    data: Any,
    attribute: Any,
    *,
    given: Iterable[str] | None = None,
    served: Mapping[str, Served] | None = None,
    decimals: int | None = None,
    num_folds: int = 5,
    num_resamples: int = 500,
    seed: Any = 0,
) -> AttributeInference:
    """How much better an attacker infers an attribute of rows if he sees what the model predicts for them.

    The attacker is gradient boosting, which learns on some rows where the attribute is known, and is measured on the
    others, fold by fold. He is asked with the other columns alone, and with the prediction beside them. The first is
    what is told without the model; the gain over it, or over the most frequent class where that is more, is what the
    model gives away. An attacker of another kind may gain more. The intervals are over the rows that are told, and
    leave out what another draw of the folds would change.

    Args:
        model: a network, or a function of x that gives its outputs. It is left as it is.
        data: rows as `correct` takes them, with columns for names of features; equal rows should be left out.
        attribute: the name of a feature, or one value per row of what is not among the inputs. Numbers of more than ten
            different values are amounts, all others classes.
        given: names of the features that the attacker knows; None for all but the attribute, an empty list for none.
        served: what is given out beside the prediction, by name, such as {"attributions": served_attributions()}.
        decimals: to how many the prediction is rounded before it is given out; None for all that there are.
        num_folds: how many times the attacker learns, each time on all folds but one.
        num_resamples: for the intervals; 0 for none.

    Raises:
        RecipeError: a feature that there is not, the attribute among those given, or a number out of range.
        DataError: rows without columns, too few rows, another number of values, or an attribute of one value.
        UnsupportedModelError: a model that does not fit the rows.
    """
    network, seed = as_model(model), whole_number("seed", seed)
    num_folds = whole_number("num_folds", num_folds, 2, MOST_FOLDS)
    require_few(num_resamples)
    rows = all_rows(as_dataset(data))
    found = attribute_of(rows, attribute, given)
    require_fit(network, rows)
    prediction = "the prediction" if decimals is None else f"the prediction to {decimals} decimals"
    parts = {prediction: served_by(prediction, served_predictions(decimals=decimals), network, rows)}
    for name, serve in functions_served({} if served is None else served).items():
        parts[f"the prediction and {name}"] = torch.cat(
            [parts[prediction], served_by(name, serve, network, rows)], dim=1
        )
    folds = folds_of(found.held, num_folds, seed)
    seen = {WITHOUT: found.known, **{name: torch.cat([found.known, values], 1) for name, values in parts.items()}}
    told = {name: _told(found, x.numpy(), folds, seed) for name, x in counted("attacks", seen.items())}
    how = _Resampled(found, num_resamples, seed)
    attacks = [how.attack(name, values, told[WITHOUT]) for name, values in told.items()]
    more = [how.gain("attribute_inference_more", name, told[name], told[prediction]) for name in list(parts)[1:]]
    return AttributeInference(found.name, found.classes, len(rows), how.majority, tuple(attacks), tuple(more))


def _told(attribute: Attribute, x: Numbers, folds: Tensor, seed: int) -> Numbers:
    """For each row what a boosting of the rows of other folds says: chances of classes, or an amount, (row, part)."""
    held, is_category = attribute.held.numpy(), np.zeros(x.shape[1], dtype=np.bool_)
    found = np.zeros((len(x), max(len(attribute.classes), 1)))
    for fold in range(int(folds.max()) + 1):
        tell = (folds == fold).numpy()
        if attribute.classes:
            chances = Chances(x[~tell], held[~tell], is_category, seed)
            found[np.ix_(tell, chances.classes)] = chances.predict(x[tell])
        else:
            found[tell] = Boosted(x[~tell], held[~tell, None], is_category, seed).predict(x[tell])
    return found


class _Resampled(NamedTuple):
    """Measures of what was told, on the rows and on resamples of them."""

    attribute: Attribute
    num_resamples: int
    seed: int

    @property
    def majority(self) -> float:
        held = self.attribute.held
        return float(held.bincount().max() / len(held)) if self.attribute.classes else 0.0

    def attack(self, seen: str, told: Numbers, without: Numbers) -> AttributeAttack:
        name = "attribute_inference_accuracy" if self.attribute.classes else "attribute_inference_r2"
        is_first, has_classes = seen == WITHOUT, bool(self.attribute.classes)
        return AttributeAttack(
            seen,
            self._measured(name, seen, self._success, told),
            self._measured("attribute_inference_auc", seen, self._auc, told) if has_classes else None,
            None if is_first else self._over(self._success, "attribute_inference_gain", seen, told, without),
            self._over(self._auc, "attribute_inference_auc_gain", seen, told, without)
            if has_classes and not is_first
            else None,
        )

    def _over(self, measure: Measure, name: str, seen: str, told: Numbers, without: Numbers) -> Measurement:
        """The gain over what is told without the model, or over a constant guess where that is better."""
        everyone = torch.arange(len(told))
        less = max((without, self._constant(told)), key=lambda one: measure(one, everyone))
        return self._measured(name, seen, measure, told, less)

    def _constant(self, told: Numbers) -> Numbers:
        """The most frequent class, or the mean, for every row."""
        held = self.attribute.held
        if not self.attribute.classes:
            return np.full_like(told, float(held.mean()))
        found: Numbers = np.eye(told.shape[1])[np.full(len(told), int(held.bincount().argmax()))]
        return found

    def gain(self, name: str, seen: str, told: Numbers, less: Numbers) -> Measurement:
        """By how much the success is larger than with less, with a paired interval."""
        return self._measured(name, seen, self._success, told, less)

    def _measured(self, name: str, seen: str, measure: Measure, told: Numbers, *less: Numbers) -> Measurement:
        def value(rows: Tensor) -> float:
            return measure(told, rows) - sum(measure(one, rows) for one in less)

        draws = [value(rows) for rows in resamples(len(told), self.num_resamples, self.seed)]
        low, high = ends([draw for draw in draws if np.isfinite(draw)])
        return Measurement(name, value(torch.arange(len(told))), low, high, len(told), seen)

    def _success(self, told: Numbers, rows: Tensor) -> float:
        held, chosen = self.attribute.held[rows].numpy(), told[rows.numpy()]
        if self.attribute.classes:
            return float((chosen.argmax(axis=1) == held).mean())
        return 1 - float(np.square(held - chosen[:, 0]).sum() / np.square(held - held.mean()).sum())

    def _auc(self, told: Float[np.ndarray, " row part"], rows: Tensor) -> float:
        return float(auc(torch.from_numpy(told)[rows], self.attribute.held[rows]))
