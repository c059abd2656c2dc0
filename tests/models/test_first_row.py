import numpy as np
import pytest
import torch
from torch import Tensor, nn

import corrigible
from corrigible.errors import UnsupportedModelError

X = torch.randn(12, 4, generator=torch.Generator().manual_seed(3))
DATA = (X, (X[:, 1] > 0).long())
RULE = [corrigible.Feedback(np.array([True, False, False, False]), scope="dataset")]


class Inside(nn.Module):
    """A network that lowers the precision inside of its forward."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return self.inner(x).float()


@pytest.mark.parametrize(
    ("model", "dtype"),
    [(nn.Linear(4, 2).half(), "float16"), (nn.Linear(4, 2).bfloat16(), "bfloat16"), (Inside(), "bfloat16")],
    ids=["float16", "bfloat16", "autocast"],
)
def test_half_precision_is_measured_but_neither_explained_nor_trained(model, dtype):
    (accuracy,) = corrigible.evaluate(model, DATA, metrics=["accuracy"], num_resamples=0)
    outputs = model(X.to(next(model.parameters()).dtype))
    assert accuracy.value == pytest.approx((outputs.argmax(1) == DATA[1]).float().mean().item())
    for method in ("integrated_gradients", "deep_lift", "occlusion", "kernel_shap"):
        with pytest.raises(UnsupportedModelError, match=rf"\({dtype}\).*float32.*\.float\(\)"):
            corrigible.explain(model, X, 0, method=method)
    with pytest.raises(UnsupportedModelError, match=rf"\({dtype}\).*\.float\(\)"):
        corrigible.correct(model, DATA, RULE)


def test_rows_take_the_precision_of_the_network():
    single = nn.Linear(4, 2)
    of_single = corrigible.explain(single, X, 1)
    double = nn.Linear(4, 2).double()
    double.load_state_dict(single.state_dict())
    assert torch.allclose(corrigible.explain(double, X, 1).float(), of_single, atol=1e-6)
    assert torch.allclose(corrigible.explain(single, X.half(), 1), of_single, atol=0.01)
    assert torch.allclose(corrigible.explain(single, X.double(), 1).float(), of_single, atol=1e-6)


def test_autocast_around_a_call_changes_nothing():
    model = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2))
    plain = corrigible.explain(model, X, 1)
    trained = corrigible.correct(model, DATA, RULE, epochs=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(corrigible.explain(model, X, 1), plain)
        again = corrigible.correct(model, DATA, RULE, epochs=1)
    assert all(map(torch.equal, trained.parameters(), again.parameters()))


def test_half_precision_scores_of_a_function_are_brought_to_single():
    found = corrigible.explain(lambda x: x.half(), X, 1, method="feature_ablation")
    assert found.dtype == torch.float32
    assert torch.allclose(found[:, 1], X[:, 1], atol=1e-3)


class Words(nn.Module):
    """A network of token ids."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(9, 3)
        self.out = nn.Linear(12, 2)

    def forward(self, ids: Tensor) -> Tensor:
        return self.out(self.embed(ids).flatten(1))


def test_token_ids_are_refused_with_a_remedy_that_works():
    ids, model = torch.randint(9, (6, 4), generator=torch.Generator().manual_seed(0)), Words()
    for door in (
        lambda: corrigible.explain(model, ids, 0),
        lambda: corrigible.correct(model, (ids, DATA[1][:6]), RULE),
    ):
        with pytest.raises(UnsupportedModelError, match=r"layer 'embed' is an embedding.*set_submodule\('embed'"):
            door()
    outputs, start = model(ids), model.get_submodule("embed")(ids)
    model.set_submodule("embed", nn.Identity())
    found = corrigible.explain(model, start, 0, method="gradient_x_input")
    assert torch.allclose(found.sum(dim=(1, 2)), outputs[:, 0] - model.out.bias[0], atol=1e-5)
