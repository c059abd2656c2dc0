"""How well other inputs, or other units, tell what was limited: what they know, they can stand in for."""

from typing import Literal, NamedTuple

from jaxtyping import Float, Shaped
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from corrigible.figures import number

NEARLY_ALL = 0.95
"""Share of the rows that hold one of two values, above which a number is read as either of the two."""
Measure = Literal["AUC", "R²"]


class Proxy(NamedTuple):
    """How well others tell a feature or unit."""

    name: str
    measure: Measure
    value: float | None
    """AUC: 0.5 for nothing, 1 for all; R²: 0 or less for nothing, 1 for all. None where the rows hold one value."""

    def __str__(self) -> str:
        found = "not measured, one value" if self.value is None else f"{self.measure} {number(self.value)}"
        return f"{self.name}: {found}"


def told_by(
    name: str,
    others: Float[Tensor, " row other"],
    known: Shaped[Tensor, " row"],
    other_rows: Float[Tensor, " test other"],
    wanted: Shaped[Tensor, " test"],
) -> Proxy:
    """How well a regression learned on some rows tells what other rows hold in a feature.

    Whole numbers are classes: a logistic regression, by AUC, of several classes the mean of each against the rest.
    Floats are amounts: a linear regression, by R².

    Args:
        others, known: the rows to learn from; ``known`` holds classes or amounts.
        other_rows, wanted: the rows to measure on.
    """
    learn, test, held, hidden = (values.detach().cpu().numpy() for values in (others, other_rows, known, wanted))
    scaled = StandardScaler().fit(learn)
    learn, test = scaled.transform(learn), scaled.transform(test)
    measure: Measure = "R²" if known.is_floating_point() else "AUC"
    if len(known.unique()) < 2 or len(wanted.unique()) < 2:
        return Proxy(name, measure, None)
    if measure == "R²":
        return Proxy(name, measure, float(r2_score(hidden, LinearRegression().fit(learn, held).predict(test))))
    model = LogisticRegression(max_iter=1000).fit(learn, held)
    probs = model.predict_proba(test)
    areas = [
        roc_auc_score(hidden == label, probs[:, place])
        for place, label in enumerate(model.classes_)
        if 0 < (hidden == label).sum() < len(hidden)
    ]
    return Proxy(name, measure, float(sum(areas) / len(areas)) if areas else None)


def as_known(
    held: Float[Tensor, " row column"], others: Float[Tensor, " test column"], *, is_category: bool
) -> tuple[Shaped[Tensor, " row"], Shaped[Tensor, " test"]]:
    """What rows, and other rows, hold in a feature, as `told_by` takes it.

    Of a category its number; of a number of which two values are nearly all, 0 or 1 for the side of their middle on
    which it lies; of any other number itself.

    Args:
        held: the columns of the feature, by whose values it is decided what the feature is.
    """
    if is_category:
        return held.argmax(dim=1), others.argmax(dim=1)
    first = held[:, 0]
    values, count = first.unique(return_counts=True)
    common = count.argsort(descending=True)[:2]
    if len(common) < 2 or int(count[common].sum()) < NEARLY_ALL * len(first):
        return first.double(), others[:, 0].double()
    middle = values[common].mean()
    return (first > middle).long(), (others[:, 0] > middle).long()
