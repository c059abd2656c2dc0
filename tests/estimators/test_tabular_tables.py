"""Tables as people have them: handled, or refused in one line."""

import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError

from corrigible import TabularClassifier, TabularRegressor
from corrigible.errors import DataError, FeedbackError, RecipeError

N = 40
Y = np.arange(N) % 2
X = pd.DataFrame({"age": np.linspace(20, 60, N) + 9 * Y, "ward": np.where(np.arange(N) % 3 == 0, "A", "B")})


def learned(x=X, y=Y, *, kind=TabularClassifier, **given):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        params = {
            name: given.pop(name) for name in ("task", "hidden_layer_sizes", "validation_fraction") if name in given
        }
        return kind(max_epochs=1, random_state=0, **params).fit(x, y, **given)


def as_polars(frame):
    return pytest.importorskip("polars").from_pandas(frame)


@pytest.mark.parametrize("library", [pa.Table.from_pandas, as_polars], ids=["pyarrow", "polars"])
def test_frames_of_other_libraries_give_the_same_model(library):
    given = library(X)
    found = learned(given)
    assert found.feature_names_in_.tolist() == ["age", "ward"]
    assert (found.predict_proba(given) == learned().predict_proba(X)).all()


MISSING = X.assign(
    age=pd.array([pd.NA, *range(N - 1)], dtype="Int64"),
    ward=pd.array([pd.NA, *X.ward[1:]], dtype="string"),
    smoker=pd.array([pd.NA, True] * (N // 2), dtype="boolean"),
)


@pytest.mark.parametrize(
    ("fitted", "other"),
    [
        (MISSING, MISSING.astype(object)),
        (X.astype({"ward": "category"}), X),
        (X, X.astype({"ward": "category"})),
        (X.assign(on=Y == 1), X.assign(on=Y)),
        (X.assign(code=pd.Categorical(Y)), X.assign(code=Y.astype(float))),
    ],
    ids=["pd.NA", "from category", "to category", "truth values", "codes"],
)
def test_columns_of_another_type_mean_the_same(fitted, other):
    model = learned(fitted)
    np.testing.assert_array_equal(model.predict_proba(other), model.predict_proba(fitted))


def test_unseen_levels_are_no_level_and_are_told(caplog):
    model = learned()
    assert np.isfinite(model.predict_proba(X.assign(ward="C"))).all()
    assert "column 'ward' holds 'C' in 40 rows, which training lacks" in caplog.text


def test_constant_and_empty_columns_are_learned_without(caplog):
    odd = X.assign(gaps=[1.0, None] * (N // 2), nothing=np.nan, same=5)
    with caplog.at_level("INFO"):
        model = learned(odd)
    assert model.encoder_.columns.features == ("age", "ward", "gaps")
    assert "columns without any value were dropped: 'nothing'" in caplog.text
    explained = model.explain(odd.head(3))
    assert explained.columns.tolist() == list(odd.columns) and (explained[["nothing", "same"]] == 0).all(axis=None)


def test_names_may_be_odd():
    names = ["", "a=missing", "a", "x y\n<b>", "y"]
    odd = pd.DataFrame([[row, row % 5, None if row % 7 else 1.0, "u", row % 3] for row in range(N)], columns=names)
    assert learned(odd).explain(odd.head(2)).columns.tolist() == names
    assert learned(odd.set_axis(range(5), axis=1)).explain(odd.to_numpy()[:2]).columns.tolist() == list("01234")


def test_arrays_and_lists_hold_texts_beside_numbers():
    expected = learned().predict(X)
    assert (learned(X.to_numpy()).predict(X.to_numpy()) == expected).all()
    assert (learned(X.to_numpy().tolist()).predict(X.to_numpy().tolist()) == expected).all()


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (X.assign(day=pd.date_range("2020", periods=N)), "column 'day' holds datetime64.* convert or drop it"),
        (X.set_axis(["age", "age"], axis=1), "column 'age' occurs more than once; expected different names"),
        (X.assign(ward=["A", 1.5] * (N // 2)), "column 'ward' holds values of the types float, str"),
        (X.assign(cells=[[1]] * N), "column 'cells' holds values of the type list"),
        (
            pd.concat([X] * 2).assign(name=[f"n{row}" for row in range(2 * N)]),
            "'name' holds a different text in each of",
        ),
        (X.assign(age=[*X.age[1:], np.inf]), f"column 'age' holds 'inf' in row {N - 1}"),
        (X[["age"]] * 0, "no feature left; expected a column that is not constant"),
        (X[[]], r"0 feature\(s\)"),
        (X[:1], r"X has 1 sample\(s\)"),
    ],
)
def test_tables_that_nothing_can_be_learned_from(x, said):
    with pytest.raises(DataError, match=said) as refused:
        learned(x, np.arange(len(x)) % 2)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("y", "given", "error", "said"),
    [
        ([None, *Y[1:]], {}, DataError, "y of row 0 is missing; expected a class"),
        (Y * 0, {}, DataError, "y holds one class, '0'; expected rows of at least two classes"),
        (Y[1:], {}, DataError, f"y has {N - 1} rows and X has {N}"),
        (Y, {"sample_weight": -np.ones(N)}, DataError, "sample_weight holds -1; expected weights of at least zero"),
        (Y, {"exposure": "years"}, DataError, "exposure holds what is no number"),
        (Y, {"sample_weight": np.ones(3)}, DataError, r"sample_weight has shape \(3,\); expected one number for each"),
        (Y, {"exposure": np.ones(N)}, DataError, "the task 'classes' takes no exposure"),
        (Y, {"sensitive_features": ["a"]}, DataError, r"sensitive_features has shape \(1,\)"),
        (Y, {"task": "amounts"}, RecipeError, "task is 'amounts'; expected one of classes, ordered_classes"),
        (Y, {"hidden_layer_sizes": (8, 0)}, RecipeError, r"hidden=\[8, 0\]; expected at least 1 each"),
        (Y, {"validation_fraction": 1.0}, RecipeError, "validation_fraction is 1.0; expected a number from 0 to"),
        (Y, {"feedback": []}, FeedbackError, "feedback"),
    ],
)
def test_labels_and_settings_that_do_not_fit(y, given, error, said):
    with pytest.raises(error, match=said):
        learned(X, y, **given)


@pytest.mark.parametrize(
    ("y", "given", "said"),
    [
        ([None, *Y[1:]], {}, "y of row 0 is nan; expected finite numbers"),
        (Y, {"task": "counts", "exposure": Y}, "exposure of row 0 is 0; expected numbers above 0"),
        (Y - 0.5, {"task": "counts"}, "the task 'counts' expects numbers of at least 0"),
        (Y * 0, {}, "every label is 0.0; expected at least two labels"),
    ],
)
def test_numbers_that_do_not_fit_a_task(y, given, said):
    with pytest.raises(DataError, match=said):
        learned(X, y, kind=TabularRegressor, **given)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (X[["ward", "age"]], "must be in the same order"),
        (X[["age"]], "now missing"),
        (X.assign(age="old"), "column 'age' holds 'old' in row 0"),
        (X[:0], r"X has 0 sample\(s\)"),
    ],
)
def test_other_rows_must_have_the_columns_of_training(x, said):
    model = learned()
    with pytest.raises(ValueError, match=said):
        model.predict(x)


def test_before_fit_each_question_is_refused_as_scikit_learn_does_it():
    x, fresh = pd.DataFrame({"a": [1.0, 2.0]}), TabularClassifier()
    asked = [fresh.predict, fresh.predict_proba, fresh.explain, fresh.base_values]
    for ask in [*(lambda ask=ask: ask(x) for ask in asked), fresh.suspects, lambda: fresh.limit_influence("a")]:
        with pytest.raises(NotFittedError):
            ask()
    with pytest.raises(NotFittedError):
        fresh.evaluate(x, x.a)


def test_classes_of_mixed_types_are_refused_in_one_line():
    with pytest.raises(DataError, match="text beside numbers"):
        TabularClassifier().fit(pd.DataFrame({"a": [1.0, 2.0]}), np.array(["b", 1], dtype=object))
