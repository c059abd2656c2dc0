"""What is said is stored whether or not the model is there, and stays what it was."""

import uuid

import numpy as np
import pytest

from corrigible.said import Answer, Pixels
from corrigible.study import open_study
from corrigible.workflow.reviews.regions import region_as_json
from reviewed import FACTS, OF_ROWS, PRINT, Known

MARK = np.zeros((8, 8), bool)
MARK[:2, :2] = True
SAYS = [{"polarity": "irrelevant", "scope": "row", "region": region_as_json(Pixels(MARK))}]


def an_answer(row, **change):
    body = {"key": str(uuid.uuid4()), "split": "train", "row": row, "version": 0, "author": "Ada", "note": ""}
    return {**body, "answer": "marked", "says": SAYS, "seconds": 1.5, "shown": [], "fingerprint": PRINT, **change}


def renewed(review):
    """Have the review look for new runs at the next request."""
    review._refreshed = 0.0


def test_an_answer_about_a_row_that_was_predicted_needs_no_model(browser, review, monkeypatch):
    review.looks._worker.predict(3)
    monkeypatch.setattr(Known, "is_down", True)
    assert browser.say("/api/answer", an_answer(3)).status_code == 200
    assert review.looks._worker.asked == []
    assert browser.say("/api/answer", an_answer(4)).status_code == 503, "the row is not known: to be sent again"


def test_a_model_that_failed_is_started_again_and_its_warning_goes(browser, review):
    worker = review.looks._worker
    worker.hear({"event": "failed", "error": "the disk was away"})
    assert "the disk was away" in browser.get("/api/study").json()["warnings"][0]
    assert "the disk was away" in browser.get("/api/item/train/0").json()["error"]
    worker.can_start = True
    renewed(review)
    assert browser.get("/api/study").json()["warnings"] == []
    assert browser.say("/api/count", {"region": {}, "scope": "row"}).status_code == 200


@pytest.mark.parametrize("change", [{"row": 6}, {"note": "x"}, {"answer": "not sure", "says": []},
                                    {"says": [{**SAYS[0], "polarity": "relevant"}]}])  # fmt: skip
def test_a_known_key_with_other_content_is_refused_and_nothing_changes(browser, study, change):
    body = an_answer(5)
    stored = browser.say("/api/answer", body).json()
    assert browser.say("/api/answer", {**body, "version": 7}).json() == stored
    told = browser.say("/api/answer", {**body, **change})
    assert told.status_code == 409 and "another answer, about row 5" in told.json()["error"]
    with open_study(study).feedback() as store:
        assert store.revision == 2 and store.active()[0][1].polarity == "irrelevant"


def test_what_others_store_is_seen_before_the_first_save(browser, study):
    assert browser.get("/api/items?show=reviewed").json()["total"] == 0
    with open_study(study).feedback() as store:
        store.answer(Answer(9, "not sure", author="Cy"))
    assert browser.get("/api/items?show=reviewed").json()["items"][0]["row"] == 9


def test_a_store_that_was_replaced_or_moved_away_is_followed(browser, study):
    assert browser.say("/api/answer", an_answer(1)).status_code == 200
    (study / "feedback.sqlite").rename(study / "away.sqlite")
    assert browser.get("/api/study").json()["counts"]["said"] == 0
    assert browser.say("/api/answer", an_answer(2)).status_code == 200
    assert [item["row"] for item in browser.get("/api/items?show=marked").json()["items"]] == [2]
    (study / "away.sqlite").replace(study / "feedback.sqlite")
    assert [item["row"] for item in browser.get("/api/items?show=marked").json()["items"]] == [1]


def test_a_store_that_cannot_be_opened_when_a_run_appears_is_used_again_when_it_can(browser, review, study):
    assert browser.say("/api/answer", an_answer(1)).status_code == 200
    kept = (study / "feedback.sqlite").read_bytes()
    with open_study(study).new_run("evaluate"):
        pass
    (study / "feedback.sqlite").write_bytes(b"no store" * 1000)
    renewed(review)
    for _ in range(2):
        told = browser.say("/api/answer", an_answer(2))
        assert told.status_code == 503 and "feedback.sqlite" in told.json()["error"]
    (study / "feedback.sqlite").write_bytes(kept)
    assert browser.say("/api/answer", an_answer(2)).status_code == 200


def test_a_damaged_run_keeps_nobody_from_saving(browser, review, study):
    (study / "runs" / "0002-correct").mkdir()
    (study / "runs" / "0002-correct" / "run.json").write_text("{")
    renewed(review)
    assert browser.say("/api/answer", an_answer(1)).status_code == 200
    assert "move" in browser.get("/api/study").json()["error"]
    assert "0002-correct" in review.looks.warnings[0]
    (study / "runs" / "0002-correct").rename(study / "damaged")
    renewed(review)
    assert browser.get("/api/study").json()["warnings"] == []


def test_a_study_that_is_moved_away_is_refused_in_a_line_until_it_is_back(browser, review, study):
    study.rename(study.parent / "away")
    for path in ("/api/study", "/api/items", "/api/feedback", "/api/item/train/0", "/api/jobs"):
        renewed(review)
        answer = browser.get(path)
        assert answer.status_code < 500 and "\n" not in answer.json().get("error", ""), path
    assert browser.say("/api/answer", an_answer(1)).status_code == 503
    assert browser.say("/api/jobs", {"verb": "report", "options": {}}).status_code == 422
    assert not study.exists()
    (study.parent / "away").rename(study)
    assert browser.say("/api/answer", an_answer(1)).status_code == 200


OF_TEXTS = {**FACTS, "kind": "text", "shape": [4, 2], "splits": {"train": {**OF_ROWS, "words": [0, 2] + [4] * 58}}}


@pytest.mark.parametrize(("row", "region", "is_there"), [
    (0, {"type": "places", "places": [0]}, False), (0, {"type": "phrase", "words": ["good"]}, False),
    (1, {"type": "places", "places": [2]}, False), (1, {"type": "places", "places": [1]}, True),
])  # fmt: skip
def test_words_that_a_text_does_not_have_cannot_be_marked(browser, review, row, region, is_there):
    review.looks._worker.hear({"event": "ready", "facts": OF_TEXTS})
    answer = browser.say("/api/answer", an_answer(row, says=[{**SAYS[0], "region": region}]))
    assert answer.status_code == (200 if is_there else 422), answer.text
