"""Membership inference: LiRA by its definition, an overfitted network, an honest one, and what is refused."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.distributions import Normal

from corrigible import Measurement, membership_inference
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError, UnsupportedModelError
from corrigible.metrics.attack_success import attack_auc
from corrigible.protocols.privacy.attacked_rows import attacked_rows
from corrigible.protocols.privacy.lira import likelihood_ratio, standard_score
from corrigible.protocols.privacy.measured_success import success_of
from corrigible.protocols.privacy.shadow_models import ShadowModels, parts_to_see, trained_shadows
from corrigible.protocols.schedule import Schedule, run
from of_tasks import CHOICES, data_of, model_of

SCHEDULE = Schedule(epochs=25, batch_size=30, learning_rate=0.03)


def rows(count: int, seed: int) -> TensorData:
    """Inputs that hardly tell the label, so that a network must learn rows by heart."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(count, 8, generator=generator)
    return TensorData(x, (x[:, 0] + 2 * torch.randn(count, generator=generator) > 0).long())


MEMBERS, OTHERS, UNSEEN = rows(60, 1), rows(60, 2), rows(60, 3)


@pytest.fixture(scope="module")
def overfitted() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 48), nn.BatchNorm1d(48), nn.ReLU(), nn.Linear(48, 2))
    for _ in run(model, MEMBERS, SCHEDULE):
        pass
    return model


@pytest.fixture(scope="module")
def shadows(overfitted) -> ShadowModels:
    return trained_shadows(overfitted, attacked_rows(overfitted, MEMBERS, OTHERS), 4, replace(SCHEDULE, epochs=12))


