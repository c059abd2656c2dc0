"""Measures of explanations on 256 LeNet images, against quantus at equal settings.

    pip install corrigible[bench]
    python benchmarks/explanation_quality.py

One thread, both in one process, the median of alternating repetitions. Beside each ratio stands the largest difference
between the two results. Where the two define a measure differently, ours is told to measure what quantus does:

* pixel flipping: 28 pixels a step, black is 0; quantus leaves out the point before the first step;
* infidelity: quantus blackens 4×4 patches in reading order and keeps those before black: 49 masks; it repeats them
  unchanged ``n_perturb_samples`` times, here once;
* region perturbation: 4×4 patches; quantus gives how far the curve fell below its start;
* max-sensitivity: both explain x plus the same ten draws;
* sparseness, complexity, pointing game, relevance mass and rank: sizes, as in ``abs=True``.

Writes benchmarks/results/explanation_quality.json.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from runner import Figures, Numbers, Row, Unit, means, measure, options
from torch import Tensor, nn

from corrigible.demos.digits_data import load
from corrigible.explanations import explain
from corrigible.explanations.quality import (
    complexity,
    deletion_curve,
    infidelity,
    max_sensitivity,
    pointing_game,
    relevance_mass,
    relevance_rank,
    sparseness,
)
from corrigible.models import lenet
from corrigible.protocols.schedule import Schedule, run

ROWS, STEPS, PATCH, DRAWS, RADIUS, REPETITIONS = 256, 28, 4, 10, 0.2, 5
QUANTUS_BATCH_SIZE = 256
"""Faster for quantus than its default of 64."""

Measure = Callable[[], NDArray[np.floating]]


def main() -> None:
    asked = options(__doc__).parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore")
    data = load("train")
    torch.manual_seed(0)
    model = lenet()
    for _ in run(model, data, Schedule(epochs=2)):
        pass
    model.eval()
    x, y = data.x[:ROWS], data.y[:ROWS]
    relevant = x > 0.5  # The strokes.
    attribution = explain(model, x, y, method="input_gradient")
    ours, theirs = (
        our_measures(model, x, y, attribution, relevant),
        quantus_measures(model, x, y, attribution, relevant),
    )
    units = [Unit(name, partial(compared, name, ours[name], theirs[name])) for name in ours]
    settings = {"rows_explained": ROWS, "threads": 1, "repetitions": REPETITIONS}
    measure(units, asked, settings=settings, rows=with_total)


def with_total(rows: Sequence[Row]) -> list[Figures]:
    """And one row for all measures together."""
    totals = {who: sum(row.numbers[f"{who}_seconds"] for row in rows) for who in ("corrigible", "quantus")}
    return means([*rows, Row({"measure": "all"}, ratio_of(totals))])


def ratio_of(seconds: Mapping[str, float]) -> Numbers:
    ratio = seconds["quantus"] / seconds["corrigible"]
    return {"ratio": ratio} | {f"{who}_seconds": taken for who, taken in seconds.items()}


def compared(name: str, ours: Measure, theirs: Measure) -> Iterator[Row]:
    """Both medians, their ratio and how far the results lie apart."""
    found = {"corrigible": ours(), "quantus": theirs()}
    times: dict[str, list[float]] = {who: [] for who in found}
    for _ in range(REPETITIONS):
        for who, work in (("corrigible", ours), ("quantus", theirs)):
            started = time.perf_counter()
            work()
            times[who].append(time.perf_counter() - started)
    medians = {who: statistics.median(taken) for who, taken in times.items()}
    first, second = (np.asarray(values, dtype=np.float64) for values in found.values())
    apart = {
        "largest_difference": float(np.abs(first - second).max()),
        "largest_value": float(np.abs(second).max()),
    }
    yield Row({"measure": name}, ratio_of(medians) | apart)


def our_measures(model: nn.Module, x: Tensor, y: Tensor, attribution: Tensor, relevant: Tensor) -> dict[str, Measure]:
    patches = patch_numbers(x)
    masks = torch.stack([patches <= last for last in range(int(patches.max()) + 1)])
    found: dict[str, Callable[[], Tensor]] = {
        "pixel flipping": lambda: deletion_curve(model, x, y, attribution, steps=STEPS)[:, 1:],
        "region perturbation": lambda: fallen(
            deletion_curve(model, x, y, attribution, steps=len(masks), groups=patches)
        ),
        "infidelity": lambda: infidelity(model, x, y, attribution, perturbation=masks),
        "max-sensitivity": lambda: max_sensitivity(model, x, y, radius=RADIUS, samples=DRAWS),
        "sparseness": lambda: sparseness(attribution),
        "complexity": lambda: complexity(attribution),
        "pointing game": lambda: pointing_game(attribution, relevant),
        "relevance mass": lambda: relevance_mass(attribution, relevant),
        "relevance rank": lambda: relevance_rank(attribution, relevant),
    }
    return {name: lambda measure=measure: measure().numpy() for name, measure in found.items()}


def patch_numbers(x: Tensor) -> Tensor:
    """The number of each pixel's patch, in reading order."""
    height, width = x.shape[2:]
    down, across = torch.arange(height) // PATCH, torch.arange(width) // PATCH
    return (down[:, None] * (width // PATCH) + across).expand(x.shape[1:])


def fallen(curve: Tensor) -> Tensor:
    """How far below its start the curve is after each step."""
    return curve[:, :1] - curve[:, 1:]


def quantus_measures(
    model: nn.Module, x: Tensor, y: Tensor, attribution: Tensor, relevant: Tensor
) -> dict[str, Measure]:
    import quantus

    quiet: dict[str, Any] = {"disable_warnings": True, "display_progressbar": False}
    given: dict[str, Any] = {"model": model, "x_batch": x.numpy(), "y_batch": y.numpy(), "device": "cpu"}
    given["batch_size"] = QUANTUS_BATCH_SIZE

    def measured(name: str, **settings: Any) -> Measure:
        marks = {"s_batch": relevant.numpy().astype(int)}
        metric = getattr(quantus, name)(**quiet, **settings)
        return lambda: np.array(metric(**given, a_batch=attribution.numpy(), **marks))

    def sensitivity() -> NDArray[np.floating]:
        metric = quantus.MaxSensitivity(nr_samples=DRAWS, perturb_func=same_draws(x), **quiet)
        return np.array(metric(**given, a_batch=attribution.numpy(), explain_func=gradient, explain_func_kwargs={}))

    return {
        "pixel flipping": measured("PixelFlipping", features_in_step=x[0].numel() // STEPS, normalise=False),
        "region perturbation": measured("RegionPerturbation", patch_size=PATCH, regions_evaluation=49, normalise=False),
        "infidelity": measured("Infidelity", perturb_patch_sizes=[PATCH], n_perturb_samples=1),
        "max-sensitivity": sensitivity,
        "sparseness": measured("Sparseness", normalise=False),
        "complexity": measured("Complexity", normalise=False),
        "pointing game": measured("PointingGame", abs=True, normalise=False),
        "relevance mass": measured("RelevanceMassAccuracy", abs=True, normalise=False),
        "relevance rank": measured("RelevanceRankAccuracy", abs=True, normalise=False),
    }


def gradient(model: nn.Module, inputs: Any, targets: Any, **_: Any) -> NDArray[np.floating]:
    """What quantus explains with: the bare gradient of the target's logit."""
    x = torch.as_tensor(np.asarray(inputs), dtype=torch.float32).requires_grad_()
    chosen = model(x).gather(1, torch.as_tensor(np.asarray(targets)).long()[:, None])
    return torch.autograd.grad(chosen.sum(), x)[0].numpy()


def same_draws(x: Tensor) -> Callable[..., NDArray[np.floating]]:
    """Adds to every row the draws that `max_sensitivity` adds, one after the other."""
    generator = torch.Generator().manual_seed(0)

    def changed(arr: NDArray[np.floating], **_: Any) -> NDArray[np.floating]:
        move = RADIUS * (2 * torch.rand(x.shape[1:], generator=generator) - 1)
        return arr + move.numpy().reshape(1, *arr.shape[1:])

    return changed


if __name__ == "__main__":
    main()
