"""Feedback survives the way through JSON exactly, and no text raises anything but a clear FeedbackError."""

import json
import time
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from corrigible.errors import FeedbackError
from corrigible.feedback import exchange
from corrigible.feedback.exchange import from_json, to_json
from corrigible.types import Features, Feedback, Phrase, Pixels, region_of

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ZONES = st.integers(-23 * 60, 23 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
TIMES = st.datetimes(datetime(2, 1, 1), datetime(9998, 1, 1), timezones=ZONES)
PHRASES = st.lists(TEXTS.map(lambda text: "".join(text.split()) or "a"), min_size=1, max_size=3).map(tuple)
REGIONS = PHRASES | st.lists(TEXTS, min_size=1, max_size=3) | arrays(np.bool_, array_shapes(max_dims=3, max_side=6))
# Settings, not Feedback: the type checker draws at random, which strategies must not.
SETTINGS = st.fixed_dictionaries(
    {
        "region": REGIONS,
        "polarity": st.sampled_from(["irrelevant", "relevant"]),
        "row": st.integers(0, 2**63 - 1),
        "split": TEXTS.filter(bool),
        "scope": st.sampled_from(["row", "class", "dataset"]),
        "label": st.integers(0, 2**63 - 1),
        "fingerprint": st.none() | TEXTS,
        "author": TEXTS,
        "at": st.none() | TIMES,
        "note": TEXTS,
    }
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["row", "irrelevant"]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def feedback_of(values):
    region = values["region"]
    return Feedback(**{**values, "region": Phrase(region) if isinstance(region, tuple) else region_of(region)})


ENTRY = {"region": {"features": ["site"]}, "polarity": "irrelevant", "scope": "row", "row": 3}


def text_of(*entries, **header):
    return json.dumps({"format": "corrigible-feedback", "version": 1, "feedback": list(entries)} | header)


@given(st.lists(SETTINGS, max_size=3))
def test_the_way_there_and_back_changes_nothing(values):
    feedback = [feedback_of(each) for each in values]
    assert from_json(to_json(feedback)) == feedback


def test_every_field_is_written_and_defaults_are_not():
    said = Feedback(
        Features(("site",)),
        polarity="relevant",
        row=1,
        split="test",
        scope="class",
        label=2,
        fingerprint="f",
        author="a",
        at=datetime(2026, 1, 31, 12, tzinfo=UTC),
        note="n",
    )
    (full,) = json.loads(to_json([said]))["feedback"]
    assert full.keys() == {field.name for field in fields(Feedback)}
    assert full["at"] == "2026-01-31T12:00:00+00:00"
    (short,) = json.loads(to_json([Feedback(Features(("site",)), row=3)]))["feedback"]
    assert short == ENTRY


@pytest.mark.parametrize(
    ("mask", "runs"),
    [
        ([[False, True, True], [False, False, False]], [1, 2, 3]),
        ([[True, False, False], [False, False, True]], [0, 1, 4, 1]),
        ([[False] * 3] * 2, [6]),
        ([[True] * 3] * 2, [0, 6]),
    ],
)
def test_runs_count_unmarked_and_marked_positions_in_turn(mask, runs):
    (entry,) = json.loads(to_json([Feedback(Pixels(np.array(mask)), row=0)]))["feedback"]
    assert entry["region"] == {"pixels": {"shape": [2, 3], "runs": runs}}


def test_each_entry_is_a_line_of_its_own():
    lines = to_json([Feedback(Features(("größe",)), row=row, note="two\nlines") for row in range(3)]).splitlines()
    assert [json.loads(line.strip().rstrip(","))["row"] for line in lines[1:-1]] == [0, 1, 2]
    assert "größe" in lines[1]


def entry(**changes):
    return {name: value for name, value in (ENTRY | changes).items() if value is not ...}


def pixels(shape, runs):
    return entry(region={"pixels": {"shape": shape, "runs": runs}})


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (3, "entry is 3; expected an object"),
        (entry(colour="red"), "unknown key of entry 'colour'"),
        (entry(authr="Ann"), "did you mean 'author'"),
        (entry(polarity="irelevant"), "unknown polarity 'irelevant': did you mean 'irrelevant'"),
        (entry(polarity=...), "polarity is null; expected text"),
        (entry(scope="everywhere"), "unknown scope 'everywhere'"),
        (entry(scope=["row"]), "scope is a list of 1; expected text"),
        (entry(row=...), "scope 'row' names no row"),
        (entry(row="3"), "row is '3'; expected a whole number"),
        (entry(row=True), "row is True; expected a whole number"),
        (entry(row=-3), "row is -3; expected a whole number from 0"),
        (entry(row=2**63), "expected a whole number from 0 to"),
        (entry(scope="class"), "names no class"),
        (entry(split=""), "split is empty"),
        (entry(note=None), "note is null; expected text"),
        (entry(note="\ud800"), "half a character"),
        (entry(at="yesterday"), "at is 'yesterday'; expected a time like"),
        (entry(at="2026-02-30T00:00:00+00:00"), "expected a time like"),
        (entry(at="2026-01-31T12:00:00"), "has no time zone"),
        (entry(at="0001-01-01T00:00:00+02:00"), "out of range"),
        (entry(at=3), "at is 3; expected text"),
        (entry(region=...), "region is null; expected an object with features, phrase, pixels"),
        (entry(region={}), "region has 0 keys"),
        (entry(region={"features": ["a"], "pixels": {}}), "region has 2 keys"),
        (entry(region={"rectangle": []}), "unknown key of region 'rectangle'"),
        (entry(region={"features": "site"}), "features is 'site'; expected a list"),
        (entry(region={"features": [1]}), "feature name is 1; expected text"),
        (entry(region={"phrase": "good"}), "phrase is 'good'; expected a list"),
        (entry(region={"phrase": [1]}), "word is 1; expected text"),
        (entry(region={"phrase": []}), "the phrase is 0 words; expected 1 to 1000"),
        (entry(region={"phrase": ["a"] * 1001}), "the phrase is 1001 words"),
        (entry(region={"phrase": ["a b"]}), "word 'a b' of a phrase is empty or holds a space"),
        (entry(region={"phrase": [""]}), "word '' of a phrase"),
        (entry(region={"phrase": ["\ud800"]}), "half a character"),
        (entry(region={"pixels": [1]}), "pixels is a list of 1; expected an object with shape, runs"),
        (pixels(None, [1]), "shape is null; expected a list"),
        (pixels([], [1]), "shape has 0 sizes; expected 1 to 32"),
        (pixels([1] * 33, [1]), "shape has 33 sizes"),
        (pixels([2, -3], [6]), "shape holds -3; expected whole numbers of at least 1"),
        (pixels([2, 3.0], [6]), "shape holds 3.0"),
        (pixels([0, 3], []), "shape holds 0"),
        (pixels([2, 3], "6"), "runs is '6'; expected a list"),
        (pixels([2, 3], [2, -1, 5]), "run 2 is -1; expected a whole number from 1 to 6"),
        (pixels([2, 3], [2, 0, 4]), "run 2 is 0"),
        (pixels([2, 3], [2, 1.5]), "run 2 is 1.5"),
        (pixels([2, 3], [2, 2]), r"runs add up to 4; shape \[2, 3\] has 6 positions"),
        (pixels([2, 3], [5, 5]), "runs add up to 10"),
        (pixels([10**6, 10**6], [3]), "more than 1,000,000,000 positions"),
        (pixels([int("9" * 4000)] * 32, [int("9" * 4000)]), "more than 1,000,000,000 positions"),
    ],
)
def test_a_wrong_entry_is_named_with_what_was_found(wrong, message):
    started = time.perf_counter()
    with pytest.raises(FeedbackError, match=f"^feedback entry 2: .*{message}") as error:
        from_json(text_of(ENTRY, wrong))
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 300
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"format": "corrigible-feedback", "version": 1, "feedback": [NaN]}', "NaN is not JSON"),
        ('{"format": "corrigible-feedback", "format": "corrigible-feedback"}', "given twice"),
        ("[]", "found a list of 0; expected an object with format 'corrigible-feedback'"),
        ("{}", "found format null"),
        (text_of(format="coco"), "found format 'coco'"),
        (text_of(version=3), "version is 3; this corrigible reads versions up to 2: upgrade corrigible"),
        (text_of(version=0), "version is 0; expected"),
        (text_of(version="1"), "version is '1'; expected"),
        (text_of(version=True), "version is True; expected"),
        (text_of(author="Ann"), "unknown key 'author'"),
        (text_of(feedback=None), "feedback is null; expected a list"),
    ],
)
def test_a_wrong_file_is_refused(text, message):
    with pytest.raises(FeedbackError, match=message) as error:
        from_json(text)
    assert "\n" not in str(error.value)


