"""Hinton, Vinyals and Dean 2015, Distilling the knowledge in a neural network, from a teacher of any kind."""

import logging
from typing import Any

from torch import nn

from corrigible.arguments import whole_number
from corrigible.data.dataset import as_dataset, labelled, task_of
from corrigible.data.protocol import Dataset, extra_of
from corrigible.figures import percent
from corrigible.progress import shown
from corrigible.protocols.fresh_training import network_for
from corrigible.protocols.schedule import Schedule, run
from corrigible.protocols.teacher import network_says, said_by, with_teacher

log = logging.getLogger(__name__)

ADVICE = "train it for more epochs, or encode the table so that its columns have one scale"
LEAST_AGREEMENT = 0.9
"""The share of training rows on which student and teacher should agree; below it a warning is logged."""


def distil(
    teacher: Any,
    data: Any,
    *,
    model: nn.Module | str,
    rows: Any = None,
    temperature: float = 2.0,
    share: float = 0.9,
    epochs: int = 24,
    batch_size: int | None = None,
    learning_rate: float = 1e-3,
    seed: Any = 0,
    progress: bool | None = None,
) -> nn.Module:
    """A network that was trained to predict what the teacher predicts, on the rows of the data set.

    The teacher may be a boosted tree or a service that no gradient passes; the student is a network that can be
    explained and corrected. How often both agree is logged; measure it on rows that were not trained on. The loss is
    `soft_targets`. For a table, ``TabularClassifier().fit(X, y, teacher=…)`` also encodes the columns and says when to
    stop.

    Args:
        teacher: a network with the data set's outputs; a model with scikit-learn's ``predict_proba``, or ``predict``
            where labels are not classes; or a function of rows. A function gives probabilities, (row, class) or of
            class 1, or predictions.
        data: as `correct` takes it.
        model: the student: a network, which is copied, or the name of one in ``MODELS``.
        rows: what a teacher that is no network is given, such as the frame that ``data`` was encoded from; None for the
            inputs as a NumPy array.
        temperature, share: as in `soft_targets`.
        batch_size: rows per step; None as in `correct`.
        progress: as in `train`.

    Raises:
        UnsupportedModelError: no teacher, outputs of it that are no probabilities or do not fit, or a student that does
            not fit the data.
        RecipeError: an unknown name, or a number out of range.
        DataError: data with one class only, NaN or infinite inputs.
        TrainingDivergedError: the loss became NaN or infinite.
    """
    dataset, seed = labelled(as_dataset(data)), whole_number("seed", seed)
    loss = {"name": "soft_targets", "temperature": temperature, "share": share}
    schedule = Schedule(epochs=epochs, batch_size=batch_size, learning_rate=learning_rate, loss=loss)
    student = network_for(model, dataset, seed)
    num_classes = network_says(student, dataset, 1).shape[-1]
    taught = with_teacher(dataset, said_by(teacher, dataset, rows=rows, num_classes=num_classes))
    with shown(progress):
        for _ in run(student, taught, schedule, seed=seed):
            pass
    tell_agreement(student, taught, advice=ADVICE)
    return student


def tell_agreement(student: nn.Module, taught: Dataset, *, advice: str) -> None:
    """Log on which share of the rows student and teacher name the same class; a warning with advice if it is low.

    Nothing is said of rows without a teacher or without classes.
    """
    if task_of(taught).logits is None or "teacher" not in extra_of(taught):
        return
    same = network_says(student, taught).argmax(dim=1) == extra_of(taught)["teacher"].argmax(dim=1)
    agreeing = float(same.double().mean())
    told = f"the student agrees with the teacher on {percent(agreeing)} of the training rows"
    if agreeing < LEAST_AGREEMENT:
        log.warning(f"{told}; {advice}")
    else:
        log.info(told)
