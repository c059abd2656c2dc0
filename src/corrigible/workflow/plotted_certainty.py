"""How sure the models of an evaluation are, and how right: kept when they are measured, plotted for the report."""

from collections.abc import Iterator, Mapping
from typing import Any

from safetensors.torch import load_file, save
from torch import Tensor

from corrigible.observations import Observations
from corrigible.plots.reliability_diagram import reliability_diagram
from corrigible.plots.risk_coverage import risk_coverage
from corrigible.reporting import Plots
from corrigible.study import Draft, Run
from corrigible.types import Task

CERTAINTY_FILE = "certainty.safetensors"
NOTE = (
    "On the {count:,} rows that were measured, as they are. Where the rows hold a cue that was marked, the first model "
    "is right by it: then look at rows without it before you trust how sure either model is. The first figure shows "
    "how often predictions are right, against the probability given to them; the second how many are wrong if only "
    "the surest are kept."
)


def certainty_of(observations: Observations, task: Task, place: int) -> dict[str, Tensor]:
    """The probability of each row's predicted class, and whether it is the label; nothing for other labels.

    Of ordered classes the median is predicted, which need not be the likeliest.
    """
    if task.logits is None:
        return {}
    rows = observations.everywhere
    chosen = rows["predicted"]
    confidence = rows["probs"].double().gather(1, chosen[:, None])[:, 0]
    return {f"confidence.{place}": confidence.cpu(), f"is_right.{place}": (chosen == rows["y"]).double().cpu()}


def keep_certainty(draft: Draft, found: Mapping[str, Tensor]) -> None:
    """Write the file that ``certainty_plots`` reads; none without classes."""
    if found:
        (draft.folder / CERTAINTY_FILE).write_bytes(save(dict(found)))


def certainty_plots(evaluation: Run, results: Mapping[str, Any]) -> Iterator[Plots]:
    """The reliability diagram and the risk-coverage curve of the models that are not baselines; none for older runs."""
    path = evaluation.folder / CERTAINTY_FILE
    if not path.exists():
        return
    rows = load_file(path)
    names = [model["name"] for model in results["models"]]
    models = {
        name: (rows[f"confidence.{place}"], rows[f"is_right.{place}"])
        for place, name in enumerate(names)
        if f"confidence.{place}" in rows
    }
    count = len(next(iter(models.values()))[0])
    figures = (reliability_diagram(models), risk_coverage(models))
    yield Plots("Is the model as sure as it is right?", NOTE.format(count=count), figures)
