"""Attribute inference: predictions that hold the attribute, or do not, and what the other columns tell alone."""

import copy

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from corrigible import Columns, Measurement, TensorData, attribute_inference
from corrigible.errors import DataError, RecipeError
from corrigible.protocols.privacy.attacked_attribute import attribute_of, folds_of
from corrigible.protocols.privacy.attribute_found import WITHOUT
from corrigible.protocols.privacy.served import served_attributions, served_counterfactuals, served_predictions

GENERATOR = torch.Generator().manual_seed(0)
COLUMNS = Columns(
    ("age", "race", "site=a", "site=b", "noise"),
    ("age", "race", "site", "site", "noise"),
    (False, False, True, True, False),
)
QUICK = {"num_resamples": 40, "num_folds": 3}


def people(count: int = 300) -> TensorData:
    """Race is drawn for itself; the site follows it in three of four rows."""
    race = (torch.rand(count, generator=GENERATOR) < 0.4).float()
    follows = torch.rand(count, generator=GENERATOR) < 0.75
    site = torch.where(follows, race, 1 - race)
    drawn = torch.randn(count, 2, generator=GENERATOR)
    x = torch.stack([drawn[:, 0], race, 1 - site, site, drawn[:, 1]], dim=1)
    return TensorData(x, (drawn[:, 0] > 0).long(), columns=COLUMNS)


DATA = people()


def linear(*weights: float) -> nn.Module:
    model = nn.Linear(5, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[-w / 2 for w in weights], [w / 2 for w in weights]]))
        model.bias.zero_()
    return model


TELLS, SILENT = linear(1, 2, 0, 0, 0), linear(1, 0, 0, 0, 0)


def test_a_prediction_that_holds_the_attribute_gives_it_away():
    found = attribute_inference(TELLS, DATA, "race", given=["age", "site"], **QUICK)
    share = float((DATA.x[:, 1] == 0).double().mean())
    assert found.majority == pytest.approx(max(share, 1 - share))
    assert found.without.success.value == pytest.approx(0.75, abs=0.1)  # By the site.
    assert found.with_prediction.success.value > 0.9
    low = found.with_prediction.gain.low
    assert low is not None and low > 0.08
    assert found.gain == pytest.approx(found.with_prediction.success.value - found.without.success.value)
    assert found.with_prediction.auc_gain.value == pytest.approx(
        found.with_prediction.auc.value - found.without.auc.value
    )


def test_one_that_does_not_gives_nothing_away():
    found = attribute_inference(SILENT, DATA, "race", **QUICK)
    gain = found.with_prediction.gain
    assert gain.low <= 0.02 and abs(gain.value) < 0.04
    assert found.without.success.value > found.majority + 0.05  # That the site tells it is not the model's doing.


def test_without_other_columns_the_gain_is_over_the_most_frequent_class():
    found = attribute_inference(TELLS, DATA, "race", given=[], **QUICK)
    assert found.without.success.value == pytest.approx(found.majority)
    assert found.gain == pytest.approx(found.with_prediction.success.value - found.majority)
    noise = attribute_inference(TELLS, DATA, "race", given=["noise"], **QUICK)
    best = max(noise.majority, noise.without.success.value)
    assert noise.gain == pytest.approx(noise.with_prediction.success.value - best)


def test_rounded_predictions_tell_less():
    exact, rough = (attribute_inference(TELLS, DATA, "race", decimals=d, **QUICK) for d in (None, 0))
    assert rough.gain < exact.gain
    assert "to 0 decimals" in str(rough)
    values = served_predictions(decimals=1)(TELLS, DATA)
    assert torch.equal(values, TELLS(DATA.x).detach().double().softmax(1).round(decimals=1))


def test_an_attribute_beside_the_inputs():
    inside = attribute_inference(TELLS, DATA, "race", given=["age"], **QUICK)
    race = pd.Series(np.where(DATA.x[:, 1] == 1, "black", "other"), name="race")
    beside = attribute_inference(TELLS, DATA, race, given=["age"], **QUICK)
    assert beside.classes == ("black", "other") and beside.attribute == "race"
    assert beside.with_prediction.success.value == pytest.approx(inside.with_prediction.success.value, abs=0.02)


def test_amounts_are_told_by_r2():
    found = attribute_inference(TELLS, DATA, "age", given=["race"], **QUICK)
    assert found.classes == () and found.majority == 0
    assert found.with_prediction.auc is None
    assert found.with_prediction.success.metric == "attribute_inference_r2"
    assert found.gain > 0.7


