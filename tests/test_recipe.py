"""A recipe is either understood or refused with a RecipeError."""

import copy
import json
import math
import sys
import tomllib
import types
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corrigible.data.dataset import TensorData
from corrigible.errors import CorrigibleError, DataError, RecipeError
from corrigible.models import MODELS
from corrigible.recipe import Recipe, build_model, load_data, metrics_of
from corrigible.recipe_keys import heading_of
from studies import IMAGE_RECIPE, TABLE_RECIPE, corrigible, image_study

FACTS = {"channels": 1, "inputs": 64, "columns": 8, "num_classes": 3}
RECIPES = [
    IMAGE_RECIPE,
    TABLE_RECIPE,
    *(
        resources.files("corrigible").joinpath("templates", f"recipe-{kind}.toml").read_text(encoding="utf-8")
        for kind in ("image", "table", "text")
    ),
]


def written(value: Any) -> str:
    """The value as TOML."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{written(str(key))} = {written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(written, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(character):08x}" for character in value) + '"'
    return repr(value)


def as_toml(content: dict[str, Any]) -> str:
    return "\n".join(f"{written(key)} = {written(value)}" for key, value in content.items())


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The way to every value in it."""
    found = [path] if path else []
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in parts:
        found += places(part, (*path, key))
    return found


