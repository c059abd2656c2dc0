"""Guo et al. 2017, on calibration of modern neural networks: divide the logits by a temperature (section 4.2).

It is fitted on rows with marked content exchanged: on rows that hold a confounder the corrected network is right less
often than the fooled one, and than it is where the confounder says nothing.
"""

import math
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import log_softmax

from corrigible.arguments import whole_number
from corrigible.data.dataset import task_of
from corrigible.data.protocol import columns_of
from corrigible.data.trained_columns import remember_columns
from corrigible.errors import DataError, UnsupportedModelError
from corrigible.models.networks import copied, network_of
from corrigible.models.temperature import TemperatureFit, TemperatureScaled
from corrigible.printable import plural
from corrigible.protocols.calibrating.exchanged_rows import CalibrationRows, calibration_rows, exchanged_logits
from corrigible.protocols.schedule import require_fit

RECORDS = ("verdict", "enforced")
LEAST, MOST = 0.01, 100.0
"""Temperatures that are looked at."""


def temperature_scaled(
    model: nn.Module,
    data: Any,
    feedback: Any = None,
    *,
    validation: Any = None,
    samples: int | None = None,
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
        seed: settles the exchanges and the samples.

    Raises:
        DataError: a network that is right, or guesses, on all rows, so that no temperature is best; other data.
        FeedbackError: feedback that does not fit, or marks nothing that differs between the rows.
        UnsupportedModelError: a task other than "classes", or samples of a model that draws nothing.
    """
    times, seed = whole_number("num_exchanges", num_exchanges, 1), whole_number("seed", seed)
    network = network_of(model)
    network = copied(network.network if isinstance(network, TemperatureScaled) else network)
    rows = calibration_rows(data, feedback, validation)
    _require_plain_classes(rows)
    require_fit(network, rows.dataset)
    logits = exchanged_logits(network, rows, num_exchanges=times, samples=samples, seed=seed)
    y = rows.y.repeat(logits.shape[1] // len(rows.index))
    temperature = best_temperature(logits, y)
    scaled = TemperatureScaled(network, temperature).train(network.training)
    remember_columns(scaled, columns_of(rows.dataset))
    # What a correction said of the network is true of the scaled one, which predicts the same.
    scaled.__dict__ |= {name: network.__dict__[name] for name in RECORDS if name in network.__dict__}
    before, after = (negative_log_likelihood(logits, y, t) for t in (1.0, temperature))
    scaled.calibration = TemperatureFit(temperature, before, after, len(rows.index), times if rows.is_exchanged else 0)
    return scaled


def negative_log_likelihood(
    logits: Float[Tensor, " pass row num_classes"], y: Int[Tensor, " row"], temperature: float
) -> float:
    """The mean over rows of minus the logarithm of the label's probability, the mean over the passes, in nats."""
    log_probs = log_softmax(logits / temperature, dim=2).logsumexp(dim=0) - math.log(len(logits))
    return -float(log_probs.gather(1, y[:, None]).mean())


def best_temperature(logits: Float[Tensor, " pass row num_classes"], y: Int[Tensor, " row"]) -> float:
    """The temperature with the least negative log-likelihood.

    Raises:
        DataError: it would fall for ever as the temperature goes to 0, or to infinity.
    """
    from scipy.optimize import minimize_scalar  # Here, because not every command needs it.

    ends = math.log(LEAST), math.log(MOST)

    def loss(log_temperature: float) -> float:
        return negative_log_likelihood(logits, y, math.exp(log_temperature))

    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-7})
    for end, what in zip(ends, ("predicts every row right", "predicts no better than by chance"), strict=True):
        if loss(end) <= found.fun:
            raise DataError(
                f"the network {what} ({plural(len(y), 'row')}), so that no temperature from {LEAST} to {MOST:g} is "
                "best; give more rows that it has not learned"
            )
    return math.exp(float(found.x))


def _require_plain_classes(rows: CalibrationRows) -> None:
    if (name := task_of(rows.dataset).name) != "classes":
        raise UnsupportedModelError(f"the task is {name!r}; a temperature divides logits of classes")
