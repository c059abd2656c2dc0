"""A category that has causes follows them with the row's noise, by the definition of a Gumbel-max model."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import gumbel_r

import corrigible
from corrigible.errors import DataError
from corrigible.explanations.counterfactuals import Causal, Immutable, counterfactuals
from corrigible.explanations.counterfactuals.effects_on_levels import held_levels, learned_logits


def scores_by_definition(logits, held):
    """The largest at its median, the others at theirs given that they are smaller, by SciPy's quantiles."""
    top = gumbel_r.ppf(0.5, loc=np.log(np.exp(logits).sum()))
    found = [gumbel_r.ppf(0.5 * gumbel_r.cdf(top, loc=logit), loc=logit) for logit in logits]
    found[held] = top
    return np.array(found)


def test_the_level_is_that_of_the_definition():
    rng = np.random.default_rng(0)
    before, after = rng.normal(size=(2, 200, 4))
    held = rng.integers(0, 4, 200)
    expected = [
        (scores_by_definition(row, level) - row + other).argmax()
        for row, other, level in zip(before, after, held, strict=True)
    ]
    assert held_levels(before, after, held).tolist() == expected
    assert len(set(expected)) == 4


def test_a_level_gives_way_only_to_one_that_became_likelier_against_it():
    rng = np.random.default_rng(1)
    before, after = rng.normal(size=(2, 500, 3))
    held = rng.integers(0, 3, 500)
    found, rows = held_levels(before, after, held), np.arange(500)
    assert (held_levels(before, before + 7, held) == held).all()
    gain = (after - before)[rows, found] - (after - before)[rows, held]
    assert (found != held).any() and (gain[found != held] > 0).all()


def test_learned_logits_are_those_of_the_data():
    rng = np.random.default_rng(2)
    x = rng.normal(3, 2, size=(5_000, 2))
    logits = x @ np.array([[1.0, 0.0], [0.0, -1.0]]) + np.array([0.5, 0.0])
    level = (logits + rng.gumbel(size=logits.shape)).argmax(axis=1)
    found = learned_logits(x, level, 2, ridge=1e-6)
    difference = found[:, 0] - found[:, 1]
    assert difference == pytest.approx([1.0, 1.0, 0.5], abs=0.25)


@pytest.fixture(scope="module")
def workers():
    rng = np.random.default_rng(3)
    years = rng.integers(0, 20, 400)
    frame = pd.DataFrame({"years": years, "pay": rng.normal(30, 5, 400).round(1)})
    frame["grade"] = np.where(years + rng.normal(0, 0.5, 400) > 10, "senior", "junior")
    frame["one"] = np.where(rng.random(400) < 0.5, "a", "b")
    frame["y"] = rng.choice(["no", "yes"], 400)
    encoder = corrigible.encoder_of(frame, target="y")
    return frame, encoder, corrigible.encode(frame, encoder).x


def of_grade(encoder):
    """Yes for seniors."""
    senior = encoder.columns.names.index("grade=senior")

    def scores(x):
        return torch.stack([0.5 - x[:, senior], x[:, senior] - 0.5], dim=1) + 0 * x[:, :2]

    return scores


def test_a_category_follows_its_cause_and_is_said(workers):
    rows, encoder, x = workers
    young = x[((rows.years < 8) & (rows.grade == "junior")).tolist()][:5]
    fixed = [Immutable("pay"), Immutable("one")]
    asked = {"schema": encoder, "rows": x, "plausible": False}
    found = counterfactuals(
        of_grade(encoder), young, constraints=[Causal({"grade": ["years"]}), *fixed], k=2, starts=4, **asked
    )
    assert found.is_found[:, 0].all()
    frame = found.frame()
    by_years = frame[frame.changed == "years"]
    assert len(by_years) and (by_years.effects == "grade").all() and (by_years.grade == "senior").all()
    assert (by_years.prediction == "yes").all() and by_years.years.between(9, 19).all()
    assert "which makes grade senior in place of junior" in found.in_words(int(by_years.row.iloc[0]))
    kept = counterfactuals(
        of_grade(encoder), young, constraints=[Causal({"grade": ["years"]}), Immutable("grade"), *fixed], **asked
    )
    assert not kept.is_found.any()


def test_an_effect_that_cannot_be_learned_is_refused(workers):
    frame, encoder, x = workers
    juniors, causal = x[(frame.grade == "junior").tolist()], [Causal({"grade": ["years"]})]
    with pytest.raises(DataError, match="'grade' holds one value in all rows"):
        counterfactuals(of_grade(encoder), juniors[:2], schema=encoder, rows=juniors, constraints=causal)
