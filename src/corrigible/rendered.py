"""Fill the package's templates of pages: everything that comes from data is escaped and printable."""

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from corrigible.printable import printable


def rendered(template: str, **values: Any) -> str:
    """The template of that name with these values; only `Markup` is taken as it is."""
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    """The environment, which keeps the templates that it has compiled."""
    return Environment(
        loader=PackageLoader("corrigible"),
        autoescape=True,
        auto_reload=False,
        finalize=lambda value: printable(value) if type(value) is str else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
