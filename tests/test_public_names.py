"""Every module of the package can be imported by itself, and every public name can be called."""

import importlib
import pkgutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest
import torch

import corrigible
from corrigible.protocols.retraining.find_another_explanation import Search
from corrigible.protocols.schedule import Schedule
from verdicts import CORRECTED

SOURCE = Path(corrigible.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in SOURCE.rglob("*.py")
    if path.stem != "__main__"
)


@pytest.mark.parametrize("name", MODULES)
def test_module_can_be_imported(name):
    assert importlib.import_module(name).__name__ == name


def test_every_folder_is_a_package():
    walked = {info.name for info in pkgutil.walk_packages(corrigible.__path__, "corrigible.")}
    assert set(MODULES) - walked - {"corrigible"} == set()


@pytest.mark.parametrize("name", MODULES)
def test_listed_names_exist(name):
    module = importlib.import_module(name)
    assert [public for public in getattr(module, "__all__", ()) if not hasattr(module, public)] == []


def calls(folder):
    """One call of each public name."""
    model = torch.nn.Linear(3, 2)
    x, y = torch.randn(6, 3), torch.tensor([0, 1, 0, 1, 0, 1])
    margin = model(x).diff(dim=1)[:, 0]
    mostly_right = ((margin > 0) != (margin.abs() == margin.abs().median())).long()
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": ["x", "y"]})
    plain = corrigible.Columns(("a", "b", "c"), ("a", "b", "c"), (False, False, False))
    feedback = corrigible.Feedback(torch.tensor([True, False, False]), row=1)
    batch = corrigible.Batch(torch.arange(6), x, y)
    optimizer = torch.optim.SGD(model.parameters())
    texts = corrigible.text_data(["a b", "a c"], ["p", "q"])
    of_texts = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(texts.x[0].numel(), 2))
    return {
        "Batch": lambda: batch.to("cpu"),
        "Columns": lambda: corrigible.Columns(("a=1",), ("a",), (True,)).features,
        "CorrigibleError": lambda: corrigible.CorrigibleError("found, expected, do"),
        "Feedback": lambda: feedback.region,
        "FeedbackStore": lambda: corrigible.FeedbackStore(folder / "feedback.sqlite").close(),
        "Measurement": lambda: corrigible.Measurement("accuracy", 0.5),
        "TabularClassifier": lambda: corrigible.TabularClassifier().get_params(),
        "TabularRegressor": lambda: corrigible.TabularRegressor().get_params(),
        "TensorData": lambda: corrigible.TensorData(x, y)[0],
        "Verdict": lambda: corrigible.Verdict(**vars(CORRECTED)),
        "attribute_inference": lambda: corrigible.attribute_inference(
            model, (torch.randn(40, 3), torch.arange(40) % 2), torch.arange(40) % 2, num_resamples=2
        ),
        "audit": lambda: corrigible.audit(
            lambda rows: rows.a, pd.concat([frame] * 20), [1.0, 3.0, 4.0, 5.0] * 10, num_resamples=0
        ),
        "certified_accuracy": lambda: corrigible.certified_accuracy(model, (x, y), epsilon=0.1, low=-9.0, high=9.0),
        "compare": lambda: corrigible.compare(model, (x, y), [feedback], test=(x, y), methods={}, epochs=1),
        "conformal_sets": lambda: corrigible.conformal_sets(model, (x, y), alpha=0.5),
        "correct": lambda: corrigible.correct(model, (x, y), [feedback], epochs=1),
        "counterfactuals": lambda: corrigible.counterfactuals(model, x, schema=plain, rows=x),
        "discrimination_free_price": lambda: corrigible.discrimination_free_price(
            lambda r: r["a"], frame, attributes="b"
        ),
        "distil": lambda: corrigible.distil(model, (x, y), model=model, epochs=1),
        "encode": lambda: corrigible.encode(frame, corrigible.encoder_of(frame, target="b")),
        "encoder_of": lambda: corrigible.encoder_of(frame, target="b"),
        "enforce": lambda: corrigible.enforce(
            model, (torch.randn(80, 3), torch.arange(80) % 2, torch.arange(80) // 40), gap=1.0, epochs=1
        ),
        "evaluate": lambda: corrigible.evaluate(model, (x, y), metrics=["accuracy"]),
        "explain": lambda: corrigible.explain(model, x),
        "explain_texts": lambda: corrigible.explain_texts(of_texts, texts),
        "feedback_influence": lambda: corrigible.feedback_influence(
            model,
            (x, y),
            [feedback, replace(feedback, row=2)],
            penalties={"right_reasons": 1.0},
            schedule=Schedule(epochs=1),
        ),
        "find_another_explanation": lambda: corrigible.find_another_explanation(
            model, (x, y), validation=(x, y), search=Search(most=1), schedule=Schedule(epochs=1)
        ),
        "fit": lambda: list(corrigible.fit(model, lambda epoch: iter([batch]), optimizer=optimizer, epochs=1)),
        "influence": lambda: corrigible.influence(model, (x, y), (x[:1], y[:1])).most_helpful(0),
        "judge_unlearning": lambda: corrigible.judge_unlearning([model] * 2, [model] * 2, {"rows": (x, y)}),
        "limit_influence": lambda: corrigible.limit_influence(model, (x, y), inputs=feedback.region, removal="mean"),
        "membership_inference": lambda: corrigible.membership_inference(model, (x, y), (x + 1, y)),
        "nearest_unlike": lambda: corrigible.nearest_unlike(model, x, x, schema=plain),
        "predicted_over_observed": lambda: corrigible.predicted_over_observed([1, 2], [1, 2], ["a", "b"]),
        "price_changes": lambda: corrigible.price_changes([1, 2], [2, 1], ["a", "b"]),
        "review": lambda: find_spec("anywidget") and corrigible.review(model, (x, y)),
        "robust_accuracy": lambda: corrigible.robust_accuracy(
            model, (x, y), epsilon=0.1, attack="fgsm", low=-9.0, high=9.0
        ),
        "seal": lambda: corrigible.seal(model, folder / "sealed"),
        "suspects": lambda: corrigible.suspects(model, (x, y)),
        "temperature_scaled": lambda: corrigible.temperature_scaled(model, (x, mostly_right)),
        "text_data": lambda: corrigible.text_data(["a b", "a c"], ["p", "q"]),
        "transported_prices": lambda: corrigible.transported_prices([1, 2, 3, 4], ["a", "a", "b", "b"]),
        "train": lambda: corrigible.train(model, (x, y), epochs=1),
        "unlearn": lambda: corrigible.unlearn(model, (x, y), [0]),
        "verify": lambda: corrigible.verify(folder / "sealed"),
    }


def test_every_public_name_can_be_called(tmp_path):
    by_name = calls(tmp_path)
    assert set(by_name) == set(corrigible.__all__) - {"__version__"}
    for call in by_name.values():
        call()


def test_no_submodule_bears_the_name_of_a_public_function():
    submodules = {info.name for info in pkgutil.iter_modules(corrigible.__path__)}
    assert submodules & set(corrigible.__all__) == set()
