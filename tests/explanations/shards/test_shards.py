"""Whole data sets in shards: the same numbers as `explain`, whatever interrupts or divides the work."""

import copy
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, local
from time import sleep
from typing import Any

import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from corrigible import explain
from corrigible.data.dataset import TensorData
from corrigible.errors import DataError, RecipeError, StudyError
from corrigible.explanations.shards import ShardsPlanned, ShardWritten, explain_all, load_shards, read_shards
from corrigible.explanations.shards import writing as shards
from corrigible.models import table_mlp
from corrigible.types import Columns

COLUMNS = Columns(("age", "site=a", "site=b"), ("age", "site", "site"), (False, True, True))
METHODS: dict[str, dict[str, Any]] = {
    "integrated_gradients": {"steps": 5},
    "input_gradient": {"score": "random_projection"},
    "smooth_grad": {"samples": 4},
    "permutation_shapley": {},
}


class Lazy:
    """Rows that are made when they are asked for; it counts how often."""

    columns = COLUMNS

    def __init__(self, num_rows: int = 11) -> None:
        self.num_rows = num_rows
        self.num_read = 0

    def __len__(self) -> int:
        return self.num_rows

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        self.num_read += 1
        return torch.randn(3, generator=torch.Generator().manual_seed(row)), row % 2

    def rows(self) -> Tensor:
        return torch.stack([self[row][0] for row in range(self.num_rows)])


@pytest.fixture
def model() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = table_mlp(3, 2, hidden=(8,))
        nn.init.normal_(model[-1].weight)
        return model


def begin(*arguments: Any, **settings: Any) -> None:
    """Interrupt it after its first shard."""
    records = explain_all(*arguments, **settings)
    assert [type(next(records)), type(next(records))] == [ShardsPlanned, ShardWritten]
    records.close()


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("format", ["safetensors", "parquet"])
def test_shards_hold_what_explain_gives(method: str, format: str, model: nn.Module, tmp_path: Path) -> None:
    data, settings = Lazy(), METHODS[method]
    list(explain_all(model, data, tmp_path, method=method, format=format, rows_per_shard=4, **settings))
    found, x = load_shards(tmp_path), data.rows()
    assert [len(part) for part in read_shards(tmp_path)] == [4, 4, 3]
    assert found.index.tolist() == list(range(11))
    assert torch.equal(found.target, model.eval()(x).argmax(1)) and len(found.target.unique()) == 2
    expected = explain(model, x, method=method, columns=COLUMNS, **settings)
    torch.testing.assert_close(found.attribution, expected)


def test_parquet_has_a_column_per_column_of_the_table(model: nn.Module, tmp_path: Path) -> None:
    list(explain_all(model, Lazy(), tmp_path, format="parquet", target=1, rows_per_shard=6))
    frame = pd.concat(pd.read_parquet(path) for path in sorted(tmp_path.glob("*.parquet")))
    assert list(frame.columns) == ["index", "target", *COLUMNS.names]
    assert frame["index"].tolist() == list(range(11)) and set(frame["target"]) == {1}
    assert torch.equal(torch.tensor(frame[list(COLUMNS.names)].to_numpy()), load_shards(tmp_path).attribution)


def test_labels_or_one_class_may_be_explained(model: nn.Module, tmp_path: Path) -> None:
    for name, target, expected in (("a", "label", [row % 2 for row in range(11)]), ("b", 0, [0] * 11)):
        list(explain_all(model, Lazy(), tmp_path, name=name, target=target, rows_per_shard=4))
        assert load_shards(tmp_path, name=name).target.tolist() == expected


def test_one_class_may_be_explained_against_another(model: nn.Module, tmp_path: Path) -> None:
    list(explain_all(model, Lazy(), tmp_path, target=1, against=0, steps=4, rows_per_shard=4))
    expected = explain(model, Lazy().rows(), 1, against=0, steps=4, columns=COLUMNS)
    torch.testing.assert_close(load_shards(tmp_path).attribution, expected)


