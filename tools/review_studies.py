"""The study that the review page is timed and pictured on: the demo's digits, trained only."""

from pathlib import Path

from corrigible import workflow
from corrigible.demos.digits import RECIPE
from corrigible.demos.story import opened


def trained_digits(folder: Path, *, epochs: int = 12, correct_epochs: int = 24) -> Path:
    """The study of ``corrigible demo digits`` after training, without its baselines."""
    head, tail = RECIPE.format(seed=0).split("[[baseline]]", 1)
    recipe = head.replace("epochs = 12", f"epochs = {epochs}").replace("epochs = 24", f"epochs = {correct_epochs}")
    opened(folder, recipe + "[explain]" + tail.split("[explain]", 1)[1])
    for _ in workflow.train(folder):
        pass
    return folder
