"""Whole audits: what they say of a model whose faults are known, how they print, and the page."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

import corrigible
from corrigible.auditing.headings import HEADINGS
from corrigible.auditing.sections import TITLES
from corrigible.errors import CorrigibleError

ROWS = 300


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"age": rng.integers(20, 70, ROWS), "sex": rng.choice(["f", "m"], ROWS)})
    X["hobby"] = np.where((X.sex == "m") ^ (rng.random(ROWS) < 0.1), "fishing", "riding")
    return X, pd.Series(np.where(X.age / 50 + (X.sex == "m") + rng.normal(size=ROWS) > 1.5, "yes", "no"), name="claim")


def chance(frame):
    return 1 / (1 + np.exp(-(frame.age / 50 + 2 * (frame.sex == "m") - 1.5)))


@pytest.fixture(scope="module")
def found(rows):
    X, y = rows
    causes = {"hobby": ["sex"]}
    return corrigible.audit(
        chance,
        X,
        y,
        sensitive_features="sex",
        forbidden=["sex"],
        causes=causes,
        directions={"age": 1},
        num_resamples=20,
    )


def test_the_facts_are_those_of_the_model(rows, found):
    X, y = rows
    assert found.positive == "yes" and found.leaks == ()
    gap = {g.measured.metric: g.measured.value for g in found.groups[0].gaps}["demographic_parity_difference"]
    rates = (chance(X) > 0.5).groupby(X.sex).mean()
    assert gap == pytest.approx(rates.max() - rates.min())
    (group,) = [group for group in found.groups[0].groups if group.name == "m"]
    at = X.sex == "m"
    assert group.label.value == pytest.approx((y[at] == "yes").mean())
    assert group.quality.value == pytest.approx(((chance(X) > 0.5) == (y == "yes"))[at].mean())
    assert found.proxies[0].columns[0].name == "hobby"
    assert found.reliance[0].mean > 0.2 and found.reliance_on_proxies[0].largest == 0
    assert found.flips[0].direct.mean == found.flips[0].whole.mean  # The model does not look at the hobby.
    assert [breach.largest for breach in found.breaches] == [0]


def test_it_prints_every_part_and_says_what_is_not_measured(rows, found):
    X, y = rows
    text = str(found)
    assert all(f"{title}:" in text for title, _ in TITLES.values())
    assert "! sex: the share predicted as positive (demographic parity) differs between groups by" in text
    plain = corrigible.audit(chance, X, y, num_resamples=0)
    missing = [part.title for part in plain.sections if part.not_measured]
    assert missing == ["Groups", "Proxies", "Reliance on forbidden columns", "Counterfactual flips", "Directions"]
    assert all(f"{title}: not measured, it needs" in str(plain) for title in missing)
    assert "<table" in found._repr_html_()


def test_the_page_answers_every_heading_and_loads_nothing(found, tmp_path):
    path = found.save(tmp_path / "audit.html", title="Audit <of> a model")
    html = path.read_text()
    assert html == found.html(title="Audit <of> a model") and "Audit &lt;of&gt; a model" in html
    assert not re.findall(r'(?:src|href)="(?!#|data:)', html)
    assert {part for heading in HEADINGS for part in heading.parts} <= set(TITLES)
    for key in TITLES:
        assert f'<section id="{key}">' in html
    assert "ICOBS 6B" in html and "Article 15" in html and "prices of renewals" in html


@pytest.mark.slow
def test_pipelines_amounts_and_several_classes(rows):
    X, y = rows
    pipeline = make_pipeline(OneHotEncoder(handle_unknown="ignore"), LogisticRegression()).fit(X[["sex", "hobby"]], y)
    two = corrigible.audit(pipeline, X[["sex", "hobby"]], y, sensitive_features=X.sex, num_resamples=0)
    assert two.groups[0].attribute == "sex" and two.is_of_classes
    amounts = corrigible.audit(
        lambda frame: 2.0 * frame.age, X, 3.0 * X.age, exposure=np.ones(ROWS), sensitive_features=X.age, num_resamples=0
    )
    assert not amounts.is_of_classes and len(amounts.groups[0].groups) == 4
    assert amounts.groups[0].groups[0].quality.value == pytest.approx(
        X.age[X.age <= X.age.quantile(0.25)].mean(), rel=0.1
    )
    three = np.array(["a", "b", "c"])[X.age % 3]
    several = corrigible.audit(
        lambda frame: np.eye(3)[frame.age % 3], X, three, sensitive_features=X.sex, num_resamples=0
    )
    assert several.quality[0].value == 1


@pytest.mark.slow
def test_several_attributes_are_audited_together_too(rows):
    X, y = rows
    attributes = pd.DataFrame({"sex": X.sex, "old": np.where(X.age > 60, "old", "young")})
    found = corrigible.audit(chance, X, y, sensitive_features=attributes, num_resamples=0)
    assert [one.attribute for one in found.groups] == ["sex", "old", "sex and old"]
    both = attributes.value_counts()
    assert {group.name: group.rows for group in found.groups[2].groups} == {", ".join(k): v for k, v in both.items()}


@pytest.mark.slow
def test_columns_of_every_kind_are_read():
    rng = np.random.default_rng(1)
    X = pd.DataFrame(
        {
            "same": 1.0,
            "empty": np.nan,
            "date": pd.date_range("2020-01-01", periods=80, tz="UTC"),
            "flag": rng.random(80) < 0.5,
            "nullable": pd.array([None, *range(79)], dtype="Int64"),
            "truth": pd.array([None, True, False, True] * 20, dtype="boolean"),
            "name": [f"n{row}" for row in range(80)],
            "category": pd.Categorical(["a", None] * 40, categories=["a", "z"]),
            "mixed": [1, "a", 2.5, None] * 20,
            "infinite": [np.inf, 0.0, 1.0, 2.0] * 20,
        }
    )
    causes = {"nullable": ["truth"], "mixed": ["truth"], "category": ["truth"], "flag": ["truth"]}
    found = corrigible.audit(
        lambda frame: 0.5 + 0.4 * frame.flag.to_numpy(bool), X, X.flag, sensitive_features="truth", causes=causes,
        forbidden="truth", num_resamples=0,
    )  # fmt: skip
    assert [leak.column for leak in found.leaks] == ["flag"] and found.flips[0].direct.largest == 0
    assert found.flips[0].whole.rows == 60


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"y": [1, 2]}, "y has 2 values"),
        ({"sensitive_features": "race"}, "unknown column 'race'"),
        ({"sensitive_features": ["a"] * ROWS}, "holds one value"),
        ({"forbidden": ["sxe"]}, "did you mean 'sex'"),
        ({"exposure": np.zeros(ROWS)}, "is not above 0"),
        ({"causes": {"age": ["age"]}}, "circle"),
        ({"y": ["yes"] * ROWS}, "at least two classes"),
        ({"X": [1, 2, 3]}, "expected a data frame"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(rows, settings, words):
    X, y = rows
    given = {"X": X, "y": y, **settings}
    with pytest.raises(CorrigibleError, match=words) as raised:
        corrigible.audit(chance, given.pop("X"), given.pop("y"), **given)
    assert "\n" not in str(raised.value)