def test_a_single_score_is_explained_itself(tmp_path: Path) -> None:
    def score(x: Tensor) -> Tensor:
        return x.square().sum(dim=1)

    data = Lazy()
    list(explain_all(score, data, tmp_path, rows_per_shard=4))
    torch.testing.assert_close(
        load_shards(tmp_path).attribution, explain(score, data.rows(), columns=COLUMNS), rtol=1e-4, atol=1e-5
    )


def test_images_in_double_precision_and_pairs_of_arrays(tmp_path: Path) -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(8, 3)).double()
    x = torch.randn(5, 2, 2, 2, dtype=torch.float64)
    list(explain_all(net, (x, torch.zeros(5, dtype=torch.long)), tmp_path, rows_per_shard=2))
    assert torch.equal(load_shards(tmp_path).attribution, explain(net, x))


def test_an_interruption_loses_no_shard_and_changes_no_byte(model: nn.Module, tmp_path: Path) -> None:
    whole, folder = tmp_path / "whole", tmp_path / "interrupted"
    records = list(explain_all(model, Lazy(), whole, rows_per_shard=3))
    assert records == [ShardsPlanned("rows", 11, 4, 0), *(ShardWritten("rows", number, 4) for number in (1, 2, 3, 4))]
    begun = explain_all(model, Lazy(), folder, rows_per_shard=3)
    assert [next(begun), next(begun), next(begun)] == records[:3]
    begun.close()
    (folder / f".writing-{'0' * 32}").write_bytes(b"by a process that was killed")
    kept = {name: (folder / name).stat().st_mtime_ns for name in ("rows-00000.safetensors", "rows-00001.safetensors")}

    data = Lazy()
    assert list(explain_all(model, data, folder, rows_per_shard=3)) == [ShardsPlanned("rows", 11, 4, 2), *records[3:]]
    assert data.num_read <= 11 + 1 + 5  # For the fingerprint, for the missing shards.
    assert {name: (folder / name).stat().st_mtime_ns for name in kept} == kept
    assert content(folder) == content(whole)
    assert list(explain_all(model, Lazy(), folder, rows_per_shard=3)) == [ShardsPlanned("rows", 11, 4, 4)]


def test_rows_at_once_and_the_sizes_of_shards_change_rounding_at_most(model: nn.Module, tmp_path: Path) -> None:
    found = []
    for place, (per_shard, at_once) in enumerate([(11, None), (4, 1), (1, 3)]):
        folder = tmp_path / str(place)
        list(explain_all(model, Lazy(), folder, steps=4, rows_per_shard=per_shard, rows_at_once=at_once))
        found.append(load_shards(folder).attribution)
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(found[2], found[0])