def test_older_readers_can_read_what_holds_no_phrase():
    phrase = Feedback(Phrase(("not", "good")), scope="dataset")
    for feedback, version in (([Feedback("site", row=3)], 1), ([phrase], 2), ([], 1)):
        assert json.loads(to_json(feedback))["version"] == version
    assert json.loads(to_json([phrase]))["feedback"][0]["region"] == {"phrase": ["not", "good"]}


def test_masks_are_limited_all_together(monkeypatch):
    monkeypatch.setattr(exchange, "MOST_POSITIONS", 11)
    two = [Feedback(Pixels(np.ones((2, 3), dtype=bool)), row=row) for row in range(2)]
    with pytest.raises(FeedbackError, match="more than 11 positions"):
        to_json(two)
    with pytest.raises(FeedbackError, match=r"^feedback entry 2: .*more than 11 positions"):
        from_json(text_of(pixels([2, 3], [6]), pixels([2, 3], [6])))
    assert from_json(to_json(two[:1])) == two[:1]


def test_writing_refuses_what_reading_would():
    said = Feedback(Features(("site",)), scope="row", row=None)
    with pytest.raises(FeedbackError, match=r"^feedback entry 1: scope 'row' names no row"):
        to_json([said])


def read(text):
    """The feedback, or the message of the FeedbackError."""
    try:
        return from_json(text)
    except FeedbackError as error:
        return str(error)


