"""The quadratic kappa of ordered classes: how well networks and boosting grade the members of Heritage Health.

Both learn from the same members. A fifth of them is kept apart, to choose the cut points with the largest kappa. Each
model's score of a row is the expected class; boosting is measured as a classifier and as a regressor.
"""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import table_data
import torch
from numpy.typing import NDArray
from runner import Numbers, Row, rows_of
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import cohen_kappa_score
from sklearn.model_selection import GroupShuffleSplit

from corrigible import TabularClassifier
from corrigible.tasks.cut_points import class_at, kappa_cut_points


def grades(seed: int) -> Iterator[Row]:
    """Kappa with the expected class rounded, and with cut points."""
    rows = table_data.charlson(seed)
    apart = GroupShuffleSplit(1, test_size=0.2, random_state=seed)
    learned, kept = next(apart.split(rows.x, rows.y, rows.groups))
    x, y = rows.x.iloc[learned], rows.y[learned]
    boosting: dict[str, Any] = {"random_state": seed, "categorical_features": "from_dtype"}
    network = TabularClassifier(task="ordered_classes", random_state=seed)
    assert rows.groups is not None
    fits = {
        "network": lambda: network.fit(x, y, groups=rows.groups[learned]),
        "boosting, classes": lambda: HistGradientBoostingClassifier(**boosting).fit(x, y),
        "boosting, amounts": lambda: HistGradientBoostingRegressor(**boosting).fit(x, y),
    }
    numbers: dict[str, Numbers] = {}
    for name, fit in fits.items():
        begun = time.process_time()
        model = fit()
        seconds = time.process_time() - begun
        cuts = kappa_cut_points(expected(model, rows.x.iloc[kept]), rows.y[kept])
        scores = expected(model, rows.test_x)
        numbers[name] = {
            "kappa": kappa(rows.test_y, scores.round().clamp(0, int(y.max()))),
            "kappa with cut points": kappa(rows.test_y, class_at(scores, cuts)),
            "seconds": seconds,
        }
    theirs = [numbers[name] for name in fits if name != "network"]
    best = {key: max(found[key] for found in theirs) for key in ("kappa", "kappa with cut points")}
    numbers["difference"] = {key: numbers["network"][key] - most for key, most in best.items()}
    yield from rows_of(numbers, table="Charlson index")


def expected(model: Any, x: Any) -> torch.Tensor:
    """The mean of each row's class numbers, by its probabilities or as it was predicted."""
    if not hasattr(model, "predict_proba"):
        return torch.from_numpy(model.predict(x))
    probs: NDArray[np.float64] = model.predict_proba(x)
    return torch.from_numpy(probs @ np.arange(probs.shape[1]))


def kappa(y: NDArray[Any], classes: torch.Tensor) -> float:
    return float(cohen_kappa_score(y, classes.long().numpy(), weights="quadratic"))
