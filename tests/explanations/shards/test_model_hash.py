"""Models that give other scores have other fingerprints; the same model has the same one in every process."""

import copy
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

from corrigible.explanations.inputs import as_model
from corrigible.explanations.shards.model_hash import model_hash

X = np.random.default_rng(0).normal(size=(60, 3))
KINDS: dict[str, Callable[[], Any]] = {
    "forest": lambda: RandomForestClassifier(3, max_depth=2, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5, random_state=0),
    "pipeline": lambda: make_pipeline(StandardScaler(), LogisticRegression()),
}
WEIGHT = np.ones(3)


def told(function: Any) -> str:
    return model_hash(as_model(function))


def network(activation: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Linear(3, 4), activation, nn.Linear(4, 2))


def scored_by(weight: Any) -> Callable[[Any], Any]:
    return lambda x: x @ weight


def by_global(x: Any) -> Any:
    return x @ WEIGHT


def test_the_same_weights_in_another_structure_are_another_network():
    first, other = network(nn.ReLU()), network(nn.Tanh())
    other.load_state_dict(first.state_dict())
    assert model_hash(first) == model_hash(copy.deepcopy(first).eval()) != model_hash(other)


def test_a_buffer_that_is_not_saved_counts():
    first = network(nn.ReLU())
    first.register_buffer("shift", torch.zeros(2), persistent=False)
    other = copy.deepcopy(first)
    other.shift += 1
    assert model_hash(first) == model_hash(copy.deepcopy(first)) != model_hash(other)


@pytest.mark.parametrize("kind", KINDS)
def test_a_method_of_an_estimator_is_told_by_what_was_fitted(kind):
    first, same = (KINDS[kind]().fit(X, X[:, 0] > 0) for _ in range(2))
    other = KINDS[kind]().fit(X, X[:, 0] > 0.3)
    assert told(first.predict_proba) == told(same.predict_proba) != told(other.predict_proba)
    assert told(partial(first.predict_proba)) == told(partial(same.predict_proba)) != told(partial(other.predict_proba))
    assert told(lambda x: first.predict_proba(x)) != told(lambda x: other.predict_proba(x))
    assert told(first.predict_proba) != told(first.predict)
    assert ("by name only" in told(first.predict_proba)) == (kind == "boosting")  # Its loss is compiled code.


def test_functions_are_told_by_code_closure_and_globals(monkeypatch):
    assert told(lambda x: x[:, 0]) != told(lambda x: x[:, 1])
    assert told(scored_by(np.ones(3))) == told(scored_by(np.ones(3))) != told(scored_by(np.zeros(3)))
    assert told(scored_by(torch.ones(3))) != told(scored_by(torch.zeros(3)))
    first = told(by_global)
    assert told(by_global) == first
    monkeypatch.setattr(sys.modules[__name__], "WEIGHT", np.zeros(3))
    assert told(by_global) != first


def test_what_a_partial_function_is_given_counts():
    first, other = (partial(lambda x, *, place: x[:, place], place=place) for place in (0, 1))
    assert told(first) != told(other)
    assert told(partial(lambda x: x[:, 0])) != told(partial(lambda x: x[:, 1]))


def test_what_cannot_be_looked_into_is_named():
    lock = Lock()
    assert told(lambda x: x if lock else None).endswith(", by name only: _thread:lock")
    assert told(torch.sum).partition(", ")[2].startswith("by name only: ")


CODE = """
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from corrigible.explanations.inputs import as_model
from corrigible.explanations.shards.model_hash import model_hash
x = np.random.default_rng(0).normal(size=(60, 3))
forest = RandomForestClassifier(3, max_depth=2, random_state=0).fit(x, x[:, 0] > 0)
names = {"a", "b", "c", "d"}
functions = forest.predict_proba, lambda x: forest.predict_proba(x) if names and len(x) in {"e", "f", "g"} else None
found = [model_hash(as_model(function)) for function in functions]
"""


@pytest.mark.slow
def test_another_process_tells_the_same():
    here: dict[str, Any] = {"__name__": "__main__"}
    exec(CODE, here)
    told_there = subprocess.run(
        [sys.executable, "-c", CODE + "print(found)"], capture_output=True, text=True, check=True
    )
    assert told_there.stdout.strip() == str(here["found"])
