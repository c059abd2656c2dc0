"""Addresses lead to what they name, whatever it is called, and numbers in them are numbers that can be used."""

import json

import pytest
from browser import HERE

from corrigible.study import open_study
from reviewed import FACTS, OF_ROWS

ODD = "new #1? 50% ä/b c"


def test_a_split_of_any_name_has_addresses_that_lead_to_it(browser, review):
    review.looks._worker.hear({"event": "ready", "facts": {**FACTS, "splits": {ODD: OF_ROWS}}})
    item = browser.get("/api/items", params={"split": ODD}).json()["items"][7]
    assert browser.get(item["thumb"]).headers["content-type"] == "image/png"
    for address in (item["thumb"].replace("thumb", "picture"), item["thumb"][:-4].replace("thumb", "item")):
        assert browser.get(address).status_code == 200, address
    assert browser.get("/api/next", params={"split": ODD}).json()["split"] == ODD


def test_a_map_is_kept_under_the_address_of_its_model_alone(browser, review):
    for run, kept in ((review.run.name, "max-age=60"), ("0009-correct", "no-store"), ("", "no-store")):
        assert kept in browser.get(f"/map/train/0/x.png?run={run}").headers["cache-control"]


@pytest.mark.parametrize("row", ["9" * 5000, "9" * 16, "-1", "1.0", "१", "%00"])
@pytest.mark.parametrize("place", ["item", "api/item", "picture", "map"])
def test_a_row_that_is_none_is_not_there(browser, place, row):
    end = {"picture": ".png", "map": "/x.png"}.get(place, "")
    assert browser.get(f"/{place}/train/{row}{end}").status_code == 404


@pytest.mark.parametrize(("path", "change"), [
    ("answer", '{"row": 1e400}'), ("answer", '{"row": %s}' % ("9" * 400)), ("answer", '{"row": %s}' % ("9" * 5000)),
    ("answer", '{"row": NaN}'), ("answer", '{"row": 1, "row": 2}'),
    ("count", '{"region": {}, "scope": "x", "label": -1}'),
    ("count", '{"region": {}, "scope": "class", "label": %s}' % ("9" * 400)), ("retract", '{"numbers": [1e308]}'),
    ("decide", "{}"), ("decide", '{"decision": "keep"}'), ("decide", '{"decision": "keep", "run": "0001-train"}'),
    ("decide", '{"decision": ["keep"]}'), ("decide", '{"decision": "discard", "run": "\\ud800"}'),
    ("jobs", '{"verb": "correct", "options": {"weight": %s}}' % ("9" * 400)),
    ("jobs", '{"verb": "correct", "options": {"weight": 1e999}}'), ("whatif", "{}"),
    ("whatif", '{"split": "train", "row": 0, "values": []}'),
])  # fmt: skip
def test_what_cannot_be_meant_is_refused_in_a_line(browser, path, change):
    headers = {"origin": HERE, "content-type": "application/json"}
    answer = browser.post(f"/api/{path}", content=change.encode(), headers=headers)
    assert answer.status_code == 422, answer.text
    assert len(answer.json()["error"].splitlines()) == 1


def test_a_time_that_no_number_holds_is_no_reason_to_lose_an_answer(browser):
    body = {"key": "0" * 8, "split": "train", "row": 0, "version": 0, "answer": "not sure", "seconds": 10**400}
    headers = {"origin": HERE, "content-type": "application/json"}
    assert browser.post("/api/answer", content=json.dumps(body).encode(), headers=headers).status_code == 200


def test_a_length_that_no_number_holds_is_refused_or_read(browser):
    headers = {"origin": HERE, "content-type": "application/json", "content-length": "9" * 5000}
    assert browser.post("/api/retract", content=b"{}", headers=headers).status_code == 422


def test_a_decision_names_its_correction(browser, study):
    with open_study(study).new_run("correct", label="corrected", parent="0001-train"):
        pass
    body = {"decision": "discard", "run": "0002-correct", "author": "Ada", "note": "x"}
    assert browser.say("/api/decide", body).json()["run"] == "0002-correct"
    assert open_study(study).runs()[-1].record["parent"] == "0002-correct"
