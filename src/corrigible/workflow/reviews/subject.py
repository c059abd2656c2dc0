"""What is looked at: a model, its data by split, and how predictions are explained and said in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor, nn

from corrigible.data.dataset import TensorData, rows_of, shape_of, task_of
from corrigible.data.protocol import Dataset, class_named, class_names_of, columns_of, files_of, tokens_of
from corrigible.data.shown_names import in_words
from corrigible.errors import StudyError
from corrigible.explanations.explaining import EXPLAINERS, explain
from corrigible.explanations.words import by_token, settings_for_texts
from corrigible.recipe import load_data
from corrigible.study import Run, Study
from corrigible.types import Task
from corrigible.workflow.backgrounds import with_background
from corrigible.workflow.covered_patches import covering
from corrigible.workflow.forgotten import forgotten_in
from corrigible.workflow.making import load_model
from corrigible.workflow.reviews.items import THINGS
from corrigible.workflow.row_texts import certainty_texts, label_texts, outputs_of, prediction_texts

COVERED = "occlusion"
METHODS = {
    "image": (COVERED, "integrated_gradients", "input_gradient", "grad_cam"),
    "table": ("integrated_gradients", "feature_ablation", "kernel_shap"),
    "text": ("integrated_gradients", "feature_ablation", "lime"),
}
"""The explainers that a reviewer can choose between, by kind of data, beside the recipe's own."""
MOST_SAMPLED = 10_000
"""Training rows from which it is learned what is usual of a table's features."""
TITLES = {
    COVERED: "Covered patches",
    "feature_ablation": "Left out one by one",
    "input_gradient": "Sensitivity",
    "integrated_gradients": "Integrated gradients",
    "grad_cam": "Grad-CAM",
    "kernel_shap": "Kernel SHAP",
    "lime": "LIME",
}


