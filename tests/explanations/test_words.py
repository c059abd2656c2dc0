import numpy as np
import pytest
import torch

from corrigible.data.dataset import TensorData
from corrigible.data.text import text_data
from corrigible.errors import DataError, RecipeError
from corrigible.explanations.words import METHODS, explain_texts, explain_words

COUNTS = {"good": 2.0, "bad": -3.0, "not": 0.5}


def mood(texts):
    """A sum over words, and "not bad" is good."""
    return [sum(COUNTS.get(word, 0.0) for word in text.split()) + 6.0 * ("not bad" in text) for text in texts]


def classes(texts):
    found = np.array(mood(texts))
    return np.stack([-found, found, np.zeros(len(texts))], axis=1)


def test_words_that_are_summed_get_what_they_add():
    for method in ("exact_shapley", "kernel_shap", "permutation_shapley", "linear_shap", "feature_ablation"):
        found = explain_words(mood, "a good but bad film", method=method)
        assert found.words == ("a", "good", "but", "bad", "film")
        torch.testing.assert_close(found.values.tolist(), [0.0, 2.0, 0.0, -3.0, 0.0], atol=1e-6, rtol=0)
        assert (found.target, found.whole, found.nothing) == (0, -1.0, 0.0)


def test_words_that_count_together_share_what_they_add_together():
    found = explain_words(mood, "not bad", method="exact_shapley")
    assert found.values.tolist() == [0.5 + 3.0, -3.0 + 3.0]
    assert sum(found.values.tolist()) == found.whole - found.nothing


def test_lime_finds_the_words_that_count():
    found = explain_words(mood, "the good , the bad and a very long story about it")
    assert found.values.argmax() == 1 and found.values.argmin() == 4
    assert found.values[[0, 2, 3, 5, 6, 7, 8, 9, 10]].abs().max() < 0.1


def test_the_likeliest_class_is_explained_or_the_one_that_is_named():
    assert explain_words(classes, "good film", method="exact_shapley").target == 1
    assert explain_words(classes, "bad film", method="exact_shapley").target == 0
    named = explain_words(classes, "bad film", 1, method="exact_shapley")
    assert named.values.tolist() == [-3.0, 0.0]
    contrast = explain_words(classes, "bad film", 0, against=1, method="exact_shapley")
    assert contrast.values.tolist() == [6.0, 0.0] and contrast.whole == 6.0
    probability = explain_words(classes, "bad film", 0, score="target_prob", method="exact_shapley")
    assert 0 < probability.values[0] < 1 and probability.nothing == pytest.approx(1 / 3)


def test_a_single_score_may_be_a_logit_or_the_output_of_a_task():
    of_class = explain_words(mood, "bad film", task="classes", score="target_prob", method="exact_shapley")
    assert of_class.target == 1 and of_class.whole == pytest.approx(1 / (1 + np.exp(3.0)))
    assert explain_words(mood, "bad film", 0, task="classes", method="exact_shapley").values.tolist() == [0, 0]
    counts = TensorData(torch.zeros(2, 1), torch.tensor([1.0, 2.0]), task="counts").task
    rate = explain_words(mood, "bad film", task=counts, score="target_value", method="exact_shapley")
    assert (rate.target, rate.nothing) == (0, 1.0)
    assert rate.values.sum().item() == pytest.approx(rate.whole - 1)


@pytest.mark.parametrize(
    ("mask", "expected"),
    [
        (None, {" One, two\n", " One, ", " two\n", " "}),
        ("[M]", {" One, two\n", " One, [M]\n", " [M], two\n", " [M], [M]\n"}),
    ],
)
def test_every_text_the_function_sees_is_the_text_with_some_words_left_out_or_masked(mask, expected):
    seen = set()

    def listening(texts):
        assert len(texts) <= 3
        seen.update(texts)
        return [0.0] * len(texts)

    explain_words(listening, " One, two\n", method="exact_shapley", split=r"\w+", mask=mask, texts_at_once=3)
    assert seen == expected


def test_words_may_stand_or_fall_together():
    found = explain_words(mood, "not bad , not good", method="exact_shapley", groups=[0, 0, 1, 2, 2])
    torch.testing.assert_close(found.values.tolist(), [1.75, 1.75, 0.0, 1.25, 1.25])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_sums_or_ranks_alike(method):
    found = explain_words(mood, "good and bad", method=method)
    assert found.values[0] > found.values[1] + 0.5 > found.values[2] + 1


@pytest.mark.parametrize(
    ("text", "settings", "error", "message"),
    [
        ("  ", {}, DataError, "the text ' *' holds no words"),
        ("a b", {"split": "("}, RecipeError, r"split is '\('; expected a regular expression"),
        ("a b", {"method": "limes"}, RecipeError, "unknown explainer of words 'limes': did you mean 'lime'"),
        ("a b", {"method": "occlusion"}, RecipeError, "unknown explainer of words"),
        ("a b", {"target": 3}, DataError, "target is 3; expected 0 to 2"),
        ("a b", {"groups": [0]}, DataError, r"groups have shape \(1,\)"),
        ("a b", {"score": "logit"}, RecipeError, "unknown score"),
        ("a b", {"sample": 3}, RecipeError, "unknown setting 'sample'"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_line(text, settings, error, message):
    with pytest.raises(error, match=message) as refused:
        explain_words(classes, text, **settings)
    assert "\n" not in str(refused.value)


def test_words_of_texts_get_what_a_linear_network_adds_for_them():
    data = text_data(["a good film", "a bad film", "good", "bad"], ["praise", "blame"] * 2, max_tokens=4)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(data.x[0].numel(), 2))
    weight = network[1].weight.detach().reshape(2, *data.x.shape[1:])
    for method in ("integrated_gradients", "exact_shapley"):
        found = explain_texts(network, data, 1, rows=[3, 0], method=method)
        assert [of.words for of in found] == [("bad",), ("a", "good", "film")]
        for row, of in zip((3, 0), found, strict=True):
            expected = (data.x[row] * weight[1]).sum(dim=1)[: len(of.words)]
            torch.testing.assert_close(of.values, expected.detach(), atol=1e-4, rtol=0)
            assert of.values.sum().item() == pytest.approx(of.whole - of.nothing, abs=1e-4)
    against = explain_texts(network, data, 1, against=0, rows=[0])[0]
    assert against.values.sum().item() == pytest.approx(against.whole - against.nothing, abs=1e-4)
    predicted = network(data.x).argmax(dim=1).tolist()
    assert [of.target for of in explain_texts(network, data)] == predicted


def test_words_print_with_their_values():
    found = explain_words(mood, "not good , bad", method="feature_ablation")
    assert str(found) == "not +0.500  good +2.000  , 0.000  bad −3.000"


def test_only_texts_have_words_to_explain():
    with pytest.raises(DataError, match="no words; expected texts, as corrigible.text_data gives them"):
        explain_texts(torch.nn.Linear(3, 2), (torch.zeros(4, 3), torch.tensor([0, 1, 0, 1])))
    data = text_data(["a b", "a b"], ["x", "y"])
    with pytest.raises(DataError, match=r"rows \[2\]; expected some of the rows 0 to 1"):
        explain_texts(torch.nn.Flatten(), data, rows=[2])