def test_what_is_served_beside_the_prediction():
    model = linear(1, 1, 0, 0, 1)
    served = {
        "gradient x input": served_attributions("gradient_x_input"),
        "a counterfactual": served_counterfactuals(COLUMNS, rows=DATA.x, plausible=False, cost_only=True),
    }
    few = TensorData(DATA.x[:120], DATA.y[:120], columns=COLUMNS)
    found = attribute_inference(model, few, "race", given=["site"], served=served, **QUICK)
    assert [attack.seen for attack in found.attacks] == [
        WITHOUT,
        "the prediction",
        *(f"the prediction and {name}" for name in served),
    ]
    assert found.more[0].low > 0.05  # Its attribution is 0 where race is 0.
    for more, attack in zip(found.more, found.attacks[2:], strict=True):
        assert more.value == pytest.approx(attack.success.value - found.with_prediction.success.value)
        assert more.part == attack.seen


def test_no_row_is_told_by_an_attacker_who_learned_from_it():
    """A category of its own for each row tells nothing of rows that were not learned from."""
    x = torch.cat([torch.arange(200.0)[:, None], torch.randint(2, (200, 1), generator=GENERATOR).float()], dim=1)
    data = TensorData(x, torch.arange(200) % 2, columns=Columns(("row", "z"), ("row", "z"), (False, False)))
    found = attribute_inference(nn.Linear(2, 2).requires_grad_(False), data, "z", given=["row"], num_resamples=0)
    assert found.without.success.value < 0.65


def test_folds_spread_the_classes():
    held = torch.tensor([0] * 30 + [1] * 12)
    folds = folds_of(held, 3, 0)
    assert [int((folds[held == label] == fold).sum()) for label in (0, 1) for fold in range(3)] == [10] * 3 + [4] * 3
    assert not torch.equal(folds, folds_of(held, 3, 1))


def test_the_model_and_the_random_state_stay():
    model, state = nn.Sequential(nn.BatchNorm1d(5), nn.Dropout(), nn.Linear(5, 2)).train(), torch.get_rng_state()
    before = copy.deepcopy(model.state_dict())
    attribute_inference(model, DATA, "race", served={"a": served_attributions("input_gradient")}, **QUICK)
    assert model.training and torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_what_is_measured_and_shown():
    found = attribute_inference(TELLS, DATA, "race", **QUICK)
    measured = found.measurements()
    assert all(isinstance(one, Measurement) for one in measured)
    assert {one.metric for one in measured} == {
        "attribute_inference_majority",
        "attribute_inference_accuracy",
        "attribute_inference_auc",
        "attribute_inference_gain",
        "attribute_inference_auc_gain",
    }
    assert "gain" in str(found) and repr(found) == str(found) and "<table" in found._repr_html_()


def test_what_is_refused():
    bare = TensorData(DATA.x, DATA.y)
    for attribute, how, data, error, words in (
        ("rase", {}, DATA, RecipeError, "unknown column 'rase'.*did you mean 'race'"),
        ("race", {"given": ["race"]}, DATA, RecipeError, "which is to be inferred"),
        ("race", {"given": "age"}, DATA, RecipeError, "a list of names"),
        ("race", {}, bare, DataError, "no columns"),
        ([1, 2], {}, DATA, DataError, "2 values, the data 300 rows"),
        ([1] * 300, {}, DATA, DataError, "1 different values"),
        ([None, *"ab" * 149, "a"], {}, DATA, DataError, "row 0 is empty"),
        ([float("inf"), *[0.0, 1.0] * 149, 0.0], {}, DATA, DataError, "row 0 is infinite"),
        ([[1, 2]] * 300, {}, DATA, DataError, r"shape \(300, 2\); expected one value per row"),
        ("race", {"num_folds": 1}, DATA, RecipeError, "num_folds is 1"),
        ("race", {"decimals": -1}, DATA, RecipeError, "decimals is -1"),
        ("race", {"served": {"x": lambda model, rows: rows.x[:3]}}, DATA, DataError, r"shape \(3, 5\)"),
    ):
        with pytest.raises(error, match=words):
            attribute_inference(TELLS, data, attribute, **{**QUICK, **how})


def test_which_values_are_classes():
    assert attribute_of(DATA, "site", None).classes == ("a", "b")
    assert attribute_of(DATA, "site", None).known.shape == (300, 3)
    assert attribute_of(DATA, list(range(300)), None).classes == ()
    assert attribute_of(DATA, [1, 2, 3] * 100, None).classes == ("1", "2", "3")
    assert attribute_of(DATA, [True, False] * 150, None).classes == ("False", "True")


def test_values_that_a_column_holds_too_are_refused_by_its_name():
    for values in (DATA.x[:, 1], 1 - DATA.x[:, 1].long()):
        with pytest.raises(DataError, match="the column 'race' tells the values of every row; name it"):
            attribute_inference(TELLS, DATA, values.numpy(), **QUICK)
    other = torch.randint(2, (len(DATA),), generator=GENERATOR)
    assert attribute_inference(TELLS, DATA, other.numpy(), **QUICK).without.success.value < 0.75