@dataclass(frozen=True)
class Subject:
    """A model and the rows that it is reviewed on."""

    model: nn.Module
    data: Mapping[str, Dataset]
    """By split, the training rows first."""
    method: str
    """The explainer that is used unless another is chosen."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those of the recipe's explainer."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The words for columns, categories and classes, in place of their names."""
    seed: int = 0
    run: str = ""
    label: str = ""
    forgotten: frozenset[int] = frozenset()
    """Positions of rows of the first split that the study has forgotten."""
    is_corrected: bool = False
    """Whether the model is of a correction, which learned from more than the labels."""
    kept: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)
    """What was found out about the data, by name."""

    @cached_property
    def first(self) -> Dataset:
        """The rows of the first split."""
        return next(iter(self.data.values()))

    @cached_property
    def kind(self) -> str:
        """image, table or text."""
        if tokens_of(self.first) is not None:
            return "text"
        return "image" if columns_of(self.first) is None and len(self.shape) == 3 else "table"

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """That of one input."""
        return shape_of(self.first)

    @cached_property
    def task(self) -> Task:
        return task_of(self.first)

    @cached_property
    def places_learned(self) -> Tensor:
        """Positions of the rows of the first split that are not forgotten."""
        return torch.tensor([row for row in range(len(self.first)) if row not in self.forgotten])

    @cached_property
    def learned(self) -> Dataset:
        """The rows of the first split that are not forgotten."""
        return rows_of(self.first, self.places_learned) if self.forgotten else self.first

    @cached_property
    def sample(self) -> Tensor:
        """Inputs of rows spread over those not forgotten, flattened, from which it is learned what is usual."""
        places = self.places_learned
        index = torch.linspace(0, len(places) - 1, min(len(places), MOST_SAMPLED)).round().long().unique()
        return rows_of(self.first, places[index]).x.flatten(1)

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """The names of classes in words; their numbers where they have none."""
        if self.task.logits is None:
            return ()
        names = class_names_of(self.first)
        count = max(len(names), int(outputs_of(self.model, self.rows(next(iter(self.data)), [0])).shape[1]), 2)
        return tuple(in_words(class_named(label, names), self.labels) for label in range(count))

    @cached_property
    def methods(self) -> list[dict[str, str]]:
        """Name and title of each explainer that can be chosen, the usual one first."""
        names = dict.fromkeys((self.method, *METHODS[self.kind]))
        return [{"name": name, "title": TITLES.get(name, name.replace("_", " "))} for name in names]

    def rows(self, split: str, index: Sequence[int]) -> TensorData:
        """These rows, in memory."""
        return rows_of(self.data[split], torch.tensor(list(index)))

    def name(self, split: str, row: int) -> str:
        """The row by its file, or its number."""
        files = files_of(self.data[split])
        return files[row] if files else f"{THINGS[self.kind]} {row}"

    def in_words(self, name: str) -> str:
        """The words for a name of the data."""
        return in_words(name, self.labels)

    def said(self, split: str, rows: TensorData, index: Sequence[int]) -> list[dict[str, Any]]:
        """Label, prediction, certainty and whether it is right, of each of these rows."""
        outputs = outputs_of(self.model, rows)
        names = class_names_of(self.data[split])
        labels = label_texts(self.data[split], torch.tensor(list(index)))
        predicted, sure = (
            prediction_texts(outputs, rows, names),
            certainty_texts(outputs, rows, torch.arange(len(rows))),
        )
        return [
            {
                "label": self.in_words(label),
                "prediction": self.in_words(found),
                "certainty": certainty,
                "is_right": label == found if self.task.logits is not None else None,
            }
            for label, found, certainty in zip(labels, predicted, sure, strict=True)
        ]

    def pair(self, rows: TensorData) -> tuple[Tensor | None, Tensor | None]:
        """What is explained of one row, and what against: the predicted class, and its label or else the runner-up.

        Both are None where the labels are no classes.
        """
        if self.task.name != "classes":
            return None, None
        outputs = self.task.observed(outputs_of(self.model, rows))["probs"]
        order = outputs.argsort(dim=1, descending=True, stable=True)
        first, label = order[:, 0], rows.y.cpu()
        return first, torch.where(label == first, order[:, 1], label)

    def attribution(self, rows: TensorData, method: str) -> Tensor:
        """The attribution of these rows in the shape of x; of texts one number per word.

        Raises:
            CorrigibleError: the method does not fit the model or the data.
        """
        first, other = self.pair(rows)
        settings = dict(self.settings) if method == self.method else {}
        if method == COVERED and self.kind == "image":
            settings = {**covering(rows.x), **settings}
        if self.kind == "text":
            settings = settings_for_texts(method, settings)
        asked: dict[str, Any] = {"target": first, "against": other, "task": self.task, "columns": rows.columns}
        found = explain(self.model, rows.x, method=method, seed=self.seed, **asked, **settings).detach().cpu()
        return by_token(found) if self.kind == "text" else found

    def known_method(self, method: str) -> str:
        """The method of that name; the usual one for none or an unknown one."""
        names = {found["name"] for found in self.methods}
        return method if method in names and (method in EXPLAINERS or method == self.method) else self.method


def seen_by(subject: Subject, study: Study, run: Run) -> Subject:
    """The same rows, looked at with the model of another run.

    Raises:
        CorrigibleError: the run has no model, or one of other data.
    """
    about: dict[str, Any] = {"run": run.name, "label": run.label, "is_corrected": run.verb == "correct"}
    return replace(subject, model=load_model(run, study.recipe), **about)


def subject_of(study: Study, run: Run) -> Subject:
    """The run's model, with the study's training rows, those that are watched and those that are measured.

    Raises:
        CorrigibleError: the run has no model, or the data cannot be loaded.
    """
    recipe = with_background(study)
    splits = dict.fromkeys(split for split in ("train", recipe.validation_split, recipe.evaluate.split) if split)
    data = {split: load_data(recipe, study.folder, split) for split in splits}
    model = load_model(run, recipe)
    is_image = columns_of(data["train"]) is None and tokens_of(data["train"]) is None
    # As in a report: what a patch does is what people who do not program understand.
    method, settings = (COVERED, {}) if is_image else (recipe.explain.method, recipe.explain.settings)
    about: dict[str, Any] = {"labels": recipe.labels, "seed": recipe.seed, "run": run.name, "label": run.label}
    about["is_corrected"] = run.verb == "correct"
    about["forgotten"] = frozenset(forgotten_in(study, data["train"]).tolist())
    subject = Subject(model, data, method, settings, **about)
    if subject.kind == "table" and columns_of(subject.first) is None:
        raise StudyError("the columns of the data have no names, by which they are marked; name them in its columns")
    return subject
