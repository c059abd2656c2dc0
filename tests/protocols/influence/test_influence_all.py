"""Influence on whole data sets of queries: as it is of all queries at once, whatever interrupts the work."""

import pytest
import torch
from torch import nn

from corrigible import Feedback, TensorData
from corrigible.errors import DataError, RecipeError, StudyError, TrainingDivergedError
from corrigible.explanations.shards import explain_all, writing
from corrigible.protocols.fresh_training import train
from corrigible.protocols.influence import answering
from corrigible.protocols.influence.influence import influence
from corrigible.protocols.influence.influence_all import influence_all, read_influence
from corrigible.protocols.influence.kept import strongest
from corrigible.protocols.schedule import Schedule
from fitted import rows

X, Y = rows(40)
QUERY = rows(9, seed=1)
SCHEDULE = Schedule(epochs=2)
METHODS = ["exact", "conjugate_gradients", "ek_fac", "last_layer", "gradient_similarity", "replay"]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)).double()


@pytest.fixture(scope="module")
def model():
    return train(network(), TensorData(X, Y), epochs=2)


def settings(method):
    how = {"method": method, "schedule": SCHEDULE}
    return how | ({"start": network()} if method == "replay" else {"damping": 0.1})


def whole(folder, sizes=(4, 4, 1)):
    parts = list(read_influence(folder))
    assert [len(part.values) for part in parts] == list(sizes)
    assert torch.cat([part.queries for part in parts]).tolist() == list(range(sum(sizes)))
    return parts


@pytest.mark.parametrize("method", METHODS)
def test_shards_hold_what_all_queries_give_at_once(model, tmp_path, method, monkeypatch):
    how = settings(method)
    direct = influence(model, TensorData(X, Y), QUERY, **how)
    monkeypatch.setattr(answering, "rows_in_memory", lambda index, count: index.split(7))
    list(influence_all(model, TensorData(X, Y), QUERY, tmp_path, keep="all", rows_per_shard=4, **how))
    parts = whole(tmp_path)
    rtol = 1e-3 if method == "conjugate_gradients" else 1e-6  # Which end at a residual.
    assert torch.allclose(torch.cat([part.values for part in parts]), direct.values, rtol=rtol, atol=1e-7)
    for field in ("method", "unit", "damping", "smallest_eigenvalue", "kinks", "difference", "warnings"):
        assert all(getattr(part, field) == getattr(direct, field) for part in parts)
    assert all(part.gradient_norm == direct.gradient_norm for part in parts)


@pytest.mark.parametrize("method", ["exact", "replay"])
def test_the_strongest_rows_are_those_of_all_influences(model, tmp_path, method, monkeypatch):
    how = settings(method)
    direct = influence(model, TensorData(X, Y), QUERY, **how)
    monkeypatch.setattr(answering, "rows_in_memory", lambda index, count: index.split(7))
    list(influence_all(model, TensorData(X, Y), QUERY, tmp_path, keep=5, rows_per_shard=4, **how))
    for part in whole(tmp_path):
        assert part.values.shape == part.rows.shape == (len(part.queries), 10)
        for place, query in enumerate(part.queries.tolist()):
            for name in ("most_helpful", "most_harmful"):
                kept, expected = getattr(part, name)(place), getattr(direct, name)(query, 5)
                assert [one.row for one in kept] == [one.row for one in expected]
                assert [one.value for one in kept] == pytest.approx([one.value for one in expected], rel=1e-5)
        assert f"query {int(part.queries[0])}: helps" in str(part) and "up to 10 training rows each" in str(part)


def test_of_equal_influences_the_first_rows_are_kept_and_others_are_not_made_up():
    values = torch.tensor([[1.0, 2.0, 2.0, torch.nan, -1.0, 0.0]])
    kept, index = strongest(values, torch.arange(6)[None], 2)
    assert index.tolist() == [[1, 2, 4, -1]]
    assert kept[0, :3].tolist() == [2.0, 2.0, -1.0] and bool(kept[0, 3].isnan())


def test_only_the_nearest_rows_are_held_where_they_are_asked_for(model, tmp_path):
    direct = influence(model, TensorData(X, Y), QUERY, nearest=6, damping=0.1).values
    list(influence_all(model, TensorData(X, Y), QUERY, tmp_path, keep="all", nearest=6, damping=0.1, rows_per_shard=4))
    parts = whole(tmp_path)
    values, index = (torch.cat([getattr(part, name) for part in parts]) for name in ("values", "rows"))
    assert values.shape == (9, 6)
    assert torch.allclose(direct.gather(1, index), values, rtol=1e-6)
    assert int((~direct.isnan()).sum()) == values.numel()


