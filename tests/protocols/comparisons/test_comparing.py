"""Several methods on the same feedback."""

import numpy as np
import pytest
import torch
from torch import nn

from corrigible import Feedback, correct
from corrigible.data.dataset import TensorData
from corrigible.errors import UnsupportedModelError
from corrigible.feedback.masks import marks_of
from corrigible.penalties import FEEDBACK_LOSSES, FEEDBACK_PENALTIES, PENALTIES, RELEVANCE_PENALTIES
from corrigible.protocols.comparisons.comparing import WITHOUT_FEEDBACK, Candidate, candidate, compare, methods_for
from corrigible.protocols.comparisons.step_costs import step_costs
from corrigible.protocols.corrections.judged_rows import rows_to_judge
from corrigible.protocols.schedule import Schedule, result_of, run
from verdicts import CORRECTED, FAILED

X = torch.randn(80, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 1] > 0).long()
X[:, 0] = 2.0 * Y - 1.0  # Tells the label, and must not matter.
FIRST = np.array([True, False, False, False])
RULE = [Feedback(FIRST, scope="dataset")]
TEST = X.clone()
TEST[:, 0] = TEST[:, 0].roll(1)


@pytest.fixture(scope="module")
def fooled() -> nn.Module:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 8), nn.SiLU(), nn.Linear(8, 2))
    return correct(model, (X, Y), [Feedback(FIRST, row=0)], penalties={}, epochs=20, learning_rate=0.01)


def unfit(forward, batch):
    raise UnsupportedModelError("no layer that this looks at")


def test_the_table_ranks_by_swap_score_and_says_what_could_not_be_applied(fooled, monkeypatch):
    monkeypatch.setitem(PENALTIES, "unfit", unfit)
    methods = {
        "gradients": {"right_reasons": "auto"},
        "weakly": {"right_reasons": 1e-6},
        "unfit": {"unfit": 1.0},
    }
    told = {"test": (TEST, Y), "test_feedback": RULE, "methods": methods, "epochs": 12, "learning_rate": 0.01}
    found = compare(fooled, (X, Y), RULE, **told)
    assert list(found.index) == ["gradients", *found.index[1:3], "unfit"]
    assert set(found.index[1:3]) == {"weakly", WITHOUT_FEEDBACK}
    assert found.loc["unfit", "note"] == "penalty 'unfit': no layer that this looks at"
    assert found.loc["unfit"].drop("note").isna().all()
    assert found.loc["gradients", "swapped_accuracy"] > found.loc[WITHOUT_FEEDBACK, "swapped_accuracy"] + 0.2
    assert found.loc["gradients", "attribution_overlap"] < found.loc[WITHOUT_FEEDBACK, "attribution_overlap"] / 2
    assert found.loc["gradients", "weights"]["right_reasons"] > 0
    assert found.loc["weakly", "weights"] == {}
    assert found["step_cost"].dropna().gt(0).all()


def test_a_method_in_the_table_is_what_correct_gives(fooled):
    methods = {"gradients": {"right_reasons": {"weight": 3.0, "norm": "l1"}}}
    found = compare(fooled, (X, Y), RULE, test=(TEST, Y), methods=methods, epochs=2)
    model = correct(fooled, (X, Y), RULE, penalties=methods["gradients"], epochs=2)
    assert found.loc["gradients", "accuracy"] == (model(TEST).argmax(1) == Y).double().mean()


def test_methods_are_those_that_the_feedback_serves():
    data = TensorData(X, Y)
    relevant = [Feedback(~FIRST, "relevant", row=2)]
    about_irrelevant = set(FEEDBACK_PENALTIES) | set(FEEDBACK_LOSSES) | {"transplant"}
    assert set(methods_for(marks_of(RULE, data), data)) == about_irrelevant
    assert set(methods_for(marks_of(relevant, data), data)) == set(RELEVANCE_PENALTIES) | {"energy_outside"}
    assert set(methods_for(marks_of(RULE + relevant, data), data)) == about_irrelevant | set(RELEVANCE_PENALTIES)


