"""What a notebook shows of a value that is the last line of a cell: IPython asks it for ``_repr_html_``."""

from typing import Any

from markupsafe import Markup, escape


class Shown(Markup):
    """HTML that a notebook shows as it is."""

    def _repr_html_(self) -> str:
        return str(self)

    def __repr__(self) -> str:
        return f"<{len(self):,} characters of HTML>"


def html_of(value: Any) -> Markup:
    """What a notebook shows of the value; its text where it has no HTML of its own."""
    own = getattr(value, "_repr_html_", None)
    return Markup(own()) if own is not None else escape(str(value))