def test_an_interrupted_call_goes_on_with_the_missing_shards(model, tmp_path, monkeypatch):
    data, how = TensorData(X, Y), {"rows_per_shard": 4, "keep": 3, "method": "conjugate_gradients", "damping": 0.1}
    records = influence_all(model, data, QUERY, tmp_path / "cut", **how)
    planned = next(records)
    assert (planned.num_rows, planned.num_shards, planned.num_kept) == (9, 3, 0)
    next(records)
    records.close()
    with pytest.raises(StudyError, match="2 of 3 shards are missing"):
        list(read_influence(tmp_path / "cut"))
    made = []
    inverse = answering.METHODS["conjugate_gradients"]
    monkeypatch.setitem(answering.METHODS, "conjugate_gradients", lambda *given: made.append(1) or inverse(*given))
    assert next(influence_all(model, data, QUERY, tmp_path / "cut", **how)).num_kept == 1
    assert not made
    list(influence_all(model, data, QUERY, tmp_path / "cut", **how))
    assert len(made) == 1  # For two shards.
    list(influence_all(model, data, QUERY, tmp_path / "whole", **how))
    for path in (tmp_path / "whole").iterdir():
        assert path.read_bytes() == (tmp_path / "cut" / path.name).read_bytes()
    list(influence_all(model, data, QUERY, tmp_path / "whole", **how))
    assert len(made) == 2  # Nothing was missing.


def test_processes_share_the_shards_and_write_the_same_bytes(model, tmp_path, monkeypatch):
    data, how = TensorData(X, Y), {"rows_per_shard": 4, "keep": 3, "damping": 0.1}
    list(influence_all(model, data, QUERY, tmp_path / "one", **how))
    monkeypatch.setattr(writing, "num_processes", lambda: 2)
    both = [influence_all(model, data, QUERY, tmp_path / "two", **how) for _ in range(2)]
    for number in (0, 1, 1, 0):  # Both have checked what is missing before either writes.
        monkeypatch.setattr(writing, "process_number", lambda number=number: number)
        next(both[number])
    assert len(list((tmp_path / "two").iterdir())) == 3  # The plan and a shard of each.
    for number in (0, 1):
        monkeypatch.setattr(writing, "process_number", lambda number=number: number)
        list(both[number])
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_another_model_data_or_setting_does_not_go_on(model, tmp_path):
    data, how = TensorData(X, Y), {"rows_per_shard": 4, "damping": 0.1}
    begun = influence_all(model, data, QUERY, tmp_path, **how)
    next(begun), next(begun)
    begun.close()
    weighted = TensorData(X, Y, weight=torch.linspace(0.5, 1.5, len(X)))
    others = [
        (network(), data, QUERY, {}),
        (model, TensorData(X, 1 - Y), QUERY, {}),
        (model, weighted, QUERY, {}),
        (model, data, rows(9, seed=2), {}),
        *((model, data, QUERY, other) for other in ({"keep": 7}, {"damping": 0.2}, {"curvature": "gauss_newton"})),
        (model, data, QUERY, {"schedule": SCHEDULE}),
        (model, data, QUERY, {"penalties": {"gradient_size": 0.1}}),
    ]
    for *about, other in others:
        with pytest.raises(StudyError, match="were started differently"):
            list(influence_all(*about, tmp_path, **{**how, **other}))


def test_penalties_and_their_feedback_count_and_other_feedback_does_not_go_on(model, tmp_path):
    marked = torch.tensor([False, False, True])
    said = [Feedback(marked, row=row) for row in (0, 3)]
    how = {"penalties": {"right_reasons": 0.5}, "damping": 0.1}
    direct = influence(model, (X, Y), QUERY, feedback=said, **how)
    list(influence_all(model, (X, Y), QUERY, tmp_path, keep="all", feedback=iter(said), **how))
    (part,) = read_influence(tmp_path)
    assert torch.equal(part.values, direct.values)
    with pytest.raises(StudyError, match="were started differently"):
        list(influence_all(model, (X, Y), QUERY, tmp_path, keep="all", feedback=said[:1], **how))


def test_what_cannot_be_divided_or_read_is_refused(model, tmp_path):
    data = TensorData(X, Y)
    with pytest.raises(RecipeError, match="the query is a function; influence_all is about rows"):
        next(influence_all(model, data, lambda network: network(X).sum(), tmp_path))
    with pytest.raises(RecipeError, match="keep"):
        next(influence_all(model, data, QUERY, tmp_path, keep=0))
    with pytest.raises(RecipeError, match="give schedule=… and start=…"):
        next(influence_all(model, data, QUERY, tmp_path, method="replay"))
    list(explain_all(model, data, tmp_path / "other", method="input_gradient"))
    with pytest.raises(StudyError, match="are of 'input_gradient'; read them with read_shards"):
        list(read_influence(tmp_path / "other"))
    list(influence_all(model, data, QUERY, tmp_path / "mine", damping=0.1))
    (tmp_path / "mine" / "rows-00000.safetensors").write_bytes(b"damaged")
    with pytest.raises(DataError, match="delete it and run influence_all again"):
        list(read_influence(tmp_path / "mine"))


def test_a_query_without_a_finite_influence_is_named_by_its_place(model, tmp_path):
    def loss(forward, batch):
        return forward.task.loss(forward.outputs, batch.y, batch.extra) * torch.where(batch.x[:, 0] == 7, torch.nan, 1)

    x = QUERY[0].clone()
    x[5, 0] = 7.0
    how = {"schedule": Schedule(loss=loss), "rows_per_shard": 4, "damping": 0.1}
    with pytest.raises(TrainingDivergedError, match="no influence on query 5 is a finite number"):
        list(influence_all(model, TensorData(X, Y), (x, QUERY[1]), tmp_path, **how))
