"""The task of a study's rows: chosen in the recipe or by the source, with the facts of the training labels."""

from typing import Any

import pandas as pd
import pytest
import torch

from corrigible.data.dataset import TensorData, all_labels, rows_of, task_of
from corrigible.data.labelling import labelled_as, require_ordered
from corrigible.errors import DataError, RecipeError

AMOUNTS = {"name": "amounts", "unit": "€"}


class OnDemand:
    """Rows of amounts that are made when they are asked for."""

    def __len__(self) -> int:
        return 4

    def __getitem__(self, row: int) -> tuple[Any, ...]:
        return torch.full((2,), float(row)), 1.5 * row


def tensors(split: str) -> tuple[torch.Tensor, torch.Tensor]:
    scale = {"train": 1.0, "test": 10.0}[split]
    return torch.zeros(4, 2), scale * torch.tensor([0.5, 1.0, 2.0, 4.0])


def test_the_training_labels_define_the_task_of_every_split() -> None:
    train, test = (labelled_as(tensors, split, AMOUNTS) for split in ("train", "test"))
    assert task_of(test).start == task_of(train).start
    assert all_labels(test).tolist() == [5.0, 10.0, 20.0, 40.0]


def test_rows_that_bring_a_task_keep_it_and_the_facts_of_their_training_rows() -> None:
    def load(split: str) -> TensorData:
        return TensorData(*tensors(split), task="amounts")

    for chosen in (None, {"name": "amounts"}):
        assert task_of(labelled_as(load, "test", chosen)).start == task_of(load("train")).start
    for contradiction in (AMOUNTS, {"name": "counts"}, {"name": "classes"}):
        with pytest.raises(RecipeError, match="have the task 'amounts' already"):
            labelled_as(load, "test", contradiction)


def test_rows_on_demand_and_frames_are_read_by_the_chosen_task() -> None:
    found = labelled_as(lambda split: OnDemand(), "test", AMOUNTS)
    assert rows_of(found, torch.tensor([2])).y.tolist() == [3.0]
    frame = pd.DataFrame({"a": [0.5, 1.0], "b": [1.0, 2.0]})
    table = labelled_as(lambda split: (frame, pd.Series([0.5, 2.5])), "train", AMOUNTS)
    assert rows_of(table, torch.tensor([1])).y.tolist() == [2.5]
    assert rows_of(table, torch.tensor([1])).columns is not None


def test_classes_are_read_as_ever_and_amounts_without_a_task_are_refused() -> None:
    found = labelled_as(lambda split: (torch.zeros(3, 1), torch.tensor([0, 1, 1])), "test", None)
    assert task_of(found).name == "classes" and all_labels(found).tolist() == [0, 1, 1]
    with pytest.raises(DataError, match="split 'test': y holds 0.5"):
        labelled_as(lambda split: (torch.zeros(2, 1), torch.tensor([0.5, 1.0])), "test", None)


def test_the_order_of_classes_follows_from_numbers_alone() -> None:
    require_ordered(["0", "1", "2"])
    require_ordered(["1 mild", "2 severe", "10 fatal"])
    for names in (["mild", "severe"], ["10 fatal", "2 severe"]):
        with pytest.raises(DataError, match="order does not follow"):
            require_ordered(names)
