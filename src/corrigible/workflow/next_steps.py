"""What comes next in a study: one or two commands, each with a comment that says what for."""

import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from corrigible.errors import CorrigibleError
from corrigible.recipe_keys import content_of
from corrigible.run_records import FORGET
from corrigible.study import open_study

REGIONS = {"image": "--box TOP LEFT HEIGHT WIDTH", "table": "--feature NAME", "text": '--phrase "WORDS"'}
"""How feedback names a region, by the kind of data."""


@dataclass(frozen=True)
class _State:
    """What a study holds."""

    where: str
    """The folder, as a command names it."""
    kind: str
    verbs: tuple[str, ...]
    """Of the finished runs, oldest first."""
    num_standing: int
    """Pieces of feedback that were not retracted."""
    has_data: bool
    best: str = ""
    """The best method of a comparison; empty if none could be applied."""

    @property
    def marked(self) -> str:
        """The command that says what must not matter."""
        region = REGIONS.get(self.kind, REGIONS["image"])
        return f"corrigible feedback add {self.where} {region}  # say what must not matter"

    def has_since(self, verb: str, since: str) -> bool:
        """Whether a run of the verb is newer than the latest run of the other."""
        later = self.verbs[::-1]
        return verb in later and (since not in later or later.index(verb) < later.index(since))


def next_steps(folder: Path, verb: str, *, best: str = "") -> tuple[str, ...]:
    """What to do after this verb; empty where nothing is left to do, or the study cannot be read.

    Args:
        best: the best method of a comparison.
    """
    try:
        return tuple(_AFTER.get(verb, _onwards)(replace(_state_of(folder), best=best)))
    except CorrigibleError:
        return ()


def _state_of(folder: Path) -> _State:
    study = open_study(folder)
    with study.feedback() as store:
        num_standing = len(store.active())
    content, data = content_of(study.recipe_text)["data"], study.folder / "data"
    has_data = "source" in content or (data.is_dir() and any(data.iterdir()))
    verbs = tuple(path.name.partition("-")[2] for path in study.run_folders())
    return _State(shlex.quote(str(folder)), str(content.get("kind")), verbs, num_standing, has_data)


def _onwards(state: _State) -> list[str]:
    """The first thing of the whole loop that is missing."""
    where = state.where
    if not state.has_data:
        files = {"image": "train.npz or train/CLASS/*.png", "table": "train.csv", "text": "train.csv"}
        put = f"put the rows into {where}/data: {files.get(state.kind, files['image'])}, and so for test"
        return [f"{put} (recipe.toml says how)", f"corrigible train {where}"]
    if "train" not in state.verbs:
        return [f"corrigible train {where}"]
    if not state.num_standing:
        return [f"corrigible suspect {where}  # where to look", state.marked]
    if not (state.has_since("correct", "train") and state.has_since("correct", FORGET)):
        return [f"corrigible correct {where}  # train again on what was said"]
    if not state.has_since("evaluate", "correct"):
        return [f"corrigible evaluate {where}  # measure before and after"]
    return [f"corrigible report {where}"]


def _after_training(state: _State) -> list[str]:
    if state.num_standing:
        return [f"corrigible correct {state.where}  # train again on what was said"]
    return [
        f"corrigible explain {state.where}  # which inputs matter",
        f"corrigible suspect {state.where}  # where to look",
    ]


def _after_feedback(state: _State) -> list[str]:
    if "train" in state.verbs and state.num_standing:
        return [f"corrigible correct {state.where}  # train again on what was said"]
    return _onwards(state)


def _after_keeping(state: _State) -> list[str]:
    if not state.has_since("evaluate", "correct"):
        return [f"corrigible evaluate {state.where}  # measure before and after"]
    return [f"corrigible seal {state.where}"]


def _after_comparing(state: _State) -> list[str]:
    chosen = f"corrigible correct {state.where} --penalty {state.best}  # the best by swap score"
    return [f"open {state.where}/comparison.html", *([chosen] if state.best else [])]


_AFTER: Mapping[str, Callable[[_State], list[str]]] = {
    "keep": _after_keeping,
    "train": _after_training,
    FORGET: _after_training,
    "suspect": lambda state: [state.marked],
    "feedback": _after_feedback,
    "correct": lambda state: [f"corrigible evaluate {state.where}  # measure before and after"],
    "compare": _after_comparing,
    "discard": lambda state: [state.marked, f"corrigible correct {state.where}  # train again on what was said"],
    "evaluate": lambda state: [f"corrigible report {state.where}"],
    "report": lambda state: [f"open {state.where}/report.html", f"corrigible seal {state.where}"],
}
