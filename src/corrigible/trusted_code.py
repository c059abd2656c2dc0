"""Which recipes may run the code that they name; see decision 30.

A recipe that names ``module:function`` is a program. It runs where this user made the study, or has said that its code
is trusted. Both are remembered outside every study, in files named by a hash, so that no study can vouch for itself.
"""

import hashlib
import json
import logging
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from corrigible.errors import StudyError, UntrustedError
from corrigible.files import read_text
from corrigible.folders import write_atomically
from corrigible.recipe_keys import content_of

ORIGIN = ".origin"
"""A random word in the study's folder, which a copy made elsewhere cannot know, and the beginning of its hash."""
_PROSE = ("format", "title", "notes", "seed", "validation_split", "task", "labels", "causes")
log = logging.getLogger(__name__)


def require_trusted(folder: Path, text: str) -> None:
    """Raises UntrustedError when this recipe names code and neither it nor its study is this user's own."""
    named = code_named(text)
    if named and not (_is_remembered(_hash_of_code(text)) or is_own(folder)):
        raise UntrustedError(
            f"the recipe of {folder} runs code: {', '.join(named)}; it may come from somebody else: read it, then "
            f"`corrigible trust {folder}`"
        )


def trust_code(text: str) -> None:
    """Remember that recipes may run the code of this one, with the settings it has there.

    Raises:
        StudyError: it cannot be written down.
    """
    _remember(_hash_of_code(text), ", ".join(code_named(text)))


def own(folder: Path) -> None:
    """Remember that this user made this study here, so that what its recipe names may run."""
    word = secrets.token_hex(16)
    origin = f"{word} {_check_of(word)}"
    write_atomically(folder / ORIGIN, origin.encode())
    try:
        _remember(_hash_of_place(folder, origin), str(folder.resolve()))
    except StudyError as error:
        log.info("%s; if the recipe names code of your own, `corrigible trust` will ask again", error)


def is_own(folder: Path) -> bool:
    """Whether this user made this study here."""
    try:
        return _is_remembered(_hash_of_place(folder, read_text(folder / ORIGIN, most=100, within=folder)))
    except (OSError, UnicodeDecodeError):
        return False


def is_origin_damaged(folder: Path) -> bool:
    """Whether the file by which this user's studies are known is there, but not as `own` wrote it."""
    try:
        word, _, check = read_text(folder / ORIGIN, most=100, within=folder).partition(" ")
    except FileNotFoundError:
        return False
    except (OSError, UnicodeDecodeError):
        return True
    return check != _check_of(word)


def code_named(text: str) -> tuple[str, ...]:
    """What the recipe names as ``module:function``, in its order.

    Raises:
        RecipeError: the text is no recipe.
    """
    return tuple(dict.fromkeys(name for _, _, names in _parts(text) for name in names))


def _parts(text: str) -> Iterator[tuple[str, Any, list[str]]]:
    """The parts of the recipe that name code: key, content, names."""
    for key, content in content_of(text).items():
        # Without a source, [data] names columns, and its reader is the package's own.
        if key not in _PROSE and not (key == "data" and isinstance(content, Mapping) and "source" not in content):
            for entry in content if isinstance(content, list) else [content]:
                if names := [found for found in _texts(entry) if ":" in found]:
                    yield key, entry, names


def _texts(content: Any) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        yield from (found for value in content.values() for found in _texts(value))
    elif isinstance(content, list):
        yield from (found for value in content for found in _texts(value))


def _check_of(word: str) -> str:
    return hashlib.sha256(word.encode()).hexdigest()[:16]


def _hash_of_code(text: str) -> str:
    parts = [[key, content] for key, content, _ in _parts(text)]
    return hashlib.sha256(json.dumps(["code", parts], sort_keys=True, default=str).encode()).hexdigest()


def _hash_of_place(folder: Path, origin: str) -> str:
    return hashlib.sha256(json.dumps(["study", str(folder.resolve()), origin]).encode()).hexdigest()


def _is_remembered(digest: str) -> bool:
    try:
        return (_memory() / digest).is_file()
    except (OSError, RuntimeError):
        return False


def _remember(digest: str, about: str) -> None:
    try:
        _memory().mkdir(parents=True, exist_ok=True)
        write_atomically(_memory() / digest, (about + "\n").encode())
    except (OSError, RuntimeError, StudyError) as error:
        raise StudyError(f"cannot remember what is trusted ({error}); let XDG_STATE_HOME name a folder") from error


def _memory() -> Path:
    """The folder of what is trusted, in the place that the XDG specification gives to a program's state."""
    named = Path(os.environ.get("XDG_STATE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".local" / "state") / "corrigible" / "trusted"
