"""Guo et al. 2017, on calibration of modern neural networks: divide the logits by a temperature (section 4.2).

It is fitted on rows with marked content exchanged: on rows that hold a confounder the corrected network is right less
often than the fooled one, and than it is where the confounder says nothing.
"""

import math
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.arguments import whole_number
from corrigible.data.dataset import task_of
from corrigible.data.protocol import columns_of
from corrigible.data.trained_columns import remember_columns, require_columns
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.networks import copied, network_of
from corrigible.models.temperature import TemperatureFit, TemperatureScaled
from corrigible.printable import plural
from corrigible.protocols.calibrating.exchanged_rows import CalibrationRows, calibration_rows, exchanged_logits
from corrigible.protocols.schedule import require_fit

LEAST, MOST = 0.01, 100.0
"""Temperatures that are looked at."""
NUM_TRIED = 61
"""How many of them are tried first: the loss of a mean over several passes may have several minima."""
SAME = 1e-9
"""A mean log-likelihood that differs by less, in nats, is the same."""


def temperature_scaled(
    model: nn.Module,
    data: Any,
    feedback: Any = None,
    *,
    validation: Any = None,
    samples: Any = None,
    num_exchanges: Any = 4,
    seed: Any = 0,
) -> TemperatureScaled:
    """A copy of the network with its logits divided by the temperature that makes the labels of these rows likeliest.

    Its attribute ``calibration`` (`TemperatureFit`) prints the temperature, the negative log-likelihood before and
    after, and the number of rows. A network that was scaled before gets another temperature in place of the first. All
    rows count alike, whatever their sample weights.

    Args:
        model: a network of classes, Bayesian or not, or an ensemble.
        data: rows, as `correct` takes them: the training rows with ``validation`` beside them, or without it the rows
            to calibrate on. On rows that it has learned a network is too sure.
        feedback: what people said about rows of ``data``, and rules. Marked content is exchanged between the rows to
            calibrate on. None calibrates on rows as they are, which is right only where no cue is confounded.
        validation: rows to calibrate on, which were not learned and may hold the confounder. Those that no rule marks
            get other content where marked rows of ``data`` are marked: if a cue is elsewhere on each row, give rows on
            which it is marked as ``data`` instead.
        samples: how many networks are drawn of a distribution; the mean of their probabilities is calibrated. None for
            the network at the means of its weights: calibrate what you will ask `predictive` for.
        num_exchanges: how often the content of all rows is exchanged.
        seed: settles the exchanges, by the positions of the rows, and the samples.

    Raises:
        DataError: a network that is right, or guesses, on all rows, so that no temperature is best; other data.
        FeedbackError: feedback that does not fit, or marks nothing that differs between the rows.
        RecipeError: ``samples``, ``num_exchanges`` or a ``seed`` that is no such number.
        UnsupportedModelError: a task other than "classes", or samples of a model that draws nothing.
    """
    times, seed = whole_number("num_exchanges", num_exchanges, 1), whole_number("seed", seed)
    samples = None if samples is None else whole_number("samples", samples, 1)
    given = network_of(model)
    rows = calibration_rows(data, feedback, validation)
    _require_plain_classes(rows)
    require_columns(given, columns_of(rows.dataset))
    with torch.inference_mode(False):
        network = copied(_unscaled(given))
        require_fit(network, rows.dataset)
        logits = exchanged_logits(network, rows, num_exchanges=times, samples=samples, seed=seed)
        times = logits.shape[1] // len(rows.index)
        y = rows.y.repeat(times)
        temperature = best_temperature(logits, y, num_exchanges=times)
        scaled = TemperatureScaled(network, temperature)
    scaled.training = network.training  # Its layers keep theirs.
    remember_columns(scaled, columns_of(rows.dataset))
    scaled.__dict__ |= {name: vars(network)[name] for name in _still_true(len(logits)) if name in vars(network)}
    before, after = (negative_log_likelihood(logits, y, t) for t in (1.0, temperature))
    scaled.calibration = TemperatureFit(temperature, before, after, len(rows.index), times if rows.is_exchanged else 0)
    return scaled


def _unscaled(network: nn.Module) -> nn.Module:
    while isinstance(network, TemperatureScaled):
        network = network.network
    return network


def _still_true(num_passes: int) -> tuple[str, ...]:
    """The records of a network that are true of it with its logits divided, not those of its loss or calibration."""
    # The mean over passes may be largest for another class than before.
    return ("limited", "verdict") if num_passes == 1 else ("limited",)


def negative_log_likelihood(
    logits: Float[Tensor, " pass row num_classes"], y: Int[Tensor, " row"], temperature: float
) -> float:
    """The mean over rows of minus the logarithm of the label's probability, the mean over the passes, in nats."""
    log_probs = log_softmax(logits / temperature, dim=2).logsumexp(dim=0) - math.log(len(logits))
    return -float(log_probs.gather(1, y[:, None]).mean())


def best_temperature(
    logits: Float[Tensor, " pass row num_classes"], y: Int[Tensor, " row"], *, num_exchanges: int = 1
) -> float:
    """The temperature with the least negative log-likelihood.

    Args:
        num_exchanges: how often each row is there.

    Raises:
        DataError: none from 0.01 to 100 is best.
    """
    from scipy.optimize import minimize_scalar  # Here, because not every command needs it.

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, y, math.exp(log_temperature))

    tried = torch.linspace(math.log(LEAST), math.log(MOST), NUM_TRIED, dtype=torch.float64).tolist()
    losses = [loss(value) for value in tried]
    place = min(range(NUM_TRIED), key=losses.__getitem__)
    around = tried[max(0, place - 1)], tried[min(place + 1, NUM_TRIED - 1)]
    found = minimize_scalar(loss, bounds=around, method="bounded", options={"xatol": 1e-7})
    least, best = min((losses[place], tried[place]), (loss(0.0), 0.0), (float(found.fun), float(found.x)))
    if best in (tried[0], tried[-1]) or not least < math.log(logits.shape[2]) - SAME:
        raise DataError(_why_none(logits, y, least, best == tried[0], plural(len(y) // num_exchanges, "row")))
    return math.exp(best)


def _why_none(logits: Tensor, y: Tensor, least: float, is_lowest: bool, rows: str) -> str:
    """Why no temperature is best: by how many rows are right, and whether labels have larger logits than the rest."""
    lead = (logits.gather(2, y.expand(len(logits), -1)[..., None])[..., 0] - logits.mean(dim=2)).mean()
    none = f"so that no temperature from {LEAST} to {MOST:g} is best; give more rows that it has not learned"
    if math.isinf(least):
        return f"the network gives labels a probability of 0 ({rows}), {none}"
    if not lead > SAME * logits.abs().mean():
        return f"the network predicts no better than by chance ({rows}), {none}"
    if is_lowest and bool((log_softmax(logits, dim=2).logsumexp(dim=0).argmax(dim=1) == y).all()):
        return f"the network predicts every row right ({rows}), {none}"
    size, remedy = ("small", f"below {LEAST}") if is_lowest else ("large", f"above {MOST:g}")
    return (
        f"the network's logits are so {size} ({rows}) that a temperature {remedy} would be likelier; expected one "
        f"from {LEAST} to {MOST:g}: {'multiply' if is_lowest else 'divide'} the logits first"
    )


def _require_plain_classes(rows: CalibrationRows) -> None:
    if (name := task_of(rows.dataset).name) != "classes":
        raise UnsupportedModelError(f"the task is {name!r}; a temperature divides logits of classes")
