"""Penalties, augmentations, losses and optimizers from a user's own module, given by name or as functions."""

import sys
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn

from corrigible import Feedback, TensorData, compare, correct, explain
from corrigible.declarations import declared, require_known
from corrigible.errors import DataError, FeedbackError, NoGradientError, RecipeError
from corrigible.models import mlp
from corrigible.objective import terms_of
from corrigible.protocols.schedule import Schedule

MODULE = '''
import torch
from corrigible.declarations import declared, require_known

ran = []

def on_marks(forward, batch, *, power=2.0):
    """Reviewed rows, what must not matter, gradients of the input: all by default."""
    ran.append(("on_marks", len(batch.x)))
    gradient = forward.input_gradient(lambda logits, target: logits.sum(dim=1), batch.y)
    return (gradient.abs() ** power * batch.irrelevant).sum()

@declared(serves=("relevant",))
def on_what_should(forward, batch):
    ran.append(("on_what_should", len(batch.x)))
    gradient = forward.input_gradient(lambda logits, target: logits.sum(dim=1), batch.y)
    return torch.exp(-(gradient.square() * batch.relevant).sum())

@declared(looks_at="layers")
def of_a_layer(forward, batch):
    ran.append(("of_a_layer", len(batch.x)))
    return forward.activation(forward.layers[-1]).square().mean()

@declared(kind="label loss", looks_at="own passes")
def on_changed_rows(forward, batch, *, background=None):
    ran.append(("on_changed_rows", len(background)))
    x = torch.where(batch.irrelevant, background[: 1], batch.x)
    return torch.nn.functional.cross_entropy(forward.model(x), batch.y)

@declared(rows="labelled", looks_at="nothing")
def of_the_model(forward, batch):
    ran.append(("of_the_model", len(batch.x)))
    return forward.logits.square().mean()

@declared(kind="augmentation", rows="labelled", looks_at="nothing")
def shifted(model, batch, generator, *, by=0.0):
    from dataclasses import replace
    ran.append(("shifted", len(batch.x)))
    return replace(batch, x=batch.x + by)

def squared(forward, batch):
    """A label loss."""
    ran.append(("squared", len(batch.x)))
    return (torch.nn.functional.one_hot(batch.y, 2) - forward.log_probs.exp()).square().sum(dim=1)

def slow(parameters, *, lr, weight_decay):
    ran.append(("slow", lr))
    return torch.optim.SGD(parameters, lr=lr / 10, weight_decay=weight_decay)
'''
X = torch.rand(40, 3, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0.5).long()
MARKED, SHOULD = torch.tensor([True, False, False]), torch.tensor([False, True, False])
SAID = [Feedback(MARKED, row=row) for row in range(8)] + [Feedback(SHOULD, "relevant", row=row) for row in range(8)]
OF_EACH_KIND = ("on_marks", "on_what_should", "of_a_layer", "on_changed_rows", "of_the_model")


@pytest.fixture
def own(tmp_path, monkeypatch):
    (tmp_path / "foreign_methods.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    import foreign_methods

    yield foreign_methods
    del sys.modules["foreign_methods"]


def parameters_of(model: nn.Module) -> torch.Tensor:
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize("name", OF_EACH_KIND)
def test_a_penalty_of_each_kind_runs_and_teaches_the_same_by_name_and_as_a_function(own, name):
    model, found = mlp(3, 2), []
    for key in (f"foreign_methods:{name}", getattr(own, name), partial(getattr(own, name))):
        own.ran.clear()
        found.append(parameters_of(correct(model, (X, Y), SAID, penalties={key: 1.0}, epochs=2, batch_size=20)))
        rows = {"of_the_model": 20, "on_changed_rows": 40}.get(name, 8)
        assert set(own.ran) == {(name, rows)}
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])
    without = correct(model, (X, Y), SAID, penalties={}, augment={}, epochs=2, batch_size=20)
    assert not torch.equal(found[0], parameters_of(without))


def test_a_weight_can_be_chosen_for_a_function(own):
    model = mlp(3, 2)
    optimizer = torch.optim.Adam(model.parameters(), 1e-1)
    for _ in range(30):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(X), Y).backward()
        optimizer.step()
    said = [Feedback(torch.tensor([False, False, True]), row=row) for row in range(8)]  # It shows no class.
    corrected = correct(model, (X, Y), said, penalties={own.on_marks: {"weight": "auto", "power": 1.0}}, epochs=2)
    assert corrected.verdict.num_rows
    assert {name for name, _ in own.ran} == {"on_marks"}


def test_an_augmentation_by_name_and_as_a_function(own):
    model = mlp(3, 2)
    found = [
        parameters_of(correct(model, (X, Y), SAID, augment={key: {"by": 1.0}}, epochs=1))
        for key in ("foreign_methods:shifted", own.shifted)
    ]
    assert torch.equal(found[0], found[1])
    assert own.ran == [("shifted", 40)] * 2  # An epoch at once: it does not look at the model.


