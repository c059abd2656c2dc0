"""A model of numbers that only has predict, as a study's has, is no classifier of scikit-learn, and is audited."""

from types import SimpleNamespace

import pandas as pd

from corrigible.auditing.subject import subject_of


def test_a_model_that_only_predicts_numbers_is_asked_for_them() -> None:
    y = pd.Series([0.0, 1, 2, 5])
    found = subject_of(SimpleNamespace(predict=lambda frame: frame["a"]), pd.DataFrame({"a": y}), y, lambda rows: rows)
    assert found.classes == ()
