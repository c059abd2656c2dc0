import copy
import threading

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

import corrigible
from corrigible.errors import NoGradientError, UnsupportedModelError
from corrigible.explanations.inputs import as_model
from corrigible.models.networks import copied, network_of, own_names, trainable_network
from corrigible.models.weights import load_weights, save_weights

X = torch.randn(24, 4, generator=torch.Generator().manual_seed(3))
DATA = (X, (X[:, 1] > 0).long())
RULE = [corrigible.Feedback(np.array([True, False, False, False]), scope="dataset")]


def network() -> nn.Sequential:
    torch.manual_seed(9)
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2))


class Compiled(nn.Module):
    """Holds the network under the name that torch.compile gives it, and must not run itself."""

    def __init__(self, inside: nn.Module) -> None:
        super().__init__()
        self._orig_mod = inside

    def forward(self, x: Tensor) -> Tensor:
        raise AssertionError("the wrapper ran")


WRAPPERS = {
    "compiled": Compiled,
    "parallel": nn.DataParallel,
    "averaged": AveragedModel,
    "nested": lambda inside: Compiled(nn.DataParallel(AveragedModel(inside))),
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
def test_a_wrapped_network_is_treated_as_the_network_inside(wrap, tmp_path):
    plain = network()
    wrapped = wrap(copy.deepcopy(plain))
    assert torch.equal(corrigible.explain(wrapped, X, 1), corrigible.explain(plain, X, 1))
    of_plain, of_wrapped = (
        corrigible.evaluate(model, DATA, metrics=["accuracy"], num_resamples=0)[0].value for model in (plain, wrapped)
    )
    assert of_plain == of_wrapped
    corrected = [
        corrigible.correct(model, DATA, RULE, penalties={"energy_outside": 1.0}, epochs=1) for model in (plain, wrapped)
    ]
    assert all(type(model) is nn.Sequential for model in corrected)
    assert all(map(torch.equal, *(model.parameters() for model in corrected)))
    assert list(own_names(wrapped)) == list(plain.state_dict())


def test_a_failed_correction_is_not_sealed_inside_a_wrapper(tmp_path):
    model = network()
    model.verdict = corrigible.Verdict.__new__(corrigible.Verdict)
    object.__setattr__(model.verdict, "outcome", "failed")
    object.__setattr__(model.verdict, "sentence", "Failed.")
    with pytest.raises(corrigible.CorrigibleError, match="anyway"):
        corrigible.seal(nn.DataParallel(model), tmp_path / "sealed")


def test_weights_have_the_networks_own_names_around_wrapped_parts(tmp_path):
    plain = nn.Sequential(network(), nn.Linear(2, 2))
    wrapped = nn.Sequential(nn.DataParallel(nn.Sequential(*network()[:2], Compiled(network()[2]))), nn.Linear(2, 2))
    assert list(own_names(wrapped)) == list(plain.state_dict())
    save_weights(plain, tmp_path / "weights.safetensors")
    load_weights(wrapped, tmp_path / "weights.safetensors")
    assert torch.equal(wrapped[0].module[2]._orig_mod.weight, plain[0][2].weight)


@pytest.mark.slow  # The first use of torch.compile loads its compiler.
def test_compiled_parts_run_uncompiled():
    def never(graph, inputs):
        raise AssertionError("compiled")

    plain, in_place = network(), network()
    in_place.compile(backend=never)
    of_plain = corrigible.explain(plain, X, 1)
    for compiled in (torch.compile(plain, backend=never), nn.Sequential(torch.compile(plain, backend=never)), in_place):
        assert torch.equal(corrigible.explain(compiled, X, 1), of_plain)
        assert corrigible.correct(compiled, DATA, RULE, penalties={"energy_outside": 1.0}, epochs=1)
    assert torch.equal(corrigible.explain(torch.compile(plain.forward, backend=never), X, 1), of_plain)


def with_lock() -> nn.Module:
    model = network()
    model.lock = threading.Lock()
    return model


def on_meta() -> nn.Module:
    with torch.device("meta"):
        return network()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Linear, "build it first"),
        (network().state_dict(), "load_state_dict"),
        ("model.pt", r"type str; expected a PyTorch network, a torch\.nn\.Module"),
        (LogisticRegression(), r"LogisticRegression from sklearn; expected a PyTorch network"),
        (lambda x: x, r"the function .*lambda.*; expected a PyTorch network"),
    ],
    ids=["a class", "weights", "a path", "an estimator", "a function"],
)
def test_what_is_no_network_is_refused_in_one_line(model, words):
    for door in (network_of, trainable_network):
        with pytest.raises(UnsupportedModelError, match=words) as refused:
            door(model)
        assert "\n" not in str(refused.value)


