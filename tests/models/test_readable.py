"""Probabilities are not taken for logits, nor means for their logarithms; what is read rightly passes."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from corrigible.errors import UnsupportedModelError
from corrigible.models.ensemble import Ensemble
from corrigible.models.readable import doubt_of, require_no_probabilities, require_readable
from corrigible.tasks import CLASSES, task_named

X = torch.randn(40, 5, generator=torch.Generator().manual_seed(2))
LABELS = (X[:, 0] > 0).long()
COUNTS = task_named("counts", torch.arange(40.0) % 4)
SEVERAL = task_named("several_labels", torch.stack([LABELS, 1 - LABELS], 1))
STEPS = task_named("ordered_classes", torch.arange(40) % 3)


class Ends(nn.Module):
    def __init__(self, end, outputs=3):
        super().__init__()
        torch.manual_seed(4)
        self.body, self.end = nn.Linear(5, outputs), end

    def forward(self, x):
        return self.end(self.body(x))


def both(p):
    return torch.cat([p, 1 - p], 1)


OF_SEVERAL = {
    "softmax": lambda z: z.softmax(1),
    "module": nn.Softmax(1),
    "function": lambda z: F.softmax(z, 1),
    "half precision": lambda z: z.half().softmax(1),
    "rounded": lambda z: z.softmax(1).half().float(),
    "by hand": lambda z: z.exp() / z.exp().sum(1, keepdim=True),
    "exp of log_softmax": lambda z: z.log_softmax(1).exp(),
    "sigmoids": lambda z: z.sigmoid(),
    "clamped": lambda z: z.softmax(1).clamp(1e-7, 1 - 1e-7),
    "both of a sigmoid": lambda z: both(z[:, :1].sigmoid()),
    "both by hand": lambda z: both(1 / (1 + (-z[:, :1]).exp())),
    "mean of two": lambda z: torch.stack([z.softmax(1), (2 * z).softmax(1)]).mean(0),
}
OF_ONE = {
    "sigmoid": torch.sigmoid,
    "module": nn.Sigmoid(),
    "squeezed": lambda z: z.sigmoid().squeeze(1),
    "one minus": lambda z: 1 - z.sigmoid(),
    "place of a softmax": lambda z: torch.cat([z, -z], 1).softmax(1)[:, 1],
    "expit": torch.special.expit,
}
LOGITS = {
    "logits": lambda z: z,
    "log-probabilities": lambda z: z.log_softmax(1),
    "logarithm of probabilities": lambda z: z.softmax(1).log(),
    "a sigmoid inside": lambda z: z.sigmoid() * 3 - 1,
    "between 0 and 1": lambda z: (z - z.min()) / (z.max() - z.min()),
    "hidden softmax": lambda z: z * z.softmax(1),
}


@pytest.mark.parametrize("end", OF_SEVERAL)
def test_probabilities_of_several_classes_are_refused(end):
    with pytest.raises(UnsupportedModelError, match="gives probabilities"):
        require_readable(Ends(OF_SEVERAL[end]), X, CLASSES)


@pytest.mark.parametrize("end", OF_ONE)
def test_a_single_probability_is_refused(end):
    with pytest.raises(UnsupportedModelError, match="gives probabilities .its last step is"):
        require_readable(Ends(OF_ONE[end], 1), X, CLASSES)


@pytest.mark.parametrize("end", LOGITS)
def test_logits_pass(end):
    model, state = Ends(LOGITS[end]).train(), torch.get_rng_state()
    require_readable(model, X, CLASSES)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize(("task", "outputs"), [(SEVERAL, 2), (STEPS, 2)], ids=["several_labels", "ordered_classes"])
def test_other_tasks_of_logits_refuse_sigmoids(task, outputs):
    require_readable(Ends(nn.Identity(), outputs), X, task)
    with pytest.raises(UnsupportedModelError, match="the logit of each"):
        require_readable(Ends(torch.sigmoid, outputs), X, task)


@pytest.mark.parametrize("end", [torch.exp, F.softplus, nn.Softplus(), lambda z: z.exp().squeeze(1)])
def test_means_of_counts_are_refused_and_their_logarithms_pass(end):
    with pytest.raises(UnsupportedModelError, match="reads their logarithm"):
        require_readable(Ends(end, 1), X, COUNTS)
    require_readable(Ends(lambda z: end(z).log(), 1), X, COUNTS)


def test_amounts_between_0_and_1_may_end_in_a_sigmoid():
    require_readable(Ends(torch.sigmoid, 1), X, task_named("amounts", X[:, 0].sigmoid()))


def test_members_of_an_ensemble_are_looked_at():
    require_readable(Ensemble([Ends(nn.Identity()), Ends(nn.Tanh())]), X, CLASSES)
    with pytest.raises(UnsupportedModelError, match="gives probabilities"):
        require_readable(Ensemble([Ends(nn.Identity()), Ends(nn.Softmax(1))]), X, CLASSES)


def test_a_single_column_that_fits_as_probabilities_is_doubted():
    right = torch.where(LABELS == 1, 0.9, 0.1)[:, None]
    assert "sigmoid" in doubt_of(right, LABELS, {}, CLASSES)
    assert "sigmoid" in doubt_of(torch.cat([right, 1 - right], 1), torch.stack([LABELS, 1 - LABELS], 1), {}, SEVERAL)
    assert doubt_of(8 * right - 4, LABELS, {}, CLASSES) == ""
    assert doubt_of(right[:5], LABELS[:5], {}, CLASSES) == ""
    untrained = torch.linspace(0.3, 0.6, 40)[torch.randperm(40, generator=torch.Generator().manual_seed(0))][:, None]
    assert doubt_of(untrained, LABELS, {}, CLASSES) == ""


@pytest.mark.parametrize(
    "form",
    [lambda p: p, lambda p: 100 * p, lambda p: -p.log(), lambda p: p.log10()],
    ids=["p", "percent", "-ln", "log10"],
)
def test_probabilities_in_any_form_are_refused_by_their_sums(form):
    with pytest.raises(UnsupportedModelError, match="gives probabilities"):
        require_no_probabilities(form(X[:, :3].softmax(1)), CLASSES)


def test_logits_that_are_sure_and_natural_logarithms_are_no_probabilities():
    sure = torch.tensor([[0.0, 9.0], [0.0, 12.0], [0.0, 10.0]])
    for outputs in (sure, -sure, 10 * sure, X[:, :3].log_softmax(1), X[:, :3]):
        require_no_probabilities(outputs, CLASSES)


def test_a_single_logit_that_fits_as_a_probability_is_doubted_as_the_pair_it_stands_for():
    right = torch.where(LABELS == 1, 0.9, 0.1)[:, None]
    assert "sigmoid" in doubt_of(torch.cat([torch.zeros_like(right), right], 1), LABELS, {}, CLASSES)
