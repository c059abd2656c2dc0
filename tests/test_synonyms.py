"""The words of other packages lead to the names of this one."""

from typing import get_args, get_type_hints

import pytest

from corrigible.augment import ATTACKS, AUGMENTS
from corrigible.errors import RecipeError, suggestion, unknown
from corrigible.explanations.explaining import EXPLAINERS
from corrigible.explanations.scores import SCORE_NAMES
from corrigible.losses import LOSSES
from corrigible.methods import with_settings
from corrigible.metrics import METRICS
from corrigible.penalties import PENALTIES
from corrigible.protocols.baselines.recipe_baseline import Baseline
from corrigible.protocols.unlearning.unlearning import UNLEARNING
from corrigible.synonyms import SYNONYMS, known_as
from corrigible.tasks import TASKS

FAMILIES = {
    "explainer": EXPLAINERS,
    "penalty": PENALTIES,
    "augmentation": AUGMENTS,
    "attack": ATTACKS,
    "metric": METRICS,
    "score": SCORE_NAMES,
    "loss": LOSSES,
    "task": TASKS,
    "method of unlearning": UNLEARNING,
    "baseline": get_args(get_type_hints(Baseline)["name"]),
}


def test_each_family_has_a_table():
    assert FAMILIES.keys() == SYNONYMS.keys()


@pytest.mark.parametrize("family", SYNONYMS)
def test_every_word_leads_to_a_name_and_is_none_itself(family):
    for word, name in SYNONYMS[family].items():
        assert name in FAMILIES[family] and word not in FAMILIES[family]
        assert known_as(family, word, FAMILIES[family]) == name


@pytest.mark.parametrize("typed", ["Integrated-Gradients", "IntegratedGradients", "integratedgradients", "IG", "ig "])
def test_capitals_dashes_and_spaces_do_not_matter(typed):
    assert suggestion("explainer", typed, EXPLAINERS) == "did you mean 'integrated_gradients'? "


def test_a_word_for_a_name_that_is_not_there_is_no_suggestion():
    assert unknown("explainer", "saliency", ["lime"]) == "unknown explainer 'saliency': known: lime"


def test_a_choice_of_a_setting_is_suggested_too():
    with pytest.raises(RecipeError, match="did you mean 'just_train_twice'"):
        with_settings(Baseline, {"name": "jtt"}, "[[baseline]]")
