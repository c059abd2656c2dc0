"""A study that can be reviewed in a moment: no model, and an object that stands for the process that would hold it."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from corrigible.errors import StudyError
from corrigible.study import open_study
from studies import SIZES, image_study

NUM_ROWS = SIZES["train"]
OF_ROWS = {"rows": NUM_ROWS, "labels": [0] * NUM_ROWS, "texts": None, "files": [], "words": []}
FACTS: dict[str, Any] = {
    "kind": "image", "task": "classes", "shape": [1, 8, 8], "classes": ["0", "1", "2"], "methods": [], "method": "",
    "titles": {}, "splits": {"train": OF_ROWS},
}  # fmt: skip
PRINT = "0" * 16


class Known:
    """Stands for the model's process: every row has the same hash; where it is down, it answers nothing."""

    facts = FACTS
    is_down = can_start = False

    def __init__(self, folder: str, run: str, hear: Any) -> None:
        self.hear = hear
        self.asked: list[str] = []
        hear({"event": "ready", "facts": self.facts})

    def ask(self, do: str, **about: Any) -> "Future[tuple[Any, bytes]]":
        self.asked.append(do)
        found: Future[tuple[Any, bytes]] = Future()
        if self.is_down:
            found.set_exception(StudyError("the model's process does not run"))
        else:
            found.set_result((PRINT, b""))
        return found

    def predict(self, row: int) -> None:
        """Tell what is predicted of one row."""
        said = {"prediction": "0", "certainty": "90 %", "is_right": True, "fingerprint": PRINT}
        self.hear({"event": "predicted", "split": "train", "start": row, "said": [said]})

    def start_again(self) -> bool:
        return self.can_start

    def use(self, run: str) -> None:
        pass

    def close(self) -> None:
        pass


def untrained(folder: Path) -> Path:
    """A study with a run of train that holds no model."""
    image_study(folder)
    with open_study(folder).new_run("train", label="trained", parent=None):
        pass
    return folder