def assert_clear(found):
    """A message of one line, or feedback that can be written and read again."""
    if isinstance(found, str):
        assert "\n" not in found
    else:
        assert from_json(to_json(found)) == found


@given(st.text())
def test_arbitrary_text_gives_feedback_errors_only(text):
    found = read(text)
    assert isinstance(found, str)
    assert_clear(found)


@given(JSON_VALUES, st.sampled_from(["format", "version", "feedback"]))
def test_arbitrary_values_in_the_header_give_feedback_errors_only(value, key):
    assert_clear(read(json.dumps(value)))
    assert_clear(read(text_of(ENTRY, **{key: value})))


@given(SETTINGS, JSON_VALUES, st.data())
def test_arbitrary_values_anywhere_in_an_entry_give_feedback_errors_only(values, value, data):
    whole = json.loads(to_json([feedback_of(values)]))
    place, spots = whole["feedback"], []
    waiting = [place]
    while waiting:
        place = waiting.pop()
        for key in range(len(place)) if isinstance(place, list) else list(place):
            spots.append((place, key))
            if isinstance(place[key], list | dict):
                waiting.append(place[key])
    place, key = data.draw(st.sampled_from(spots))
    place[key] = value
    assert_clear(read(json.dumps(whole)))


@given(SETTINGS, st.data())
def test_a_text_with_one_character_changed_gives_feedback_errors_only(values, data):
    text = to_json([feedback_of(values)])
    place = data.draw(st.integers(0, len(text) - 1))
    assert_clear(read(text[:place] + data.draw(st.characters()) + text[place + 1 :]))
    assert_clear(read(text[:place]))