def test_processes_share_the_shards(model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list(explain_all(model, Lazy(), tmp_path / "one", rows_per_shard=1, steps=4))
    meeting, here = Barrier(3, timeout=20), local()

    def number_that_is_slow_to_begin() -> int:
        sleep(0.1 if here.number == 0 else 0)
        return here.number

    def wait_and_be_slow_to_look() -> None:
        meeting.wait()
        sleep(0.1 if here.number == 2 else 0)

    monkeypatch.setattr(shards, "num_processes", lambda: 3)
    monkeypatch.setattr(shards, "process_number", number_that_is_slow_to_begin)
    monkeypatch.setattr(shards, "wait_for_all", wait_and_be_slow_to_look)

    def work(number: int) -> list[Any]:
        here.number, records = number, []
        for record in explain_all(copy.deepcopy(model), Lazy(), tmp_path / "three", rows_per_shard=1, steps=4):
            records.append(record)
            num_there = len(list((tmp_path / "three").glob("*.safetensors")))
            assert isinstance(record, ShardsPlanned) or record.number <= num_there
        return records

    with torch.random.fork_rng(), ThreadPoolExecutor(3) as threads:
        told = list(threads.map(work, range(3)))
    assert content(tmp_path / "three") == content(tmp_path / "one")
    assert [len([r for r in records[1:] if r.number < 11]) <= 4 for records in told] == [True] * 3
    assert all(records[-1] == ShardWritten("rows", 11, 11) for records in told)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"steps": 7}, "steps was 5, now 7"),
        ({"seed": 1}, "seed was 0, now 1"),
        ({"target": 1}, "target was predicted, now 1"),
        ({"rows_per_shard": 4}, "rows_per_shard was 3, now 4"),
        ({"format": "parquet"}, "file_format was safetensors, now parquet"),
        ({"method": "input_gradient"}, "method was integrated_gradients, now input_gradient"),
        ({"baseline": torch.ones(3)}, "baseline was None, now sha256:"),
        ({"data": Lazy(12)}, "num_rows was 11, now 12"),
        ({"data": TensorData(torch.zeros(11, 3), torch.zeros(11, dtype=torch.long))}, "data was "),
    ],
)
def test_going_on_with_something_else_is_refused(
    change: dict[str, Any], message: str, model: nn.Module, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {"method": "integrated_gradients", "steps": 5, "rows_per_shard": 3}
    begin(model, Lazy(), tmp_path, **arguments)
    changed = arguments | change
    data = changed.pop("data", Lazy())
    if "method" in change:
        del changed["steps"]
    before = content(tmp_path)
    with pytest.raises(StudyError, match="started differently") as error:
        list(explain_all(model, data, tmp_path, **changed))
    assert message in str(error.value)
    assert content(tmp_path) == before


def test_other_weights_are_refused_and_a_plan_without_shards_binds_nobody(model: nn.Module, tmp_path: Path) -> None:
    other = table_mlp(3, 2, hidden=(8,))
    begin(model, Lazy(), tmp_path, rows_per_shard=3)
    with pytest.raises(StudyError, match="weights was"):
        list(explain_all(other, Lazy(), tmp_path, rows_per_shard=3))
    (tmp_path / "rows-00000.safetensors").unlink()
    list(explain_all(other, Lazy(), tmp_path, rows_per_shard=3))
    torch.testing.assert_close(load_shards(tmp_path).attribution, explain(other, Lazy().rows(), columns=COLUMNS))


def test_another_structure_with_the_same_weights_is_refused(tmp_path: Path) -> None:
    first, other = (nn.Sequential(nn.Linear(3, 4), kind(), nn.Linear(4, 2)) for kind in (nn.ReLU, nn.Tanh))
    other.load_state_dict(first.state_dict())
    begin(first, Lazy(), tmp_path, rows_per_shard=3)
    with pytest.raises(StudyError, match="weights was"):
        list(explain_all(other, Lazy(), tmp_path, rows_per_shard=3))


def test_shards_whose_plan_is_gone_are_not_taken_over(model: nn.Module, tmp_path: Path) -> None:
    begin(model, Lazy(), tmp_path, rows_per_shard=3)
    (tmp_path / "rows-plan.json").unlink()
    with pytest.raises(StudyError, match="without rows-plan.json"):
        list(explain_all(model, Lazy(), tmp_path, rows_per_shard=3))


def test_a_changed_row_in_memory_is_noticed(model: nn.Module, tmp_path: Path) -> None:
    x = torch.randn(500, 3)
    data = TensorData(x, torch.zeros(500, dtype=torch.long))
    begin(model, data, tmp_path, rows_per_shard=100)
    x[77, 1] += 1e-6
    with pytest.raises(StudyError, match="data was"):
        list(explain_all(model, data, tmp_path, rows_per_shard=100))


def test_reading_says_what_is_missing_or_broken(model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"cannot read .*rows-plan.json"):
        load_shards(tmp_path)
    begin(model, Lazy(), tmp_path, rows_per_shard=4)
    with pytest.raises(StudyError, match=r"2 of 3 shards are missing .*first rows-00001.safetensors"):
        load_shards(tmp_path)
    list(explain_all(model, Lazy(), tmp_path, rows_per_shard=4))
    (tmp_path / "rows-00001.safetensors").write_bytes(b"\0" * 40)
    with pytest.raises(DataError, match=r"cannot read .*rows-00001.safetensors .*delete it"):
        load_shards(tmp_path)
    plan = json.loads((tmp_path / "rows-plan.json").read_text())
    (tmp_path / "rows-plan.json").write_text(json.dumps(plan | {"format": 2}))
    with pytest.raises(StudyError, match="upgrade corrigible"):
        load_shards(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"format": "csv"}, "unknown format 'csv': known: parquet, safetensors"),
        ({"rows_per_shard": 0}, "rows_per_shard is 0; expected at least 1"),
        ({"target": "labels"}, "target is 'labels'; expected 'predicted', 'label' or"),
        ({"method": "integrated"}, "unknown explainer 'integrated'"),
        ({"step": 5}, "did you mean 'steps'?"),
        ({"differentiable": True}, "unknown setting 'differentiable'"),
    ],
)
def test_what_is_misspelt_is_refused(settings: dict[str, Any], message: str, model: nn.Module, tmp_path: Path) -> None:
    with pytest.raises(RecipeError) as error:
        list(explain_all(model, Lazy(), tmp_path, **settings))
    assert message in str(error.value)
    assert not list(tmp_path.glob("*.safetensors"))