def seen_by(num_models: int, num_rows: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.rand(num_models, num_rows, generator=generator).argsort(0).argsort(0) < count


@pytest.mark.parametrize("num_models", [7, 64])
def test_the_likelihood_ratio_by_its_definition(num_models):
    generator = torch.Generator().manual_seed(0)
    margins = torch.randn(num_models, 5, generator=generator, dtype=torch.float64)
    margin, seen = torch.randn(5, generator=generator, dtype=torch.float64), seen_by(num_models, 5, 3)
    of_row = [[margins[:, row][kind[:, row]] for row in range(5)] for kind in (seen, ~seen)]
    if num_models < 64:
        pooled = [torch.cat([values - values.mean() for values in kind]).square().sum() for kind in of_row]
        spreads = [[(pooled[0] / (5 * 2)).sqrt()] * 5, [(pooled[1] / (5 * (num_models - 4))).sqrt()] * 5]
    else:
        spreads = [[values.std() for values in kind] for kind in of_row]
    ratio, score = likelihood_ratio(margin, margins, seen), standard_score(margin, margins, seen)
    for row in range(5):
        was, was_not = (Normal(of_row[kind][row].mean(), spreads[kind][row]) for kind in (0, 1))
        assert ratio[row] == pytest.approx(float(was.log_prob(margin[row]) - was_not.log_prob(margin[row])))
        assert Normal(0.0, 1.0).cdf(score[row]) == pytest.approx(float(was_not.cdf(margin[row])))


def test_each_row_is_seen_by_as_many_shadow_models():
    found = parts_to_see(attacked_rows(nn.Linear(8, 2), MEMBERS, OTHERS), 9, 0)
    assert found.sum(dim=0).unique().tolist() == [4]
    few = parts_to_see(attacked_rows(nn.Linear(8, 2), rows(10, 4), OTHERS), 6, 0)
    assert few.sum(dim=0).unique().tolist() == [2]
    assert len({tuple(row) for row in found.T.tolist()}) > 60  # At random, not in blocks.


def test_an_overfitted_network_is_attacked(overfitted, shadows):
    found = {
        method: membership_inference(
            overfitted, MEMBERS, OTHERS, method=method, shadow_models=shadows, num_resamples=200
        )
        for method in ("loss", "lira", "offline_lira")
    }
    for one in found.values():
        low = one.success[0].low
        assert low is not None and low > 0.6
        assert one.auc == attack_auc(one.member_scores, one.other_scores)


@pytest.mark.parametrize("method", ["loss", "lira", "offline_lira"])
def test_an_honest_network_is_not(overfitted, shadows, method):
    rows_of_both = attacked_rows(overfitted, OTHERS, UNSEEN)
    fresh = trained_shadows(overfitted, rows_of_both, 4, replace(SCHEDULE, epochs=4)) if method != "loss" else 4
    found = membership_inference(overfitted, OTHERS, UNSEEN, method=method, shadow_models=fresh, num_resamples=200)
    low, high = found.success[0].low, found.success[0].high
    assert low is not None and high is not None and low < 0.5 < high
    assert found.num_shadow_models == (0 if method == "loss" else 4)


def test_the_loss_orders_rows_as_the_task_does(overfitted):
    found = membership_inference(overfitted, MEMBERS, OTHERS, num_resamples=0)
    with torch.no_grad():
        model = copy.deepcopy(overfitted).eval().double()
        losses = [
            nn.functional.cross_entropy(model(part.x.double()), part.y, reduction="none") for part in (MEMBERS, OTHERS)
        ]
    assert found.auc == pytest.approx(attack_auc(-losses[0], -losses[1]), abs=0.002)  # Rounding, in float32.
    assert found.success[0].low is None


@pytest.mark.parametrize("choice", sorted(set(CHOICES) - {"ranking"}))
def test_every_task_has_a_loss_to_attack(choice):
    data = data_of(choice)
    halves = [
        replace(
            data,
            x=data.x[part],
            y=data.y[part],
            group=None,
            extra={name: values[part] for name, values in data.extra.items()},
        )
        for part in (slice(0, 30), slice(30, 60))
    ]
    training = Schedule(epochs=1)
    found = membership_inference(
        model_of(data), *halves, method="lira", shadow_models=4, schedule=training, num_resamples=10
    )
    assert 0 <= found.auc <= 1


def test_a_ranking_has_none():
    data = data_of("ranking")
    with pytest.raises(UnsupportedModelError, match="no.* loss of its own"):
        membership_inference(model_of(data), data, data)


def test_the_model_and_the_random_state_stay(overfitted):
    model, state = copy.deepcopy(overfitted).train(), torch.get_rng_state()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    membership_inference(
        model, MEMBERS, OTHERS, method="lira", shadow_models=4, schedule=Schedule(epochs=1), num_resamples=2
    )
    assert model.training and torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_what_the_rows_cannot_say_is_not_measured(overfitted, shadows):
    found = membership_inference(overfitted, MEMBERS, OTHERS, method="lira", shadow_models=shadows, num_resamples=5)
    measured = {one.metric: one for one in found.measurements()}
    assert all(isinstance(one, Measurement) for one in measured.values())
    assert measured["membership_tpr_at_1pct_fpr"].value is None
    assert "100 other rows are needed, there are 60" in str(found)
    assert "an attacker with more of them finds more" in found.notes[0]
    assert repr(found) == str(found) and "<table" in found._repr_html_()


def test_shadow_models_are_kept_and_found_again(tmp_path, monkeypatch):
    model, data = nn.Linear(8, 2), attacked_rows(nn.Linear(8, 2), MEMBERS, OTHERS)
    how = {"training": Schedule(epochs=1), "folder": tmp_path}
    first = trained_shadows(model, data, 4, **how)
    sorted(tmp_path.iterdir())[2].unlink()
    trained = []

    def counted(*given, **named):
        trained.append(given)
        return run(*given, **named)

    monkeypatch.setattr("corrigible.protocols.privacy.shadow_models.run", counted)
    again = trained_shadows(model, data, 4, **how)
    assert len(trained) == 1
    assert torch.equal(first.margins(data), again.margins(data))
    trained_shadows(model, data, 4, training=Schedule(epochs=2), folder=tmp_path)
    assert len(trained) == 5
    with pytest.raises(RecipeError, match="leave folder out"):
        trained_shadows(model, data, 4, lambda network, rows, seed: network, folder=tmp_path)


def test_shadow_models_begin_and_train_as_they_are_told():
    start, data = nn.Linear(8, 2), attacked_rows(nn.Linear(8, 2), MEMBERS, OTHERS)
    sizes = []

    def training(network, rows, seed):
        sizes.append((len(rows), seed))
        assert torch.equal(network.weight, start.weight) and network is not start
        return network

    found = trained_shadows(nn.Linear(8, 2), data, 4, training, start=start)
    assert [size for size, _ in sizes] == found.has_seen.sum(dim=1).tolist()
    assert len({seed for _, seed in sizes}) == 4
    fresh = trained_shadows(start, data, 4, lambda network, rows, seed: network)
    assert len({float(network.weight.detach().sum()) for network in (*fresh.networks, start)}) == 5


def test_weights_of_rows_reach_the_shadow_models():
    weighted = replace(MEMBERS, weight=torch.full((60,), 3.0))
    found = attacked_rows(nn.Linear(8, 2), weighted, OTHERS).data.weight
    assert found is not None and found.tolist() == [3.0] * 60 + [1.0] * 60
    assert attacked_rows(nn.Linear(8, 2), MEMBERS, OTHERS).data.weight is None


def test_what_is_refused(overfitted, shadows):
    mixed = TensorData(torch.cat([OTHERS.x, MEMBERS.x[4:6]]), torch.cat([OTHERS.y, MEMBERS.y[4:6]]))
    with pytest.raises(DataError, match="2 of the 62 others are members too, the first is row 60 .* row 4"):
        membership_inference(overfitted, MEMBERS, mixed)
    relabelled = TensorData(MEMBERS.x, 1 - MEMBERS.y)
    assert membership_inference(overfitted, MEMBERS, relabelled, num_resamples=0).auc > 0.5  # Other rows, other labels.
    with pytest.raises(RecipeError, match="unknown method 'liar'.*did you mean 'lira'"):
        membership_inference(overfitted, MEMBERS, OTHERS, method="liar")
    with pytest.raises(RecipeError, match="shadow_models is 3"):
        membership_inference(overfitted, MEMBERS, OTHERS, method="lira", shadow_models=3)
    with pytest.raises(DataError, match=r"120 rows.*expected 122 rows"):
        membership_inference(overfitted, rows(62, 7), OTHERS, method="lira", shadow_models=shadows)
    with pytest.raises(DataError, match="same kind of rows"):
        membership_inference(overfitted, MEMBERS, TensorData(torch.zeros(5, 7), torch.arange(5) % 2))


def test_a_single_row_has_no_interval():
    apart = torch.tensor([1.0], dtype=torch.float64), torch.tensor([0.0, 0.5], dtype=torch.float64)
    for scores in (apart, apart[::-1]):
        assert all(found.low is None for found in success_of(scores, num_resamples=20, seed=0)[:2])
