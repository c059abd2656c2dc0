from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import corrigible
from corrigible.errors import CorrigibleError, UnsupportedModelError
from corrigible.outputs import as_outputs, rows_of_outputs

X = torch.randn(8, 3, generator=torch.Generator().manual_seed(3))
DATA = (X, (X[:, 1] > 0).long())
RULE = [corrigible.Feedback(np.array([True, False, False]), scope="dataset")]
SCORES = torch.ones(8, 2)


@dataclass
class Output:
    logits: Tensor
    hidden: object = None


@dataclass
class Heads:
    first: Tensor
    second: Tensor


class Auxiliary(NamedTuple):
    logits: Tensor
    aux_logits: Tensor


@pytest.mark.parametrize(
    "output",
    [Output(SCORES), {"loss": None, "logits": SCORES}, Auxiliary(SCORES, SCORES * 2)],
    ids=["dataclass", "dict", "named tuple"],
)
def test_the_part_named_logits_is_used(output):
    assert as_outputs(output) is SCORES


@pytest.mark.parametrize(
    ("output", "words"),
    [
        (OrderedDict(out=SCORES, aux=SCORES), r"of 'out', 'aux'.*self\[0\]\(x\)\['out'\]"),
        (Heads(SCORES, SCORES), r"of 'first', 'second'.*self\[0\]\(x\)\.first"),
        ((SCORES, SCORES), r"a tuple of 2.*self\[0\]\(x\)\[0\]"),
        (None, "a NoneType; expected scores as one tensor"),
        ("scores", "a str; expected scores as one tensor"),
        (SCORES.argmax(1), "int64.*argmax.*logits"),
        (SCORES > 0, "bool.*logits"),
        (SCORES.to(torch.complex64), "complex.*view_as_real"),
        (SCORES.to_sparse(), "sparse.*to_dense"),
        (SCORES.sum(), r"shape \(\); expected"),
        (SCORES[:, :, None], "with places"),
    ],
)
def test_other_outputs_are_refused_in_one_line(output, words):
    with pytest.raises(UnsupportedModelError, match=words) as refused:
        as_outputs(output)
    assert "\n" not in str(refused.value)


def test_the_example_of_a_wrapper_works():
    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 2)

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.layer(x), x

    with pytest.raises(UnsupportedModelError) as refused:
        corrigible.explain(Both(), X, 1)
    example = str(refused.value).split("one tensor: ")[1].split("; then pass")[0]
    named: dict = {"torch": torch}
    exec(example, named)
    both = Both()
    wrapped = named["Scores"](both)
    assert torch.equal(corrigible.explain(wrapped, X, 1), corrigible.explain(both.layer, X, 1))
    assert corrigible.correct(wrapped, DATA, RULE, epochs=1)(X).shape == (8, 2)


class Pooled(nn.Module):
    """Gives one row for all rows."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x).mean(dim=0, keepdim=True)


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion", "kernel_shap"])
def test_one_row_for_many_is_refused(method):
    for model in (Pooled(), lambda x: x[:1]):
        with pytest.raises(CorrigibleError, match="one for each"):
            corrigible.explain(model, X, method=method)
    with pytest.raises(UnsupportedModelError, match="1 row of outputs for 8 rows of x"):
        rows_of_outputs(SCORES[:1], 8)


def test_one_row_for_many_is_neither_measured_nor_trained():
    with pytest.raises(CorrigibleError, match="one for each"):
        corrigible.evaluate(Pooled(), DATA)
    with pytest.raises(CorrigibleError, match="one for each"):
        corrigible.correct(Pooled(), DATA, RULE)


def test_a_model_that_gives_no_number_is_refused():
    with pytest.raises(UnsupportedModelError, match=r"expected at least one for each row"):
        as_outputs(torch.zeros(3, 0))