def test_a_costly_method_costs_more_and_the_model_stays_as_it_is(fooled, monkeypatch):
    def slow(forward, batch):
        for _ in range(500):
            value = forward.model(batch.x).square().mean()
        return value

    monkeypatch.setitem(PENALTIES, "slow", slow)
    before = [p.clone() for p in fooled.parameters()]
    data = TensorData(X, Y)
    methods = {"slow": {"slow": {"weight": 0.0}}, "none": {}}
    costs = step_costs(fooled, data, marks_of(RULE, data), methods, Schedule(batch_size=16))
    assert costs["slow"] > 2 * costs["none"]
    assert all(torch.equal(p, old) for p, old in zip(fooled.parameters(), before, strict=True))


def test_rows_that_taught_lend_what_is_marked_on_them_to_those_that_judge():
    x, y = torch.full((12, 1, 3, 3), 0.2), torch.arange(12) % 2
    x[torch.arange(12), 0, y, y] = 1.0
    images, said = TensorData(x, y), [Feedback(x[row, 0].numpy() < 1, row=row) for row in range(12)]
    model = nn.Sequential(nn.Flatten(), nn.Linear(9, 2, bias=False))
    with torch.no_grad():
        model[1].weight.zero_()
        model[1].weight[0, 0] = model[1].weight[1, 4] = 50.0
    running = candidate(model, images, said, method={}, schedule=Schedule(epochs=1, learning_rate=1e-9))
    assert result_of(running).swap_score > -1e-6


@pytest.mark.parametrize(
    "method", [{"right_reasons": 2.0}, {"transplant": {}}, {"right_reasons": 2.0, "transplant": {}}]
)
def test_swap_scores_are_those_of_a_model_that_was_not_taught_with_the_rows(fooled, monkeypatch, method):
    """The judged rows never reach the model that is scored, while the model that is kept learns from all."""
    data, said, schedule = TensorData(X, Y), [Feedback(FIRST, row=row) for row in range(8)], Schedule(epochs=3)
    taught = []

    def noting(model, *where, **settings):
        taught.append((model, settings))
        yield from run(model, *where, **settings)

    monkeypatch.setattr("corrigible.protocols.corrections.trials.run", noting)
    found = result_of(candidate(fooled, data, said, method=method, schedule=schedule))
    penalties, augment = ({n: v for n, v in method.items() if (n == "transplant") == moves} for moves in (False, True))
    of_all = correct(fooled, (X, Y), said, penalties=penalties, augment=augment, epochs=3)
    assert all(torch.equal(p, q) for p, q in zip(found.model.parameters(), of_all.parameters(), strict=True))
    assert found.verdict == of_all.verdict
    ((scored, settings),) = taught
    judge = rows_to_judge(data, marks_of(said, data), said, None).folds(0)[0].judge
    assert found.swap_score == judge.score(scored) != judge.score(found.model)
    judged = torch.cat([judge.exchanges.swap_index, judge.exchanges.wear_index])
    assert not bool(torch.isin(settings["rows"], judged).any())
    marks = settings["marks"] or settings["augment"][0].keywords["cues"].marks
    assert marks.irrelevant.by_row.keys().isdisjoint(judged.tolist())


def test_what_was_trained_without_feedback_has_no_verdict(fooled):
    said = [Feedback(FIRST, row=row) for row in range(8)]
    found = result_of(candidate(fooled, TensorData(X, Y), said, method={}, schedule=Schedule(epochs=1)))
    assert found.verdict is None
    assert found.swap_score < 0


def test_a_method_that_failed_stands_below_those_that_did_not_whatever_its_score(fooled, monkeypatch):
    def scripted(model, dataset, feedback, *, method, **settings):
        yield from ()
        if "unfit" in method:
            raise UnsupportedModelError("no layer that this looks at")
        return Candidate(model, {}, *((-0.1, FAILED) if "fails" in method else (-0.5, CORRECTED)))

    monkeypatch.setattr("corrigible.protocols.comparisons.comparing.candidate", scripted)
    monkeypatch.setattr("corrigible.protocols.comparisons.comparing.step_costs", lambda *a, **k: {})
    methods = {"unfit": {"unfit": 1}, "fails": {"fails": 1}, "works": {}}
    found = compare(fooled, (X, Y), RULE, test=(TEST, Y), methods=methods, metrics=[])
    assert list(found.index) == [WITHOUT_FEEDBACK, "works", "fails", "unfit"]
    assert found["verdict"].tolist()[:3] == ["corrected", "corrected", "failed"]
