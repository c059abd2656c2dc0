import pytest
import torch
from captum.attr import DeepLift
from torch import nn
from torch.nn import functional

from corrigible.errors import RecipeError, UnsupportedModelError
from corrigible.explanations import explain
from corrigible.explanations.attribution import deep_lift
from corrigible.models import lenet, mlp, table_mlp

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:captum")


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)


class Applied(nn.Module):
    """A function between two linear layers."""

    def __init__(self, function, width=6):
        super().__init__()
        self.first, self.second, self.function = nn.Linear(4, width), nn.Linear(width, 3), function
        self.double()

    def forward(self, x):
        return self.second(self.function(self.first(x)))


ROWS = torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
BASELINE = torch.tensor([0.5, -0.2, 0.1, 0.3], dtype=torch.float64)
TARGET = torch.tensor([0, 1, 2, 0, 1])


def lifted(model, x=ROWS, target=TARGET, baseline=BASELINE, **settings):
    return explain(model, x, target, method="deep_lift", baseline=baseline, **settings)


def gain(model, x=ROWS, target=TARGET, baseline=BASELINE):
    with torch.no_grad():
        return (model(x) - model(baseline[None])).gather(1, target[:, None])[:, 0]


FUNCTIONS = {
    "relu": functional.relu,
    "relu in place": lambda a: functional.relu(a, inplace=True),
    "relu in place by position": lambda a: functional.relu(a, True),
    "relu_": lambda a: a.relu_(),
    "relu_, its result left": lambda a: (torch.relu_(a), a)[1],
    "ReLU6": nn.ReLU6(inplace=True),
    "leaky": nn.LeakyReLU(0.2),
    "PReLU": nn.PReLU().double(),
    "ELU": nn.ELU(),
    "SELU": nn.SELU(inplace=True),
    "CELU": nn.CELU(),
    "hardtanh": functional.hardtanh,
    "hardswish": nn.Hardswish(),
    "hardsigmoid": nn.Hardsigmoid(),
    "clamp": lambda a: torch.clamp(a, -0.5, 0.7),
    "abs": torch.abs,
    "softsign": nn.Softsign(),
    "sigmoid": torch.sigmoid,
    "sigmoid_": lambda a: a.sigmoid_(),
    "tanh": nn.Tanh(),
    "softplus": nn.Softplus(beta=2),
    "GELU": nn.GELU(approximate="tanh"),
    "SiLU": nn.SiLU(inplace=True),
    "Mish": nn.Mish(),
    "log sigmoid": nn.LogSigmoid(),
    "square": lambda a: a**2,
    "exp": lambda a: a.exp(),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS)
