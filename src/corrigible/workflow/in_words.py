"""Results and feedback with the recipe's words in place of the names of columns, categories and classes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from corrigible.data.shown_names import Labels, in_words
from corrigible.plots.style import spoken_method
from corrigible.protocols.corrections.verdict import NAMED, Verdict
from corrigible.study import Run
from corrigible.types import Features, Feedback

TEXTS = ("row_labels", "explained_labels", "row_predictions")


def results_in_words(results: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """The results of an evaluation for people to read; everything else stays as it was measured."""
    found = {**results, **_texts(results, labels)}
    found["class_names"] = [in_words(name, labels) for name in results["class_names"]]
    found["models"] = [_model(model, labels) for model in results["models"]]
    found["changes"] = [_measurement(change, labels) for change in results["changes"]]
    if "explained_predictions" in results:
        predictions = results["explained_predictions"].items()
        found["explained_predictions"] = {place: _all(texts, labels) for place, texts in predictions}
    found["shifts"] = [shift | {"region": in_words(shift["region"], labels)} for shift in results.get("shifts", [])]
    if results.get("verdict"):
        found["verdict"] = results["verdict"] | _of_verdict(results["verdict"], labels)
    return found


def verdict_in_words(found: Verdict, labels: Labels) -> Verdict:
    """The verdict with the words for the classes that it names."""
    return replace(found, **_of_verdict(asdict(found), labels))


def _of_verdict(found: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    named = {key: str(found.get(key, "")) for key in ("sentence", "reasons")}
    for name, words in labels.items():
        named = {key: text.replace(NAMED.format(name), NAMED.format(words)) for key, text in named.items()}
    return {**named, "worst_class": in_words(found.get("worst_class", ""), labels)}


def feedback_in_words(feedback: Iterable[Feedback], labels: Labels) -> list[Feedback]:
    """The feedback with the words for the features that it names."""
    return [
        replace(said, region=Features(tuple(in_words(name, labels) for name in said.region.names)))
        if labels and isinstance(said.region, Features)
        else said
        for said in feedback
    ]


def _model(model: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    measurements = [_measurement(found, labels) for found in model["measurements"]]
    shares = [(in_words(feature, labels), share) for feature, share in model["shares"]]
    name = spoken_method(model["name"])
    return {**model, **_texts(model, labels), "name": name, "measurements": measurements, "shares": shares}


def _measurement(found: Mapping[str, Any], labels: Labels) -> dict[str, Any]:
    """A part is "class visit" or "group 1": its last word is a name."""
    kind, space, name = found["part"].partition(" ")
    return {**found, "part": f"{kind}{space}{in_words(name, labels)}"}


def _texts(found: Mapping[str, Any], labels: Labels) -> dict[str, list[str]]:
    return {key: _all(found[key], labels) for key in TEXTS if key in found}


def _all(texts: Sequence[str], labels: Labels) -> list[str]:
    return [in_words(text, labels) for text in texts]


def privacy_of(runs: Sequence[Run]) -> Iterator[str]:
    """A sentence for each run with private steps."""
    return (f"{run.label} is {run.record['privacy']['said']}" for run in runs if "privacy" in run.record)