NUMBERS = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**400, math.nan, -0.0])
NAMES = st.sampled_from(
    [
        "auto",
        "image",
        "augment",
        "transplant",
        "right_reasons",
        "gradient_size",
        "grad_cam",
        "accuracy",
        "lenet",
        "a:b",
        ":",
        "..:x",
        "",
    ]
)
TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
VALUES = st.recursive(
    st.booleans() | NUMBERS | NAMES | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@st.composite
def changed_recipes(draw: st.DrawFn) -> str:
    content = tomllib.loads(draw(st.sampled_from(RECIPES)))
    for _ in range(draw(st.integers(1, 3))):
        ways = places(content)
        if not ways:
            break
        *way, last = draw(st.sampled_from(ways))
        inside: Any = content
        for key in way:
            inside = inside[key]
        change = draw(st.sampled_from(["drop", "replace", "add", "repeat"]))
        if change == "drop":
            del inside[last]
        elif change == "replace":
            inside[last] = draw(VALUES)
        elif change == "repeat" and isinstance(inside, list):
            inside.append(copy.deepcopy(inside[last]))
        elif isinstance(inside, dict):
            inside[draw(NAMES | TEXT)] = draw(VALUES)
    return as_toml(content)


@given(changed_recipes())
@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
def test_a_recipe_with_changed_values_raises_no_other_error(text: str) -> None:
    with suppress(RecipeError):
        Recipe.parse(text)


@given(
    st.text(max_size=60)
    | st.builds(
        lambda text, more, at: text[:at] + more + text[at:], st.sampled_from(RECIPES), TEXT, st.integers(0, 900)
    )
)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_text_that_is_no_recipe_raises_no_other_error(text: str) -> None:
    with suppress(RecipeError):
        Recipe.parse(text)


@pytest.mark.parametrize(
    "text", ["x = " + "[" * 100_000, "x = " + "9" * 5000, "\0", "a.b = 1\na = 2", "\ufeff" + IMAGE_RECIPE]
)
def test_toml_that_strains_its_reader(text: str) -> None:
    with pytest.raises(RecipeError, match="not valid TOML"):
        Recipe.parse(text)


@pytest.mark.parametrize("text", RECIPES)
def test_a_written_recipe_says_what_was_read(text: str) -> None:
    assert Recipe.parse(as_toml(tomllib.loads(text))).train == Recipe.parse(text).train


@given(st.dictionaries(st.sampled_from(["hidden", "dropout", "inputs", "hiden"]), VALUES, max_size=2))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_settings_of_a_model_are_taken_or_refused(model_settings: dict[str, Any]) -> None:
    text = as_toml({"format": 1, "data": {"kind": "table"}, "model": {"name": "table_mlp", **model_settings}})
    hidden = model_settings.get("hidden")
    if isinstance(hidden, list) and any(isinstance(size, int) and 10**4 < abs(size) < 2**63 for size in hidden):
        return  # Valid, and more memory than there is.
    with suppress(RecipeError):
        build_model(Recipe.parse(text), FACTS, 0)


REGION = {"pixels": {"shape": [8, 8], "runs": [0, 2, 62]}}
FEEDBACK = {
    "format": "corrigible-feedback",
    "version": 1,
    "feedback": [
        {"region": REGION, "polarity": "irrelevant", "scope": "row", "row": 7, "note": "a"},
        {"region": {"features": ["site"]}, "polarity": "relevant", "scope": "class", "label": 1, "split": "test"},
    ],
}


@st.composite
def changed_feedback(draw: st.DrawFn) -> Any:
    content: Any = copy.deepcopy(FEEDBACK)
    if draw(st.booleans()):
        del content["feedback"][1]
    *way, last = draw(st.sampled_from(places(content)))
    inside = content
    for key in way:
        inside = inside[key]
    inside[last] = draw(VALUES | st.sampled_from(["../train", "test", "night", "2026-01-31T12:00:00+00:00", None]))
    return content


def test_imported_feedback_is_stored_or_refused(tmp_path: Path) -> None:
    study = image_study(tmp_path / "study")
    source = tmp_path / "said.json"

    @given(changed_feedback())
    @settings(max_examples=100, deadline=None, derandomize=True)
    def check(content: Any) -> None:
        source.write_text(json.dumps(content))
        answer = corrigible("feedback", "import", study, source)
        assert answer.code in (0, 1)
        assert answer.stderr.count("\n") == answer.code

    check()


def test_defaults_and_what_is_written_down() -> None:
    recipe = Recipe.parse('format = 1\n[data]\nkind = "image"\n[model]\nname = "lenet"')
    assert (recipe.seed, recipe.validation_split, recipe.title, recipe.baselines) == (0, "", "", ())
    assert (recipe.penalties, recipe.augment) == (None, None)
    assert Recipe.parse(IMAGE_RECIPE).text == IMAGE_RECIPE
    assert issubclass(RecipeError, CorrigibleError)


def test_a_whole_number_serves_as_a_float() -> None:
    recipe = Recipe.parse(IMAGE_RECIPE.replace("batch_size = 16\n[correct]", "learning_rate = 1\n[correct]"))
    assert recipe.train.learning_rate == 1.0


@pytest.mark.parametrize("name", ["seed", "columns", "differentiable", "rows_at_once"])
def test_an_explainer_takes_from_the_recipe_only_what_is_its_own(name: str) -> None:
    with pytest.raises(RecipeError, match=f"unknown setting '{name}'"):
        Recipe.parse(IMAGE_RECIPE.replace("[explain]", f"[explain]\n{name} = 1"))


@pytest.mark.parametrize(
    ("penalty", "setting", "message"),
    [
        ("counterexamples", "backgrund", "unknown setting 'backgrund': known: copies, fill$"),
        ("counterexamples", "donors", "donors is taken from the training data; leave it out"),
        ("energy_outside", "background", "unknown setting 'background': known: "),
        ("concept_gradient", "direction", "direction is an array, which a recipe cannot hold; leave it out"),
    ],
)
def test_a_penalty_takes_from_the_recipe_only_what_one_can_hold(penalty: str, setting: str, message: str) -> None:
    with pytest.raises(RecipeError, match=f"penalty '{penalty}': {message}"):
        Recipe.parse(IMAGE_RECIPE + f'\n[[penalty]]\nname = "{penalty}"\n{setting} = 3\n')


METHODLESS = 'format = 1\n[data]\nkind = "image"\n[model]\nname = "lenet"\n'
TRANSPLANT, NOISE = ('[[augment]]\nname = "transplant"\n', '[[augment]]\nname = "input_noise"\ndeviation = 0.5\n')


def test_a_penalty_with_a_gap_to_reach_is_read_as_its_page_writes_it() -> None:
    gap = '\n[[penalty]]\nname = "{}"\nweight = "auto"\ngap = 0.1\n'
    found = Recipe.parse(IMAGE_RECIPE + gap.format("demographic_parity") + 'sensitive = "sex"\n').penalties
    assert found is not None
    assert found["demographic_parity"] == {"weight": "auto", "gap": 0.1, "sensitive": "sex"}
    with pytest.raises(RecipeError, match="penalty 'gradient_size' closes no gap between groups; leave out gap"):
        Recipe.parse(IMAGE_RECIPE + gap.format("gradient_size"))


PENALTY = '[[penalty]]\nname = "right_reasons"\n'


@pytest.mark.parametrize(
    ("written", "augment", "penalties"),
    [
        ("", None, None),
        (TRANSPLANT, {"transplant": {}}, {}),
        (TRANSPLANT + NOISE, {"transplant": {}, "input_noise": {"deviation": 0.5}}, {}),
        (PENALTY, {}, {"right_reasons": {"weight": "auto"}}),
        (PENALTY + "weight = 3\n" + TRANSPLANT, {"transplant": {}}, {"right_reasons": {"weight": 3}}),
    ],
)
def test_what_a_recipe_names_is_all_that_corrects_and_nothing_named_leaves_the_choice(
    written: str, augment: Any, penalties: Any
) -> None:
    recipe = Recipe.parse(METHODLESS + written)
    assert (recipe.augment, recipe.penalties) == (augment, penalties)


def test_an_empty_list_is_nothing_that_corrects() -> None:
    recipe = Recipe.parse("penalty = []\n" + METHODLESS)
    assert (recipe.augment, recipe.penalties) == ({}, {})


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ('[[augment]]\nname = "transplnt"', "unknown augmentation 'transplnt': did you mean 'transplant'"),
        (
            NOISE.replace("deviation", "deviaton"),
            "augmentation 'input_noise': unknown setting 'deviaton': did you mean",
        ),
        (NOISE.replace("0.5", '"much"'), "augmentation 'input_noise'.*deviation"),
        (TRANSPLANT + "cues = 3", "augmentation 'transplant': cues is taken from the training data; leave it out"),
        (TRANSPLANT + TRANSPLANT, "augment 'transplant' is given twice"),
        ("[[augment]]\ndeviation = 0.5", r"\[\[augment\]\] .* has no name; expected name = \"transplant\""),
        ("[augment]\nname = 3", "augment is .*; expected a list"),
        ("[[penalty]]\nweight = 3", r"\[\[penalty\]\] .* has no name; expected name = \"energy_outside\""),
        (PENALTY + PENALTY, "penalty 'right_reasons' is given twice"),
        ('[[penalty]]\nname = "transplant"', "unknown penalty 'transplant'"),
    ],
)
def test_misspelt_methods_and_settings_are_refused(written: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        Recipe.parse(METHODLESS + written)


def test_a_users_source_may_give_what_the_library_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("own_sources")
    module.arrays = lambda split: (np.zeros((3, 2)), np.arange(3))  # type: ignore[attr-defined]
    module.broken = lambda split: (np.full((3, 2), np.nan), np.arange(3))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "own_sources", module)
    recipe = 'format = 1\n[data]\nkind = "table"\nsource = "own_sources:NAME"\n[model]\nname = "mlp"'
    assert load_data(Recipe.parse(recipe.replace("NAME", "arrays")), None, "train").y.tolist() == [0, 1, 2]
    with pytest.raises(DataError, match=r"split 'train': row 0 of x is NaN"):
        load_data(Recipe.parse(recipe.replace("NAME", "broken")), None, "train")