def test_methods_of_a_comparison_may_be_functions(own):
    methods = {"both": {own.on_marks: 0.1, own.shifted: {"by": 0.1}}}
    found = compare(mlp(3, 2), (X, Y), SAID, test=(X, Y), methods=methods, epochs=1)
    assert found.loc["both", "note"] == ""
    assert {"on_marks", "shifted"} <= {name for name, _ in own.ran}


def test_feedback_of_the_other_polarity_is_refused(own):
    with pytest.raises(FeedbackError, match="on_what_should needs to know what should"):
        correct(mlp(3, 2), (X, Y), SAID[:8], penalties={own.on_what_should: 1.0})
    with pytest.raises(FeedbackError, match="on_marks needs to know what must not"):
        correct(mlp(3, 2), (X, Y), SAID[8:], penalties={own.on_marks: 1.0})


def test_own_loss_optimizer_and_step(own):
    model, steps = mlp(3, 2), []

    def counting(num_steps):
        steps.append(num_steps)

        def step(optimizer, objective):
            found = objective()
            steps.append(type(optimizer).__name__)
            return found

        return step

    settings = {"loss": "foreign_methods:squared", "optimizer": own.slow, "step": counting}
    corrected = correct(model, (X, Y), SAID, epochs=2, batch_size=20, learning_rate=0.5, **settings)
    assert steps == [4, *["SGD"] * 4]
    assert set(own.ran) == {("squared", 20), ("slow", 0.5)}
    assert torch.equal(parameters_of(corrected), parameters_of(model))  # These steps change nothing.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"loss": "cross_entrpy"}, "unknown loss 'cross_entrpy': did you mean 'cross_entropy'"),
        ({"loss": {"name": "focal", "gama": 1.0}}, "loss 'focal': unknown setting 'gama': did you mean 'gamma'"),
        ({"loss": {"gamma": 1.0}}, "loss is .*gamma.*; expected .*name"),
        ({"optimizer": "adam"}, "unknown optimizer 'adam': did you mean 'Adam'"),
        ({"step": "carefull"}, "unknown step 'carefull': did you mean 'careful'"),
    ],
)
def test_an_unknown_loss_optimizer_or_step_is_refused(settings, message):
    with pytest.raises(RecipeError, match=message):
        Schedule(**settings)


def test_an_optimizer_that_cannot_be_made_says_what_is_expected():
    with pytest.raises(RecipeError, match=r"optimizer 'LBFGS' cannot be made with lr and weight_decay .*weight_decay"):
        correct(mlp(3, 2), (X, Y), SAID, optimizer="LBFGS", epochs=1)


@declared(looks_at="layers")
def looks_further(forward, batch):
    return forward.input_gradient(lambda logits, target: logits.sum(dim=1), batch.y).square().mean()


def test_a_penalty_that_looks_at_more_than_it_declares_is_refused():
    with pytest.raises(NoGradientError, match=r"declare .*looks_at=\"input\""):
        correct(mlp(3, 2), (X, Y), SAID, penalties={looks_further: 1.0})


def test_two_penalties_of_one_name_are_refused(own):
    with pytest.raises(RecipeError, match="penalty 'on_marks' is given twice"):
        terms_of({own.on_marks: 1.0, partial(own.on_marks, power=1.0): 1.0})


def weighted(weight, **beside):
    return TensorData(X, Y, weight=weight, **beside)


def test_a_row_of_weight_0_teaches_nothing_and_of_weight_2_as_much_as_two():
    model, settings = mlp(3, 2), {"penalties": {}, "augment": {}, "epochs": 3, "batch_size": 80}
    half = torch.arange(40) < 20
    said = [Feedback(MARKED, row=0)]
    found = [
        correct(model, weighted(half.float()), said, **settings),
        correct(model, TensorData(X[half], Y[half]), said, **settings),
    ]
    torch.testing.assert_close(parameters_of(found[0]), parameters_of(found[1]), rtol=1e-4, atol=1e-5)
    twice = torch.cat([torch.arange(40), torch.arange(20)])
    found = [
        correct(model, weighted(1.0 + half.float()), said, **settings),
        correct(model, TensorData(X[twice], Y[twice]), said, **settings),
    ]
    torch.testing.assert_close(parameters_of(found[0]), parameters_of(found[1]), rtol=1e-4, atol=1e-5)


