"""What is shown neither steers the terminal nor turns what follows, and a message is one line of bounded length."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corrigible.errors import DataError, unknown
from corrigible.printable import MOST_CHARACTERS, one_line, printable

ANY_TEXT = st.text(st.characters(codec=None), max_size=40)


@given(ANY_TEXT)
def test_nothing_that_steers_a_terminal_is_left(text):
    shown = printable(text)
    assert all(c in "\n\t\u200c\u200d" or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in shown)
    shown.encode()


@pytest.mark.parametrize("text", ["Größe 3 × 4\u00a0%", "日本語", "می\u200cخواهم", "👩\u200d🔬", "a\tb\nc", ""])
def test_ordinary_text_stays(text):
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [("\x1b[2J", r"\x1b[2J"), ("\u202egpj", r"\u202egpj"), ("\x9b2J", r"\x9b2J"), ("\ud800", r"\ud800"), ("\r", r"\r")],
)
def test_what_steers_is_written_out(text, shown):
    assert printable(text) == shown


@given(ANY_TEXT, st.integers(1, 3000))
def test_a_message_is_one_line_of_bounded_length(text, times):
    shown = one_line(text * times)
    assert len(shown) <= MOST_CHARACTERS
    assert "\n" not in shown


def test_a_long_name_is_shortened_and_the_remedy_stays():
    message = str(DataError(unknown("column", "h" * 10**6, ["height"])))
    assert len(message) <= MOST_CHARACTERS
    assert message.startswith("unknown column 'hhh")
    assert message.endswith("known: height")


def test_an_error_of_many_lines_is_one():
    assert str(DataError("first\n  second\x1b[2J")) == r"first second\x1b[2J"