def test_estimators_are_explained_as_functions_of_their_rows():
    estimator = LogisticRegression().fit(X.numpy(), DATA[1].numpy())
    with pytest.raises(UnsupportedModelError, match="PyTorch network.*a function of x: lambda x:"):
        as_model(estimator)
    with pytest.raises(UnsupportedModelError, match="int64.*logits"):
        corrigible.explain(estimator.predict, X, method="occlusion")
    found = corrigible.explain(estimator.decision_function, X, method="feature_ablation")
    assert np.allclose(found.numpy(), X.numpy() * estimator.coef_, atol=1e-5)


@pytest.mark.parametrize(
    ("model", "words"),
    [(nn.LazyLinear(2), r"no shape yet.*model\(x\[:2\]\)"), (on_meta(), "meta device.*load_state_dict")],
    ids=["a lazy layer", "no values"],
)
def test_every_public_function_takes_models_at_the_door(model, words, tmp_path):
    for door in (
        lambda: corrigible.explain(model, X, 1),
        lambda: corrigible.evaluate(model, DATA),
        lambda: corrigible.correct(model, DATA, RULE),
        lambda: corrigible.suspects(model, DATA),
        lambda: corrigible.find_another_explanation(model, DATA),
        lambda: corrigible.compare(model, DATA, RULE, test=DATA),
        lambda: corrigible.seal(model, tmp_path / "sealed"),
        lambda: next(corrigible.fit(model, iter, optimizer=torch.optim.SGD([torch.ones(1)]), epochs=1)),
    ):
        with pytest.raises(UnsupportedModelError, match=words):
            door()


def test_a_network_kept_by_another_librarys_model_is_named():
    class Learner:
        def __init__(self):
            self.module_ = network()

    with pytest.raises(UnsupportedModelError, match="its attribute 'module_' is one"):
        network_of(Learner())


def test_a_function_is_explained_but_not_trained():
    found = corrigible.explain(lambda x: x @ torch.ones(4, 2), X, 1, method="feature_ablation")
    assert torch.allclose(found, X)
    with pytest.raises(UnsupportedModelError, match="the function .*lambda.*PyTorch network"):
        trainable_network(lambda x: x[:, :2])


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_scripted_networks_are_explained_but_not_trained():
    plain = network()
    for program in (
        torch.jit.script(network()),
        torch.jit.trace(network(), X[:2]),
        nn.Sequential(torch.jit.script(plain)),
    ):
        assert torch.allclose(corrigible.explain(program, X, 1), corrigible.explain(plain, X, 1), atol=1e-6)
        with pytest.raises(UnsupportedModelError, match="TorchScript program.*original network"):
            trainable_network(program)


def test_a_network_that_cannot_be_copied_says_what_it_holds():
    with pytest.raises(UnsupportedModelError, match=r"cannot be copied.*_thread\.lock"):
        copied(with_lock())


def test_frozen_networks_are_not_corrected():
    with pytest.raises(NoGradientError, match="all are frozen.*requires_grad_"):
        corrigible.correct(network().requires_grad_(False), DATA, RULE)
    with pytest.raises(NoGradientError, match="no parameters"):
        corrigible.correct(nn.AvgPool1d(2), DATA, RULE)


def test_tied_and_transposed_weights_are_sealed_and_read_back(tmp_path):
    tied = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    tied[1].weight = tied[0].weight
    tied[0].bias = nn.Parameter(torch.arange(8.0)[::2])
    corrigible.seal(tied, tmp_path / "sealed")
    again = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    load_weights(again, tmp_path / "sealed" / "model.safetensors")
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in tied.state_dict().items())


@pytest.mark.filterwarnings("ignore")
def test_quantised_layers_have_no_gradient():
    quantised = torch.ao.quantization.quantize_dynamic(network(), {nn.Linear})
    with pytest.raises(UnsupportedModelError, match=r"layer '0' is quantised.*kernel_shap"):
        corrigible.explain(quantised, X, 1, method="input_gradient")
    assert corrigible.explain(quantised, X, 1, method="feature_ablation").any()