TASK_RECIPE = """
format = 1
[data]
kind = "{kind}"
{data}
[model]
name = "table_mlp"
{task}
"""


def with_task(task, *, kind="table", data='target = "price"'):
    return Recipe.parse(TASK_RECIPE.format(kind=kind, data=data, task=task))


def test_a_recipe_says_what_the_labels_mean():
    assert with_task("").task is None
    found = with_task('[task]\nname = "quantiles"\nlevels = [0.1, 0.9]\nunit = "€"')
    assert found.task == {"name": "quantiles", "levels": [0.1, 0.9], "unit": "€"}


@pytest.mark.parametrize(
    ("task", "settings", "said"),
    [
        ('[task]\nname = "amount"', {}, "unknown task 'amount'.*amounts"),
        ("[task]", {}, "unknown task"),
        ('[task]\nname = "amounts"\nlevels = [0.1]', {}, "unknown setting 'levels'"),
        ('[task]\nname = "amounts"\nunit = 3', {}, "unit.*3"),
        ('[task]\nname = "amounts"', {"kind": "image", "data": ""}, "files of kind 'image'.*source"),
        ('[task]\nname = "counts"', {"kind": "text", "data": ""}, "files of kind 'text'.*source"),
        ("", {"data": 'target = "price"\ntask = "amounts"'}, r"\[task\] name"),
    ],
)
def test_a_task_that_cannot_be_used_is_refused_in_one_line(task, settings, said):
    with pytest.raises(RecipeError, match=said) as caught:
        with_task(task, **settings)
    assert "\n" not in str(caught.value)


