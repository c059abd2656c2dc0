"""The verb that finds changes of rows: what it prints holds on the model, obeys the recipe, and is in the run."""

import json
from pathlib import Path

import pandas as pd
import pytest
import torch

from corrigible import workflow
from corrigible.data.original_rows import rows_of_frame
from corrigible.data.protocol import columns_of
from corrigible.explanations.shards import ShardWritten, read_counterfactuals
from corrigible.recipe import Recipe, load_data
from corrigible.study import open_study
from corrigible.workflow.making import load_model
from studies import SIZES, TABLE_RECIPE, corrigible, image_study, refused, table_study, text_study

RULES = """
[labels]
age = "age in years"
"site=north" = "the north"
[counterfactuals]
immutable = ["sex"]
max_changes = 2
[counterfactuals.ranges]
age = [20, inf]
[counterfactuals.units]
age = "years"
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose model goes by the site, and in part by the age."""
    recipe = TABLE_RECIPE.replace("epochs = 1\nbatch_size = 32", "epochs = 30\nbatch_size = 8")
    study = table_study(tmp_path_factory.mktemp("changing") / "study", recipe + RULES)
    list(workflow.train(study))
    return study


def test_what_is_printed_is_kept_and_holds_on_the_model(trained: Path) -> None:
    *records, finished = corrigible("counterfactuals", trained, "--target", 1, "--json").records
    run = Path(finished["path"])
    assert json.loads((run / "counterfactuals.json").read_text()) == [
        {name: value for name, value in record.items() if name != "record"} for record in records
    ]
    frame = pd.read_csv(run / "counterfactuals.csv")
    assert frame["row"].tolist() == [record["row"] for record in records]
    assert {record["status"] for record in records} == {"found"}
    assert {(record["prediction"], record["answer"]) for record in records} == {("0", "1")}
    study = open_study(trained)
    data = load_data(study.recipe, trained, "test")
    columns = columns_of(data)
    assert columns is not None
    model = load_model(study.latest("train"), study.recipe).eval()
    assert model(rows_of_frame(frame[list(columns.features)], columns)).argmax(dim=1).tolist() == [1] * len(frame)
    before = pd.read_csv(trained / "data" / "test.csv").iloc[frame["row"]]
    assert frame["sex"].tolist() == before["sex"].tolist()
    assert "change site from south to the north" in records[0]["change"]
    assert finished["next"][0].startswith(f"corrigible feedback add {trained} --feature site  # if site")
    assert corrigible("verify", trained).code == 0


def test_rows_columns_that_stay_and_the_number_of_changes_are_chosen(trained: Path) -> None:
    told = corrigible("counterfactuals", trained, "--row", 3, "--row", 4, "--keep", "site").stdout
    assert "test row 3, 1: not found: " in told and "test row 4, 0: not found: " in told
    told = corrigible("counterfactuals", trained, "--row", 1, "--split", "train", "--target", "0").stdout
    assert "  train row 1, 1: change site from the north to south: then 0" in told
    assert "  train row 1, 1: already: " in corrigible(
        "counterfactuals", trained, "--row", 1, "--split", "train", "--target", "1"
    ).stdout  # fmt: skip
    assert open_study(trained).latest("counterfactuals").record["asked"]["target"] == "1"


def test_every_row_is_changed_in_shards_that_an_interrupted_call_goes_on_with(trained: Path) -> None:
    records = workflow.counterfactuals_all(trained, rows_per_shard=20)
    while not isinstance(next(records), ShardWritten):
        pass
    records.close()
    told = corrigible("counterfactuals", trained, "--all", "--rows-per-shard", 20).stdout
    assert "train: 60 rows in 3 shards; goes on after 1 finished before" in told
    run = open_study(trained).latest("counterfactuals")
    assert run.record["rows"] == SIZES
    study = open_study(trained)
    model = load_model(study.latest("train"), study.recipe).eval()
    for split, size in SIZES.items():
        data = load_data(study.recipe, trained, split)
        parts = list(read_counterfactuals(run.folder, name=split))
        assert sum(map(len, parts)) == size
        for part in parts:
            found = torch.tensor([row[0] == "found" for row in part.status])
            now = model(data.x[part.index[found]]).argmax(dim=1)
            assert bool((model(part.changed[found, 0]).argmax(dim=1) != now).all())
    assert not list((trained / "runs").glob(".unfinished*"))
    assert corrigible("verify", trained).code == 0


