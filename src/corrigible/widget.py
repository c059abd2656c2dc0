"""Review in a notebook: the item view of the review page as a widget, which a kernel answers."""

import json
import re
from contextlib import suppress
from functools import cache
from importlib.resources import files
from typing import Any

from corrigible.workflow.reviews.session import Session

ENTRY = "notebook"
_IMPORT = re.compile(r'^import \{ ([\w, ]+) \} from "\./(\w+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:function|class|const) (\w+)", re.MULTILINE)


with suppress(ImportError):  # Its packages are optional; `reviewing` says what to install.
    import anywidget
    import traitlets

    class ReviewWidget(anywidget.AnyWidget):  # type: ignore[misc]
        """The item view; what was said is in ``feedback``, which grows while somebody reviews."""

        author = traitlets.Unicode().tag(sync=True)

        def __init__(self, session: Session, *, author: str = "") -> None:
            self.session = session
            super().__init__(_esm=script(), author=author)
            self.on_msg(self._hear)

        @property
        def feedback(self) -> list[Any]:
            """All that was said, for `corrigible.correct`."""
            return self.session.feedback

        @property
        def answers(self) -> list[Any]:
            """What was answered about each item, also where nothing was marked."""
            return self.session.answers

        def _hear(self, widget: Any, content: Any, buffers: Any) -> None:
            found = self.session.asked(content["act"], content["body"])
            self.send({"number": content["number"], "found": found})


@cache
def script() -> str:
    """The page's modules and styles as one, since a widget has a single file: a module becomes a function that returns
    its exports.
    """
    parts: dict[str, str] = {}
    _add(ENTRY, parts)
    rendering = f"render: (given) => {ENTRY}_module.render(given, {json.dumps(styles())})"
    return "\n".join([*parts.values(), f"export default {{ {rendering} }};"])


def _add(name: str, parts: dict[str, str]) -> None:
    text = _static(f"{name}.js")
    for _, needed in _IMPORT.findall(text):
        if needed not in parts:
            _add(needed, parts)
    exports = ", ".join(_EXPORT.findall(text))
    text = _IMPORT.sub(r"const { \1 } = \2_module;", text)
    text = re.sub(r"^export ", "", text, flags=re.MULTILINE)
    parts[name] = f"const {name}_module = (() => {{\n{text}\nreturn {{ {exports} }};\n}})();"


@cache
def styles() -> str:
    """The page's styles, for what is inside of the widget alone."""
    text = _static("page.css") + _static("item.css")
    text = re.sub(r"(?m)^(\s*):root \{", r"\1& {", text)
    text = re.sub(r"(?m)^(?:html|body|main)\b[^{]*\{", "& {", text)
    return f".corrigible-review {{\n{text}\npadding: 8px 12px;\n}}\n"


def _static(name: str) -> str:
    return files("corrigible.web").joinpath("static", name).read_text(encoding="utf-8")