def test_every_elementwise_function_is_rescaled_however_it_is_called(function):
    model = Applied(function)
    with torch.no_grad():
        now, then = model.first(ROWS), model.first(BASELINE)
        rise = function(now.clone()) - function(then.clone()[None])
        expected = ((model.second.weight[TARGET] * rise / (now - then)) @ model.first.weight) * (ROWS - BASELINE)
    torch.testing.assert_close(lifted(model), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(lifted(model).sum(dim=1), gain(model), rtol=1e-9, atol=1e-12)


def test_hand_worked_max_pooling():
    model = nn.Sequential(nn.MaxPool1d(2), nn.Flatten(), nn.Linear(1, 2, bias=False))
    model[2].weight.data = torch.tensor([[1.0], [0.0]])
    table = [
        # now, before: the rise, or fall, of the maximum
        ([3.0, 1.0], [0.0, 0.0], [3.0, 0.0]),
        ([3.0, 1.0], [0.0, 2.0], [1.0, 0.0]),  # the first has overtaken the second
        ([1.0, 0.0], [0.0, 3.0], [0.0, -2.0]),  # the second has fallen
        ([1.0, 2.0], [4.0, 2.0], [-2.0, 0.0]),
        ([1.0, 2.0], [4.0, 4.0], [0.0, -2.0]),  # both were the maximum, the second is
        ([2.0, 1.0], [1.0, 2.0], [0.0, 0.0]),
    ]
    for now, before, expected in table:
        found = lifted(model, torch.tensor([[now]]), torch.tensor([0]), torch.tensor([before]))
        assert found.tolist() == [[expected]]


@pytest.mark.parametrize(
    "pool",
    [
        nn.MaxPool2d(2),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.AdaptiveMaxPool2d(3),
        lambda a: torch.max_pool2d(a, 3, 1),
        lambda a: functional.max_pool2d(input=a, kernel_size=2),
    ],
)
def test_every_max_pooling_is_complete_also_where_windows_overlap(pool):
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.head = nn.Conv2d(1, 3, 3), nn.Conv2d(3, 3, 1), nn.LazyLinear(3)
            self.double()

        def forward(self, x):
            return self.head(self.second(pool(self.first(x).relu())).flatten(1))

    model, x, baseline = Pooled(), torch.randn(5, 1, 8, 8).double(), torch.randn(1, 8, 8).double()
    model(x)
    torch.testing.assert_close(
        lifted(model, x, baseline=baseline).sum(dim=(1, 2, 3)), gain(model, x, baseline=baseline)
    )


def captum_says(model, x, target, baseline):
    return DeepLift(model).attribute(x.clone().requires_grad_(), baseline.expand_as(x).clone(), target=target).detach()


def test_it_agrees_with_captum_on_lenet():
    model, x, target = lenet(), torch.randn(8, 1, 28, 28), torch.arange(8)
    expected = captum_says(model, x, target, torch.zeros(1, 28, 28))
    torch.testing.assert_close(lifted(model, x, target, 0), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("function", [nn.ReLU, nn.Sigmoid, nn.Tanh, nn.Softplus, nn.ELU, nn.LeakyReLU])
def test_it_agrees_with_captum_on_fully_connected_networks(function):
    model = nn.Sequential(nn.Linear(4, 8), function(), nn.Linear(8, 6), function(), nn.Linear(6, 3)).double()
    torch.testing.assert_close(lifted(model), captum_says(model, ROWS, TARGET, BASELINE), rtol=0, atol=1e-9)


def test_a_linear_model_pays_each_input_its_way():
    model = nn.Linear(4, 3).double()
    torch.testing.assert_close(lifted(model), (model.weight[TARGET] * (ROWS - BASELINE)).detach())


class Tokens(nn.Module):
    """Rows of two tokens, kept in one axis or with the tokens first."""

    def __init__(self, arrange, back):
        super().__init__()
        self.first, self.second = nn.Linear(2, 5), nn.Linear(10, 3)
        self.arrange, self.back = arrange, back
        self.double()

    def forward(self, x):
        hidden = functional.gelu(self.first(self.arrange(x.unflatten(1, (2, 2)))))
        return self.second(self.back(hidden).flatten(1))


def test_the_rows_need_not_be_the_first_axis_within_the_model():
    models = [
        Tokens(lambda x: x, lambda h: h),
        Tokens(lambda x: x.flatten(0, 1), lambda h: h.unflatten(0, (-1, 2))),
        Tokens(lambda x: x.transpose(0, 1), lambda h: h.transpose(0, 1)),
    ]
    found = []
    for model in models:
        model.load_state_dict(models[0].state_dict())
        found.append(lifted(model))
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


@pytest.mark.parametrize("way", [0.0, 1e-9, 1e-6, 1e-3])
def test_near_the_baseline_the_multipliers_are_the_gradient(way):
    model = table_mlp(4, 3).eval()
    x = (BASELINE + way * torch.randn(5, 4)).float()
    found = lifted(model, x, differentiable=True)
    gradient = explain(model, x, TARGET, method="input_gradient", score="target_logit")
    torch.testing.assert_close(found, gradient * (x - BASELINE.float()), rtol=0.01, atol=1e-9)
    slopes = torch.autograd.grad(found.sum(), list(model.parameters()), allow_unused=True)
    assert all(slope.isfinite().all() for slope in slopes if slope is not None)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.attention, self.head = nn.MultiheadAttention(2, 1, batch_first=True), nn.Linear(4, 3)

    def forward(self, x):
        x = x.unflatten(1, (2, 2))
        return self.head(self.attention(x, x, x, need_weights=False)[0].flatten(1))


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (Applied(lambda a: a * a.sigmoid()), r"torch\.Tensor\.mul"),
        (Applied(lambda a: a.softmax(dim=1)), r"torch\.Tensor\.softmax"),
        (Applied(lambda a: functional.layer_norm(a, (6,))), r"layer_norm"),
        (Applied(lambda a: torch.maximum(a, a.flip(1))), r"torch\.maximum"),
        (Applied(lambda a: a.topk(6, dim=1).values), r"torch\.Tensor\.topk"),
        (Applied(lambda a: torch.where(a > 0, a, -a)), r"torch\.where"),
        (Attention().double(), "multi_head_attention_forward"),
    ],
)
def test_what_the_rule_does_not_cover_is_refused_by_name(model, named):
    with pytest.raises(UnsupportedModelError, match=rf"does not cover.*{named}.*choose integrated_gradients"):
        lifted(model)


def test_a_model_that_runs_other_functions_for_other_rows_is_refused():
    class Forked(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 3).double()

        def forward(self, x):
            return self.layer(x.sigmoid() if x.sum() > 100 else x.tanh())

    with pytest.raises(UnsupportedModelError, match="sigmoid ran on .* for the baseline .'tanh'"):
        lifted(Forked(), ROWS + 100)


def test_scores_that_are_not_linear_in_the_logits_are_refused():
    with pytest.raises(RecipeError, match="'target_log_prob'; deep_lift needs 'target_logit'"):
        lifted(mlp(4, 3).double(), score="target_log_prob")


def test_the_baseline_needs_one_row_and_the_rows_one_pass():
    model, seen = Applied(torch.relu), []
    model.register_forward_pre_hook(lambda module, arguments: seen.append(len(arguments[0])))
    deep_lift(model, ROWS, TARGET)
    assert seen == [1, 5]


@pytest.mark.parametrize("offset", [0.0, 30.0, 3000.0])
def test_an_offset_of_the_score_does_not_hide_what_the_rule_does_not_cover(offset):
    class Normed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.norm, self.last = nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 3)

        def forward(self, x):
            return self.last(self.norm(self.first(x))) + offset

    torch.manual_seed(0)
    with pytest.raises(UnsupportedModelError, match="layer_norm"):
        explain(Normed(), torch.randn(3, 4), 0, method="deep_lift")
    plain = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    nn.init.constant_(plain[2].bias, offset)
    assert explain(plain, torch.randn(3, 4), 0, method="deep_lift").count_nonzero() > 0


def test_a_power_of_a_number_is_refused_not_stumbled_over():
    class Power(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 3)

        def forward(self, x):
            return self.last(torch.pow(2.0, self.first(x)))

    with pytest.raises(UnsupportedModelError, match="pow"):
        explain(Power(), torch.randn(3, 4), 0, method="deep_lift")