def test_parquet_is_for_tables_whose_columns_have_names_of_their_own(
    model: nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = TensorData(torch.randn(4, 3), torch.zeros(4, dtype=torch.long))
    with pytest.raises(RecipeError, match="needs a table with named columns; use format 'safetensors'"):
        list(explain_all(model, data, tmp_path, format="parquet"))
    clashing = TensorData(data.x, data.y, columns=Columns(("a", "b", "target"), ("a", "b", "target"), (False,) * 3))
    with pytest.raises(RecipeError, match="has 'target' twice"):
        list(explain_all(model, clashing, tmp_path, format="parquet"))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(RecipeError, match=r"pip install 'corrigible\[parquet\]'"):
        list(explain_all(model, Lazy(), tmp_path, format="parquet"))


def test_only_a_shard_of_rows_is_alive_at_a_time(model: nn.Module, tmp_path: Path) -> None:
    alive, most = set(), 0

    class Row:
        """Counts how many rows exist at once."""

        def __init__(self, number: int) -> None:
            self.number = number
            alive.add(number)

        def __del__(self) -> None:
            alive.discard(self.number)

    class Counting(Lazy):
        def __getitem__(self, row: int) -> Any:
            nonlocal most
            x, y = super().__getitem__(row)
            x.row = Row(row)
            most = max(most, len(alive))
            return x, y

    sizes = []
    for num_rows in (200, 800):
        most = 0
        list(explain_all(model, Counting(num_rows), tmp_path / str(num_rows), rows_per_shard=100))
        sizes.append(most)
    assert sizes[1] <= sizes[0] <= 2 * 100


def test_rows_of_another_task_are_explained_as_it_says(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model, x = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)), torch.randn(9, 3)
    data = TensorData(x, torch.arange(9.0), task="counts")
    for folder, settings in (("own", {}), ("values", {"score": "target_value"})):
        list(explain_all(model, data, tmp_path / folder, rows_per_shard=4, method="exact_shapley", **settings))
        found = load_shards(tmp_path / folder)
        expected = explain(model, x, method="exact_shapley", task=data.task, **settings)
        torch.testing.assert_close(found.attribution, expected)
        assert found.target.tolist() == [0] * 9
    settings = json.loads((tmp_path / "own" / "rows-plan.json").read_text())["settings"]
    assert (settings["task"], settings["score"]) == ("counts", "target_output")
    with pytest.raises(RecipeError, match="the labels of the task 'counts' are no targets"):
        list(explain_all(model, data, tmp_path / "labels", target="label"))
