"""Numbers as people write them."""

import pytest

from corrigible.data.number_forms import NumberForm, form_of, number_in
from corrigible.errors import DataError


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1234.5", "-7", "1e3", ".5"], [1234.5, -7, 1000, 0.5]),
        (["1,234.5", "12"], [1234.5, 12]),
        (["1.234,5", "0,5"], [1234.5, 0.5]),
        (["1 234,5", "2"], [1234.5, 2]),
        (["1'000", "2"], [1000, 2]),
        (["50 %", "-7 %"], [50, -7]),
        (["€ 12", "€ 1.50"], [12, 1.5]),
        (["12 kg", "3.5 kg"], [12, 3.5]),
        (["EUR 12", "EUR -3"], [12, -3]),
    ],
)
def test_numbers_of_one_form_are_read(texts, numbers):
    form = form_of(texts, "c")
    assert form is not None and [number_in(text, form) for text in texts] == numbers


@pytest.mark.parametrize(
    "texts", [["50 %", "50"], ["3a", "4a"], ["ABC123", "ABC456"], ["1,23,4"], ["€ 1", "$ 1"], ["x"]]
)
def test_texts_without_a_common_form_are_no_numbers(texts):
    assert form_of(texts, "c") is None


@pytest.mark.parametrize("texts", [["1,234"], ["$1,000", "$20"], ["1,234", "12,345"]])
def test_what_may_be_thousands_or_decimals_is_refused_by_name(texts):
    with pytest.raises(DataError, match="column 'c' holds .* may be a whole number in thousands or one with decimals"):
        form_of(texts, "c")


def test_another_form_than_that_of_training_is_no_number():
    form = NumberForm(",", ".")
    assert number_in("1.234,5", form) == 1234.5
    assert [number_in(text, form) for text in ("1,234.5", "€ 1", "")] == [None, None, None]
