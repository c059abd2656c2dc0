"""Labels and predictions of single rows, written for people to read, and tables of both over many rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from corrigible.data.dataset import all_labels, rows_of, task_of
from corrigible.data.protocol import Dataset, class_named, class_names_of, extra_of
from corrigible.data.table import OF_CLASSES
from corrigible.explanations.scores import score_in_words
from corrigible.figures import percent
from corrigible.models.batch_size import rows_that_fit
from corrigible.models.modes import evaluating, like_parameters
from corrigible.models.predictive import predictive
from corrigible.progress import counted
from corrigible.recipe import Recipe
from corrigible.types import Task
from corrigible.workflow.explained_rows import score_of

MOST_PARTS, LEAST_ROWS = 10, 20
"""Most parts that the rows are divided into, and least rows of a part."""
NEARLY = 0.999
"""No probability above this is written as a number, lest 100 % be read."""
NUM_LABELS = 40
"""Most labels of a table of several labels."""


def outputs_of(model: nn.Module, data: Dataset) -> Float[Tensor, " row output"]:
    """The model's outputs for every row, in float64 on the CPU."""
    task = task_of(data)
    with evaluating(model), torch.no_grad():
        size = rows_that_fit(model, like_parameters(rows_of(data, torch.tensor([0])).x, model))
        parts = [
            # A copy: a model that works in place would change x.
            predictive(model, like_parameters(rows_of(data, index).x.clone(), model), task=task).outputs.cpu().double()
            for index in counted("predictions: part of the rows", torch.arange(len(data)).split(size))
        ]
    return torch.cat(parts)


def label_texts(data: Dataset, index: Int[Tensor, " row"]) -> list[str]:
    """The label of each of these rows, with its unit or by its name."""
    rows, task, names = rows_of(data, index), task_of(data), class_names_of(data)
    if task.name in OF_CLASSES:
        return [class_named(label, names) for label in rows.y.tolist()]
    if task.name == "several_labels":
        return [_present(row, names) for row in rows.y.tolist()]
    return [task.written(label) for label in rows.y.tolist()]


def predicted_texts(
    outputs: Float[Tensor, " every_row output"], data: Dataset, index: Int[Tensor, " row"]
) -> list[str]:
    """The prediction for each of these rows in the form of its label; counts and amounts are for the row's exposure."""
    return prediction_texts(outputs[index], rows_of(data, index), class_names_of(data))


def prediction_texts(outputs: Float[Tensor, " row output"], rows: Dataset, names: Sequence[str]) -> list[str]:
    """The same for rows that are at hand; ``names`` are those of the classes, or of several labels."""
    task = task_of(rows)
    observed = task.observed(outputs)
    predicted = observed["predicted"]
    if task.name in OF_CLASSES:
        return [class_named(label, names) for label in predicted.tolist()]
    if task.name == "several_labels":
        return [_present(row, names) for row in predicted.tolist()]
    found = [task.written(value) for value in (predicted * _exposure(rows, task)).tolist()]
    if "sd" in observed:
        return [f"{text} ± {task.written(sd)}" for text, sd in zip(found, observed["sd"].tolist(), strict=True)]
    if "quantiles" in observed and observed["quantiles"].shape[1] > 1:
        ends = zip(observed["quantiles"][:, 0].tolist(), observed["quantiles"][:, -1].tolist(), strict=True)
        spans = [f"{task.written(low)} to {task.written(high)}" for low, high in ends]
        return [f"{text} ({span})" for text, span in zip(found, spans, strict=True)]
    return found


def certainty_texts(
    outputs: Float[Tensor, " every_row output"], data: Dataset, index: Int[Tensor, " row"]
) -> list[str]:
    """The probability of what is predicted for each of these rows; empty texts where the task has none."""
    task = task_of(data)
    if task.name not in OF_CLASSES:
        return [""] * len(index)
    found = task.observed(outputs[index])
    chosen = found["probs"].gather(1, found["predicted"][:, None])[:, 0]
    return [f"over {percent(NEARLY)}" if share > NEARLY else percent(share) for share in chosen.tolist()]