def test_metrics_that_are_not_named_are_those_of_the_task():
    y = torch.tensor([0, 1])
    amounts, classes = (TensorData(torch.zeros(2, 1), y, task=name) for name in ("amounts", "classes"))
    assert metrics_of(with_task(""), amounts) == amounts.task.metrics
    assert "flip_rate" in metrics_of(with_task(""), classes)
    named = with_task('[evaluate]\nmetrics = ["accuracy"]')
    assert metrics_of(named, amounts) == ("accuracy",)


def test_one_difference_between_groups_is_measured_with_all_others():
    data = TensorData(torch.zeros(4, 1), torch.tensor([0, 1, 0, 1]), torch.tensor([0, 0, 1, 1]))
    of_gap, of_none = (with_task(f'[evaluate]\nmetrics = ["{name}"]') for name in ("group_prob_gap", "accuracy"))
    assert {"equalized_odds_difference", "group_loss_gap"} <= set(metrics_of(of_gap, data))
    assert "group_loss_gap" in metrics_of(with_task(""), data)
    assert metrics_of(of_none, data) == ("accuracy",)


def test_a_target_that_is_no_column_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="'target' is 3"):
        load_data(with_task("", data="target = 3"), tmp_path, "train")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("hidden = [8]", "hidden = [100000000]", "weights; expected at most 100,000,000"),
        ("hidden = [8]", f"hidden = [{10**30}]", "hidden is 10+; expected a number of at most 64 bits"),
        ("num_resamples = 20", "num_resamples = 1000000000", "num_resamples is 1000000000"),
        ("epochs = 2", "epochs = 1000000000", "epochs is 1000000000"),
        ("num_donors = 5", "num_donors = 1000000000", "num_donors is 1000000000"),
    ],
)
def test_numbers_that_ask_for_very_much_are_refused_by_name(old, new, message):
    with pytest.raises(RecipeError, match=message):
        build_model(Recipe.parse(IMAGE_RECIPE.replace(old, new)), {"inputs": 64, "num_classes": 3}, 0)


def test_every_listed_network_can_be_sized_and_then_built():
    facts = {"inputs": 4, "columns": 4, "channels": 1, "dimension": 4, "num_classes": 2}
    facts |= {"one_hot": [False, True, True, False], "knots": [[0.0, 1.0], [0.0, 1.0]]}
    for name in MODELS:
        build_model(Recipe.parse(IMAGE_RECIPE.replace('"mlp"\nhidden = [8]', f'"{name}"')), facts, 0)


def test_a_heading_looks_up_nothing_that_is_named():
    heading = heading_of(IMAGE_RECIPE.replace('"input_gradient"', '"no_such_module:method"'))
    assert (heading.title, heading.kind, heading.explainer) == ("Tiny images", "image", "no_such_module:method")
