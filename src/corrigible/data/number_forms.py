"""How people write numbers: 1234.5, but also 1,234.5 or 1.234,5 or 50 % or € 12."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from corrigible.errors import DataError

UNKNOWN_WORDS = frozenset(
    (
        *("?", "-", "--", "—", ".", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "-nan", "null", "none", "nil"),
        *("nd", "unknown", "missing", "not available", "no data"),
        *("#value!", "#div/0!", "#ref!", "#null!", "#num!", "#name?"),
    )
)
"""What stands for an unknown number, in small letters; among categories these are texts like any other."""
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?inf(inity)?", re.IGNORECASE)
GROUPED = re.compile(r"[+-]?[1-9]\d{0,2}(\.\d{3})+")
"""A plain number whose point may divide thousands, where others have decimal commas."""
CODE = re.compile(r"-?0\d+")
"""A number of digits alone that begins with 0, as codes do."""
SPACES = " \u00a0\u202f"
_MONEY = "[€$£¥₹]"
_AROUND = re.compile(
    rf"(?P<sign>[+-]?)(?P<before>{_MONEY}[{SPACES}]?|[A-Z]{{3}}[{SPACES}])?"
    rf"(?P<digits>[+-]?[\d.,'’{SPACES}]*\d[.,]?([eE][+-]?\d+)?)"
    rf"(?P<after>[{SPACES}]?(%|‰|{_MONEY})|[{SPACES}][A-Za-zµ°Ω/²³]{{1,6}})?"
)
_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
DATE = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{4}/\d{1,2}/\d{1,2}( .*)?|\d{1,2}([./-])\d{1,2}\3(\d{4}|\d{2})( .*)?"
    rf"|\d{{1,2}}:\d{{2}}(:\d{{2}}.*)?( [ap]m)?|\d{{1,2}}[ -]{_MONTH}[ -]\d{{2,4}}|{_MONTH} \d{{1,2}},? \d{{4}}",
    re.IGNORECASE,
)


class NumberForm(NamedTuple):
    """How the numbers of one column are written."""

    decimal: str = "."
    thousands: str = ""
    """Characters that may stand between groups of three digits."""
    before: str = ""
    """What stands before each number, such as €."""
    after: str = ""

    def __str__(self) -> str:
        group = self.thousands[:1]
        return f"{self.before}1{group}234{self.decimal}5{' ' * bool(self.after)}{self.after}"


PLAIN_FORM = NumberForm()
_FORMS = tuple(
    NumberForm(decimal, thousands)
    for decimal, others in ((".", ","), (",", "."))
    for thousands in ("", others, "'’", SPACES)
)


def number_in(text: str, form: NumberForm) -> float | None:
    """The number that the text stands for; None if it is not written in this form."""
    if form == PLAIN_FORM:
        return float(text) if PLAIN.fullmatch(text) else None
    found = _parts(text)
    if found is None or found[:2] != (form.before, form.after):
        return None
    return _value(found[2], form)


def form_of(texts: Sequence[str], name: str) -> NumberForm | None:
    """The form in which all of these texts are numbers; None if there is none.

    Raises:
        DataError: two forms fit, and give different numbers.
    """
    if all(map(PLAIN.fullmatch, texts)):
        return PLAIN_FORM
    parts = [_parts(text) for text in texts]
    around = {part[:2] if part else None for part in parts}
    if len(around) != 1 or None in around:
        return None
    bodies = [part[2] for part in parts if part]
    fitting = [(form, values) for form in _FORMS if None not in (values := [_value(body, form) for body in bodies])]
    if not fitting:
        return None
    for _, values in fitting[1:]:
        differs = [text for text, first, other in zip(texts, fitting[0][1], values, strict=True) if first != other]
        if differs:
            ambiguous(name, differs[0])
    before, after = around.pop() or ("", "")
    return fitting[0][0]._replace(before=before, after=after)


def ambiguous(name: str, text: str) -> None:
    """Raises DataError about a number that can be read in two ways."""
    raise DataError(
        f"column {name!r} holds {text!r}, which may be a whole number in thousands or one with decimals; write its "
        "numbers with a decimal point and nothing between thousands"
    )


def _parts(text: str) -> tuple[str, str, str] | None:
    """What stands before the number and after it, and the number itself."""
    found = _AROUND.fullmatch(text)
    if found is None:
        return None
    before, after = ((found[name] or "").strip(SPACES) for name in ("before", "after"))
    return before, after, found["sign"] + found["digits"]


def _value(body: str, form: NumberForm) -> float | None:
    sign, digits = (body[0], body[1:]) if body[:1] in "+-" else ("", body)
    whole, mark, rest = digits.partition(form.decimal)
    if form.thousands:
        groups = re.split(f"[{re.escape(form.thousands)}]", whole)
        if len(groups) > 1 and (not 1 <= len(groups[0]) <= 3 or any(len(group) != 3 for group in groups[1:])):
            return None
        whole = "".join(groups)
    plain = sign + whole + (f".{rest}" if mark else "")
    return float(plain) if PLAIN.fullmatch(plain) else None