def test_numbers_are_changed_to_beyond_a_bound_in_their_unit(tmp_path: Path) -> None:
    recipe = TABLE_RECIPE.replace('target = "label"\ngroup = "sex"', 'target = "label"\n[task]\nname = "amounts"')
    recipe = recipe.replace('metrics = ["accuracy", "worst_group_accuracy", "flip_rate", "attribution_overlap"]', "")
    recipe = recipe.replace("epochs = 1\nbatch_size = 32", "epochs = 30\nbatch_size = 8")
    study = table_study(tmp_path, recipe)
    list(workflow.train(study))
    *records, _ = corrigible("counterfactuals", study, "--below", 0.5, "--json").records
    assert records and all(float(one["prediction"]) >= 0.5 > float(one["answer"]) for one in records)
    assert "say below=… or above=…" in refused("counterfactuals", study)
    assert "has no classes" in refused("counterfactuals", study, "--target", 1)


def test_what_cannot_be_answered_is_refused_in_one_line(trained: Path, tmp_path: Path) -> None:
    assert "unknown column 'sx'" in refused("counterfactuals", trained, "--keep", "sx")
    assert "unknown class '2'" in refused("counterfactuals", trained, "--target", "2")
    assert refused("counterfactuals", trained, "--row", 24) == "row 24; the test rows are 0 to 23"
    assert "a number, and the task is of classes" in refused("counterfactuals", trained, "--below", 3)
    assert corrigible("counterfactuals", trained, "--all", "--row", 1).code == 2
    assert corrigible("counterfactuals", trained, "--split", "test", "--split", "train").code == 2
    for make, instead in ((image_study, "propose"), (text_study, "explain")):
        study = make(tmp_path / make.__name__)
        assert f"counterfactuals change columns of a table; `corrigible {instead}`" in refused("counterfactuals", study)
    empty = table_study(tmp_path / "columns", TABLE_RECIPE + '[counterfactuals]\nimmutable = ["agee"]\n')
    list(workflow.train(empty))
    assert "unknown column 'agee'" in refused("counterfactuals", empty)


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('imutable = ["sex"]', "unknown setting 'imutable'"),
        ('immutable = "sex"', "expected a list"),
        ("max_changes = 0", "expected a whole number of at least 1"),
        ('monotone = ["age"]', "expected a table, name = …"),
        ('monotone = {age = "rising"}', "expected 'up' or 'down'"),
        ('ordinal = {school = "high"}', "expected two or more different values"),
        ("ranges = {age = 3}", r"expected \[low, high\]"),
        ("ranges = {age = [5, 3]}", "a low and a high bound in this order"),
        ("ranges = {age = [-inf, inf]}", "or one of them"),
        ('relations = ["age"]', "expected a comparison of two columns"),
        ("units = {age = 3}", "expected a word"),
    ],
)
def test_a_recipe_that_says_what_no_constraint_takes_is_refused(written: str, said: str) -> None:
    with pytest.raises(Exception, match=said) as raised:
        Recipe.parse(TABLE_RECIPE + f"[counterfactuals]\n{written}\n")
    assert "[counterfactuals]" in str(raised.value)


def test_a_recipe_names_every_kind_of_constraint() -> None:
    text = """[counterfactuals]
    immutable = ["sex"]
    relations = ["tenure <= age - 16"]
    max_changes = 3
    monotone = {age = "up"}
    ordinal = {school = ["basic", "high"]}
    ranges = {income = [0, 8000], age = [-inf, 90]}
    """
    said = [*map(str, Recipe.parse(TABLE_RECIPE + text).counterfactuals.constraints)]
    assert said == [
        "sex must stay as it is",
        "age may only go up",
        "school must be one of basic, high",
        "income must be from 0 to 8,000",
        "age must be at most 90",
        "tenure <= age - 16 must hold",
        "at most 3 features may change",
    ]
    assert Recipe.parse(TABLE_RECIPE).counterfactuals.constraints == ()
