import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import corrigible
from corrigible.errors import UnsupportedModelError

X = torch.randn(24, 4, generator=torch.Generator().manual_seed(3))
DATA = (X, (X[:, 1] > 0).long())
RULE = [corrigible.Feedback(np.array([True, False, False, False]), scope="dataset")]


class Saving(nn.Module):
    """A network that saves memory."""

    def __init__(self, *, use_reentrant: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.inside, self.use_reentrant = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)), use_reentrant

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.inside, x, use_reentrant=self.use_reentrant)


# PyTorch's own word for lost gradients, which nobody reads.
@pytest.mark.filterwarnings("ignore:None of the inputs have requires_grad")
def test_reentrant_checkpoints_are_neither_explained_by_gradient_nor_trained():
    model = Saving(use_reentrant=True)
    for door in (lambda: corrigible.explain(model, X, 1), lambda: corrigible.correct(model, DATA, RULE, epochs=1)):
        with pytest.raises(UnsupportedModelError, match="use_reentrant=False"):
            door()


def test_other_checkpoints_change_nothing():
    model = Saving(use_reentrant=False)
    assert torch.allclose(corrigible.explain(model, X, 1), corrigible.explain(model.inside, X, 1))
    corrected = [corrigible.correct(of, DATA, RULE, epochs=1) for of in (model, model.inside)]
    assert all(map(torch.allclose, *(found.parameters() for found in corrected)))
