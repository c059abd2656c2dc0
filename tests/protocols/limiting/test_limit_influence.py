"""Limits of a whole study: what is left of the influence, what it cost, and what is told of it."""

import copy

import pytest
import torch
from torch import nn

import corrigible
from corrigible.errors import RecipeError
from corrigible.protocols.limiting import measuring
from corrigible.protocols.schedule import Schedule
from corrigible.surgery import share_of
from corrigible.types import Columns, Phrase


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(measuring, "NUM_RESAMPLES", 10)


NAMES = ("age", "group", "stand_in")
COLUMNS = Columns(NAMES, NAMES, (False,) * 3)


def table(seed, count=400):
    """The label follows age and group; the last column tells the group with noise."""
    generator = torch.Generator().manual_seed(seed)
    age, noise, luck = (torch.randn(count, generator=generator) for _ in range(3))
    group = (torch.rand(count, generator=generator) < 0.4).float()
    y = (age + 2 * group - 1 + 0.5 * luck > 0).long()
    return corrigible.TensorData(torch.stack([age, group, group + 0.5 * noise], 1), y, group.long(), COLUMNS)


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2))
    train = table(0)
    return corrigible.train(model, train, epochs=30, learning_rate=0.01, progress=False), train, table(1)


def value(measured, name):
    return next(m.value for m in measured if m.metric == name)


def test_an_input_without_influence_leaves_no_effect_and_the_report_says_what_it_cost(trained):
    model, train, validation = trained
    before = copy.deepcopy(model.state_dict())
    limited = corrigible.limit_influence(model, train, inputs="group", validation=validation)
    flipped = validation.x.clone()
    flipped[:, 1] = 1 - flipped[:, 1]
    assert torch.equal(limited(validation.x), limited(flipped))
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    found = limited.limited
    assert found.share_after == 0 < found.share_before
    assert value(found.before, "flip_effect") > 0.2
    assert value(found.after, "flip_effect") == 0
    hits = [(m(validation.x).argmax(1) == validation.y).double().mean().item() for m in (model, limited)]
    assert [value(found.before, "accuracy"), value(found.after, "accuracy")] == pytest.approx(hits)
    assert value(found.change, "accuracy") == pytest.approx(hits[1] - hits[0])
    assert [proxy.name for proxy in found.proxies] == ["group"] and found.proxies[0].value > 0.85
    assert found.told_after[0].value < found.told_before[0].value
    for said in (str(found), found._repr_html_()):
        assert all(word in said for word in ("group", "flip effect", "the others tell group", "accuracy"))


def test_average_lets_nothing_stand_in(trained):
    model, train, validation = trained
    gaps = {
        removal: value(
            corrigible.limit_influence(
                model, train, inputs=["group"], removal=removal, validation=validation
            ).limited.after,
            "group_prob_gap",
        )
        for removal in ("expected", "average")
    }
    assert gaps["average"] < 0.5 * gaps["expected"]


def test_a_set_of_inputs_keeps_at_most_its_share_of_the_explanation(trained):
    model, train, _ = trained
    limited = corrigible.limit_influence(model, train, inputs=["group", "stand_in"], share=0.1, removal="mean")
    target = model(train.x).argmax(1)
    for of, expected in ((model, None), (limited, 0.1)):
        found = share_of(corrigible.explain(of, train.x, target), torch.tensor([False, True, True]))
        assert found == pytest.approx(expected, abs=0.02) if expected else found > 0.2


def test_rescaled_contributions_sum_to_what_they_did_and_ranks_stay(trained):
    model, train, _ = trained
    settings = {"inputs": "group", "removal": "mean"}
    plain, rescaled = (corrigible.limit_influence(model, train, **settings, rescale=r) for r in (False, True))
    target = model(train.x).argmax(1)
    sums = [corrigible.explain(of, train.x, target).abs().sum() for of in (model, plain, rescaled)]
    assert sums[1] < 0.9 * sums[0]
    assert float(sums[2]) == pytest.approx(float(sums[0]), rel=0.05)  # Measured on 256 of the rows.
    margins = [of(train.x).detach().diff(dim=1).flatten() for of in (plain, rescaled)]
    assert torch.equal(margins[0].argsort(), margins[1].argsort())


def test_training_on_keeps_the_limit(trained):
    model, train, _ = trained
    limited = corrigible.limit_influence(model, train, inputs="group", schedule=Schedule(epochs=1))
    flipped = train.x.clone()
    flipped[:, 1] = 1 - flipped[:, 1]
    assert torch.equal(limited(train.x), limited(flipped))
    plain = corrigible.limit_influence(model, train, inputs="group")
    assert not torch.equal(limited(train.x), plain(train.x))


def test_units_have_no_influence_and_others_that_tell_them_are_named(trained):
    model, train, validation = trained
    limited = corrigible.limit_influence(model, train, layer="1", units=[0, 2], validation=validation)
    assert limited.limited.share_after == 0 < limited.limited.share_before
    assert [proxy.name for proxy in limited.limited.proxies] == ["unit 0 of layer 1", "unit 2 of layer 1"]
    hidden = limited[:2](validation.x)
    assert len(hidden[:, 0].unique()) == len(hidden[:, 2].unique()) == 1


def test_a_limited_model_is_explained_corrected_and_sealed(trained, tmp_path):
    model, train, _ = trained
    limited = corrigible.limit_influence(model, train, inputs="group")
    assert not corrigible.explain(limited, train.x, columns=COLUMNS)[:, 1].any()
    corrected = corrigible.correct(limited, train, [corrigible.Feedback("stand_in", scope="dataset")], epochs=1)
    assert corrected.verdict.outcome
    corrigible.seal(limited, tmp_path / "sealed")
    assert corrigible.verify(tmp_path / "sealed").ok


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "expected either inputs=…, or layer=… and units=…"),
        ({"inputs": "group", "layer": "1", "units": [0]}, "expected either"),
        ({"layer": "1"}, "expected either"),
        ({"layer": "1", "units": 3}, r"units is 3; expected their numbers in a list"),
        ({"layer": "1", "units": [-1]}, "a unit is -1"),
        ({"inputs": Phrase(("film",))}, "stands elsewhere in each text"),
        ({"layer": "1", "units": [0], "rescale": True}, "are about inputs"),
        ({"inputs": "group", "share": 1.5}, "share is 1.5; expected a number from 0 to 1"),
        ({"inputs": "group", "removal": "zero"}, "unknown removal 'zero'"),
    ],
)
def test_what_is_not_asked_clearly_is_refused(trained, settings, message):
    with pytest.raises(RecipeError, match=message):
        corrigible.limit_influence(trained[0], trained[1], **settings)
