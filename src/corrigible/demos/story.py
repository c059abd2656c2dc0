"""What the demos share: the study they tell of and the table that ends it."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from corrigible import workflow
from corrigible.study import Study, create_study, open_study
from corrigible.workflow.records import Line, Record


def opened(folder: Path, recipe: str) -> Study:
    """The study in this folder, made with this recipe where there is none."""
    return open_study(folder) if (folder / "recipe.toml").exists() else create_study(folder, recipe)


def corrected_and_sealed(folder: Path, device: str) -> Iterator[Record]:
    """Correct, evaluate, report, seal and verify."""
    yield from workflow.correct(folder, device=device)
    yield from workflow.evaluate(folder, device=device)
    yield from workflow.report(folder)
    yield from (sealed := list(workflow.seal(folder)))
    yield from workflow.verify(Path(sealed[0].path), root=sealed[0].root)


def table(study: Study, metrics: Sequence[str]) -> Iterator[Line]:
    """The latest evaluation, one line per model."""
    models = study.latest("evaluate").read("evaluation.json")["models"]
    yield Line(f"{'':42}" + "".join(f"{metric.replace('_', ' '):>25}" for metric in metrics))
    for model in models:
        values = {found["metric"]: found["value"] for found in model["measurements"] if not found["part"]}
        cells = [f"{values[metric]:25.3f}" if values[metric] is not None else f"{'–':>25}" for metric in metrics]
        yield Line(f"{model['name']:42}" + "".join(cells))