def test_weights_and_further_tensors_reach_losses():
    seen = []

    def loss(forward, batch):
        seen.append((batch.index, batch.weight, batch.extra["exposure"]))
        return -forward.log_probs[:, 0]

    data = weighted(torch.arange(1.0, 41), extra={"exposure": torch.arange(1.0, 41)})
    correct(mlp(3, 2), data, SAID, loss=loss, penalties={}, augment={}, epochs=1)
    for index, weight, exposure in seen:
        assert torch.equal(weight, index + 1.0)
        assert torch.equal(exposure, index + 1.0)


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ({"weight": -torch.ones(40)}, "weight holds negative"),
        ({"weight": torch.zeros(40)}, "weight holds negative or no finite numbers, or only 0"),
        ({"weight": torch.full((40,), torch.nan)}, "weight holds negative or no finite"),
        ({"weight": None, "extra": {"exposure": torch.ones(2, 40)}}, r"exposure is \(2, 40\); expected .* the 40 rows"),
    ],
)
def test_other_weights_are_refused(beside, message):
    from corrigible.errors import DataError

    with pytest.raises(DataError, match=message):
        correct(mlp(3, 2), weighted(**beside), SAID)


def fails(**settings):
    return correct(mlp(3, 2), settings.pop("data", (X, Y)), SAID, epochs=1, **settings)


@declared(rows="labelled")
def vector(forward, batch):
    return forward.logits.sum(dim=1)


@declared(rows="labelled")
def nothing(forward, batch):
    return None


@declared(rows="labelled")
def fine(forward, batch):
    return forward.logits.square().mean()


@declared(kind="augmentation", rows="labelled", looks_at="nothing")
def half(model, batch, generator):
    return replace(batch, x=batch.x[::2], y=batch.y[::2], index=batch.index[::2])


@declared(kind="augmentation", rows="labelled")
def no_batch(model, batch, generator):
    return batch.x


def other_labels(model, batch, generator):
    return replace(batch, y=batch.y[:1])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"penalties": {vector: 1.0}},
            r"penalty 'vector' gave torch.float32 of shape \(16,\); expected a scalar",
        ),
        ({"penalties": {nothing: 1.0}}, "penalty 'nothing' gave a NoneType; expected a scalar tensor of floats"),
        ({"penalties": {fine: lambda epoch: -1.0}}, "penalty 'fine' has weight -1.0 in epoch 0; expected at least 0"),
        ({"augment": {half: {}}}, "gave 20 rows; expected the same 40: leave out looks_at"),
        ({"augment": {no_batch: {}}}, "augmentation 'no_batch' gave a Tensor; expected a Batch"),
        ({"augment": {other_labels: {}}}, "augmentation 'other_labels' gave .*'y': 1.* rows; expected as many of each"),
        (
            {"loss": lambda forward, batch: forward.logits.mean()},
            r"the loss gave torch.float32 of shape \(\); expected one",
        ),
        (
            {"loss": lambda forward, batch: forward.logits[:, :1]},
            r"of shape \(16, 1\); expected one float per row, shape \(16",
        ),
        (
            {"step": lambda num_steps: lambda optimizer, objective: None},
            "the step returned a NoneType; expected what obj",
        ),
        (
            {"optimizer": lambda parameters, lr, weight_decay: None},
            "gave a NoneType that holds none of the model's param",
        ),
        (
            {"optimizer": lambda parameters, **_: torch.optim.SGD([nn.Parameter(torch.zeros(1))])},
            "gave a SGD that holds none of the model's parameters",
        ),
    ],
)
def test_what_gives_something_else_is_named(settings, message):
    with pytest.raises(RecipeError, match=message):
        fails(**settings)


@pytest.mark.parametrize(
    "weight", [torch.ones(40, 1), torch.ones(40, dtype=torch.long), torch.ones(40).requires_grad_()]
)
def test_a_weight_of_another_form_is_refused(weight):
    data = type(
        "Rows", (), {"weight": weight, "__len__": lambda self: 40, "__getitem__": lambda self, row: (X[row], Y[row])}
    )
    with pytest.raises(DataError, match=r"weight has shape .* expected one float per row, no gradient"):
        fails(data=data())


@pytest.mark.parametrize(
    ("place", "wrong"),
    list(enumerate(["loss", "all", ("irrelevent",), "layer"])),
    ids=["kind", "rows", "serves", "looks_at"],
)
def test_a_declaration_of_something_unknown_is_refused(place, wrong):
    known = ["penalty", "reviewed", ("irrelevant",), "input"]
    require_known(*known)
    with pytest.raises(ValueError, match="@declared got 'irrelevent'; expected" if place == 2 else f"got '{wrong}'"):
        require_known(*known[:place], wrong, *known[place + 1 :])
    with pytest.raises(ValueError, match="serves is 'relevant'; expected a tuple"):
        require_known("penalty", "reviewed", "relevant", "input")


def test_methods_of_which_none_learns_from_the_feedback_are_warned_of(caplog):
    fails(penalties={fine: 0.1})
    assert "nothing of fine learns from the feedback; name transplant" in caplog.text


def test_an_explainer_that_works_in_place_leaves_the_rows_alone():
    x = X.clone()
    explain(mlp(3, 2), x, 0, method=lambda model, x, target: x.zero_())
    assert torch.equal(x, X)