def error_texts(outputs: Float[Tensor, " every_row output"], data: Dataset, index: Int[Tensor, " row"]) -> list[str]:
    """How far each prediction is from its label, in the unit of the labels; empty texts where labels are no numbers."""
    task = task_of(data)
    if task.name in (*OF_CLASSES, "several_labels", "ranking"):
        return [""] * len(index)
    rows = rows_of(data, index)
    predicted = task.observed(outputs[index])["predicted"].double() * _exposure(rows, task)
    return [task.written(error) for error in (predicted - rows.y.cpu().double()).abs().tolist()]


def explained_texts(
    recipe: Recipe, models: Mapping[int, nn.Module], data: Dataset, index: Int[Tensor, " row"]
) -> dict[str, Any]:
    """What is explained, and what each of the models predicts of these rows, by the model's number."""
    rows, names = rows_of(data, index), class_names_of(data)
    outputs = {place: outputs_of(model, rows) for place, model in models.items()}
    predicted = {str(place): prediction_texts(found, rows, names) for place, found in outputs.items()}
    sure = {str(place): certainty_texts(found, rows, torch.arange(len(rows))) for place, found in outputs.items()}
    score = score_of(recipe, task_of(data))
    return {
        "explained_predictions": predicted,
        "explained_certainties": sure,
        "explained_score": "" if score is None else score_in_words(score),
    }


def errors_table(outputs: Float[Tensor, " row output"], data: Dataset) -> dict[str, Any] | None:
    """A table of predictions against labels, as "header" and "rows" of text; None for classes, which have a matrix."""
    task = task_of(data)
    if task.name in OF_CLASSES:
        return None
    y = all_labels(data).double()
    if task.name == "several_labels":
        rows = list(_by_label(task.observed(outputs)["predicted"], y, class_names_of(data)))
        return {"header": ["Label", "Rows with it", "Predicted", "Right"], "rows": rows}
    observed, exposure = task.observed(outputs), _exposure(data, task)
    predicted = observed["predicted"].double()
    order = predicted.argsort(stable=True)
    parts = order.tensor_split(min(MOST_PARTS, max(1, len(order) // LEAST_ROWS)))
    if "quantiles" in observed:
        levels = observed["levels"][0].tolist()
        header = ["Rows", "Mean prediction", *(f"Labels below the {100 * level:g} % quantile" for level in levels)]
        below = (y[:, None] <= observed["quantiles"]).double()
        cells = [[percent(share) for share in below[part].mean(dim=0).tolist()] for part in parts]
        means = [task.written(float(predicted[part].mean())) for part in parts]
        rows = [[f"{len(part):,}", mean, *shares] for part, mean, shares in zip(parts, means, cells, strict=True)]
        return {"header": header, "rows": rows}
    is_rate = not bool((exposure == 1).all())
    header = [
        "Rows",
        *(("Predicted per exposure", "Actual per exposure") if is_rate else ("Mean prediction", "Mean label")),
    ]
    rows = [
        [f"{len(part):,}", *(_mean(values[part], exposure[part], task) for values in (predicted * exposure, y))]
        for part in parts
    ]
    if task.name == "ranking":
        return {"header": header, "rows": rows}
    errors = [task.written(float((predicted * exposure - y)[part].abs().mean())) for part in parts]
    return {
        "header": [*header, "Mean absolute error"],
        "rows": [[*row, error] for row, error in zip(rows, errors, strict=True)],
    }


def _mean(values: Tensor, exposure: Tensor, task: Task) -> str:
    """The sum of the values per unit of exposure: their mean if every exposure is 1."""
    return task.written(float(values.sum() / exposure.sum()))


def _by_label(predicted: Tensor, y: Tensor, names: Sequence[str]) -> Iterator[list[str]]:
    for label in range(min(y.shape[1], NUM_LABELS)):
        with_it, said = y[:, label] > 0, predicted[:, label] > 0
        right = percent(float((with_it == said).double().mean()))
        yield [class_named(label, names), f"{int(with_it.sum()):,}", f"{int(said.sum()):,}", right]


def _present(row: Sequence[float | int], names: Sequence[str]) -> str:
    return ", ".join(class_named(label, names) for label, is_there in enumerate(row) if is_there) or "none"


def _exposure(rows: Dataset, task: Task) -> Tensor:
    """The exposure by which the predicted mean is multiplied; 1 if there is none or the task has no use for it."""
    found = extra_of(rows).get("exposure")
    if found is None or "exposure" not in task.extra:
        return torch.ones(len(rows), dtype=torch.float64)
    return found.cpu().double()
