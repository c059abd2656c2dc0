"""What is given beside the model is checked before it is asked; a function gets the frame of the user's library."""

import numpy as np
import pandas as pd
import pytest

from corrigible import audit, price_changes
from corrigible.errors import CorrigibleError

X = pd.DataFrame({"age": np.arange(40.0), "town": ["b", "k"] * 20})
SEX = pd.Series(["f", "f", "m", "m"] * 10, name="sex")


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({"exposure": ["a"] * 40}, "exposure holds text or truth values, such as 'a'; expected numbers above 0"),
        ({"exposure": [np.inf] + [1.0] * 39}, "exposure of row 0 is not above 0 and finite"),
        ({"exposure": [1.0, np.nan] * 20}, "exposure of row 1 is not above 0"),
        ({"directions": ["age"]}, r"directions is \['age'\]; expected {column: 1}"),
        ({"directions": "age"}, "directions is 'age'; expected"),
        ({"directions": {3: 1}}, "directions: unknown column '3'"),
        ({"directions": {"agee": 1}}, "did you mean 'age'"),
        ({"forbidden": "sx", "sensitive_features": SEX}, "known: age, sex, town"),
        ({"forbidden": "nosuch", "sensitive_features": X.town}, "known: age, town$"),
    ],
)
def test_wrong_arguments_are_refused_in_one_line(how, words):
    with pytest.raises(CorrigibleError, match=words) as caught:
        audit(lambda rows: rows.age, X, X.age, **how)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_a_function_gets_the_frame_of_the_users_library(library):
    table = {"polars": "DataFrame", "pyarrow": "table"}[library]
    given = getattr(pytest.importorskip(library), table)(X.to_dict(orient="list"))

    def asked(rows):
        assert type(rows) is type(given) and list(rows.schema)[1] == list(given.schema)[1]
        return np.asarray(rows["age"])

    found = audit(asked, given, X.age, forbidden="town", directions={"age": 1}, num_resamples=0)
    assert found.reliance[0].largest == 0
    assert not [one for one in found.erratic if one.answer == "an error"]


def test_what_is_printed_steers_no_terminal_and_has_no_empty_brackets():
    rows = X.rename(columns={"age": "\x1b[31mage"})
    printed = str(audit(lambda x: x.iloc[:, 0], rows, rows.iloc[:, 0], directions={"\x1b[31mage": 1}, num_resamples=0))
    assert "\x1b" not in printed and "\\x1b[31mage" in printed and "()" not in printed
    changes = price_changes([1, 2], [2, 1], ["\x1b[31mf", "m"], num_resamples=0)
    assert "\x1b" not in repr(changes) and "\\x1b[31mf" in repr(changes)
