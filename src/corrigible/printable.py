"""Text from anywhere, made fit to be shown: nothing that steers a terminal or turns the direction of what follows."""

MOST_CHARACTERS = 2000
"""Longest message."""
LONGEST_WORD = 300
"""Longest run of characters without a space in a message; longer ones are shortened in their middle."""
_JOINERS = "\u200c\u200d"
"""Invisible, but part of the spelling of some languages and of emoji."""


def printable(text: str) -> str:
    r"""The text with control characters, bidirectional marks and halves of characters written out, such as ``\x1b``.

    Spaces of every width stay, and so do line feeds and tabs.
    """
    return text if text.isprintable() else "".join(c if _is_harmless(c) else ascii(c)[1:-1] for c in text)


def one_line(text: str) -> str:
    """The text as one printable line of at most ``MOST_CHARACTERS`` characters.

    A very long word is shortened in its middle, and then the line in its middle: its end often says what to do.
    """
    # Far more than is shown, so that no time is spent on a message of a gigabyte.
    words = _shortened(text, 5 * MOST_CHARACTERS).split()
    return _shortened(printable(" ".join(_shortened(word, LONGEST_WORD) for word in words)), MOST_CHARACTERS)


def plural(count: int, one: str, more: str = "") -> str:
    """The number with its noun, such as "1 row" or "3,000 rows"; ``more`` is what a plain "s" does not give."""
    return f"{count:,} {one if count == 1 else more or one + 's'}"


def _is_harmless(character: str) -> bool:
    return character.isprintable() or character in _JOINERS or (character.isspace() and character not in _STEERING)


_STEERING = "\r\v\f\x1c\x1d\x1e\x1f\x85\u2028\u2029"
"""Characters that Python counts as spaces, and that end a line or move what is printed."""


def _shortened(text: str, most: int) -> str:
    if len(text) <= most:
        return text
    gap = " … "
    head = (most - len(gap)) * 2 // 3
    return text[:head].rstrip() + gap + text[head + len(gap) - most :].lstrip()
