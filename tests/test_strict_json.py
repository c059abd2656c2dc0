"""JSON written by others is read without ambiguity, or refused in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corrigible.strict_json import described, is_whole, parse

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(VALUES)
def test_what_was_written_is_read(value):
    assert parse(json.dumps(value)) == value


@given(st.text())
def test_any_text_gives_a_value_or_a_value_error(text):
    try:
        parse(text)
        refusal = ""
    except ValueError as error:
        refusal = str(error)
    assert "\n" not in refusal


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ("[" * 100_000, "too deeply"),
        ('{"a":' * 100_000, "too deeply"),
        ("9" * 5000, "digits"),
        ("", "Expecting value"),
    ],
)
def test_ambiguous_or_hostile_text_is_refused(text, message):
    with pytest.raises(ValueError, match=message):
        parse(text)


@given(VALUES)
def test_a_description_is_short_and_one_line(value):
    assert len(described(value)) < 60
    assert "\n" not in described(value)


def test_true_is_no_whole_number():
    assert [is_whole(value) for value in (0, -3, True, False, 1.0, "1", None)] == [True, True] + [False] * 5
