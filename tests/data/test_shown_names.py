import pytest
import torch

from corrigible.data.shown_names import columns_in_words, in_words, tell_unused
from corrigible.errors import RecipeError
from corrigible.plots.features import values_of, with_value
from corrigible.recipe_keys import labels_of
from corrigible.types import Columns

LABELS = {"site": "hospital", "site=2": "St Mary’s", "1": "ill"}


def test_columns_categories_and_classes_are_called_by_their_words() -> None:
    columns = Columns(
        ("site=1", "site=2", "age"), ("site", "site", "age"), (True, True, False), (0.0, 0.0, 40.0), (1.0, 1.0, 9.0)
    )
    shown = columns_in_words(columns, LABELS)
    assert shown.names == ("hospital=1", "hospital=St Mary’s", "age")
    assert shown.features == ("hospital", "age")
    assert shown.shift == columns.shift
    assert [in_words(name, LABELS) for name in ("1", "site", "site=3", "x")] == ["ill", "hospital", "hospital=3", "x"]


def test_words_that_do_not_tell_two_columns_apart_are_refused() -> None:
    with pytest.raises(RecipeError, match="calls two names 'a'"):
        labels_of({"x": "a", "y": "a"})
    with pytest.raises(RecipeError, match=r"\[labels\] 'x' is 3; expected the words"):
        labels_of({"x": 3})


def test_values_of_a_column_of_numbers_have_words(caplog: pytest.LogCaptureFixture) -> None:
    columns = Columns(("smoker", "site=1", "age"), ("smoker", "site", "age"), (False, True, False))
    labels = {"smoker": "smoking", "smoker=0": "never", "smoker=1": "smokes", "site=1": "Dayton"}
    shown = columns_in_words(columns, labels)
    assert shown.words == (("smoking=0", "never"), ("smoking=1", "smokes"))
    x = torch.tensor([[1.0, 1.0, 3.0], [0.0, 1.0, 4.0]])
    assert with_value(shown, "smoking", x[0]) == "smoking = smokes"
    assert values_of(x, shown, "smoking").categories == ("never", "smokes")
    assert with_value(shown, "age", x[0]) == "age = 3"
    tell_unused(labels, columns, ())
    assert caplog.messages == []
    tell_unused({"smoker=yes": "a", "dose=1": "b"}, columns, ())
    assert len(caplog.messages) == 2
