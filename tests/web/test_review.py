"""The page's answers about a real study: what is said is stored once, and nothing that is sent does harm."""

import base64
import io
import json
import shutil
import sqlite3
import struct
import time
import uuid
import zlib
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest
from browser import HERE, PORT, Browser
from PIL import Image

from corrigible.errors import StudyError
from corrigible.study import open_study
from corrigible.trusted_code import own
from corrigible.web.app import app_of
from corrigible.workflow.reviews.review import Review
from corrigible.workflow.reviews.start import suspect_rows, suspects_of
from studies import corrigible, edit, image_study, refused

SUSPECT = {"rank": 1, "region": "--box 0 0 2 2", "label": "", "tells_label": True, "rows": [3]}
SUSPECT |= {"effect": 0.5, "low": 0.4, "high": 0.6, "ratio": 2.0}
EVIL = "Ada'); DROP TABLE event; -- <img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    folder = image_study(tmp_path_factory.mktemp("reviewed") / "study")
    edit(folder, "Tiny images", "<b>Tiny</b> images")
    assert corrigible("train", folder).code == 0
    return folder


@pytest.fixture(scope="module")
def browser(study):
    guard = app_of(lambda: Review(study), port=PORT)
    with Browser(guard) as client:
        client.get(f"/?token={guard.token}")
        client.get("/api/next")  # Which waits until the model is there.
        yield client


def png(mask, mode="L"):
    written = io.BytesIO()
    Image.fromarray(np.asarray(mask).astype(np.uint8) * 255).convert(mode).save(written, format="PNG")
    return written.getvalue()


def region(written):
    return {"type": "mask", "png": "data:image/png;base64," + base64.b64encode(written).decode()}


def corner(size=8):
    mask = np.zeros((size, size), bool)
    mask[:2, :2] = True
    return mask


def an_answer(browser, row, **change):
    version = browser.get(f"/api/item/train/{row}").json()["version"]
    says = [{"polarity": "irrelevant", "scope": "row", "region": region(png(corner()))}]
    body = {"key": str(uuid.uuid4()), "split": "train", "row": row, "version": version, "author": "Ada"}
    return {**body, "answer": "marked", "seconds": 1.5, "note": "", "says": says, "shown": [], **change}


def revision(study):
    with open_study(study).feedback() as store:
        return store.revision


def test_an_item_says_what_is_predicted_and_why(browser):
    item = browser.get("/api/item/train/3").json()
    assert (item["kind"], item["row"], item["label"]) == ("image", 3, "0")
    assert item["explains"].startswith("why “")
    for name in ("picture", "map", "segments"):
        answer = browser.get(item["image"][name])
        assert answer.headers["content-type"] == "image/png"
        assert Image.open(io.BytesIO(answer.content)).size == (8, 8)


def test_an_answer_is_stored_once(browser, study):
    body, before = an_answer(browser, 5), revision(study)
    first = browser.say("/api/answer", body)
    again = browser.say("/api/answer", body)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert revision(study) == before + 2
    with open_study(study).feedback() as store:
        (record,) = store.records_of(first.json()["numbers"])
    assert np.array_equal(record.feedback.region.mask, corner())
    said = browser.get("/api/item/train/5").json()["said"]
    assert [entry["id"] for entry in said] == first.json()["numbers"]


def test_who_comes_second_is_told_and_may_save_both(browser, study):
    first, second = an_answer(browser, 6), an_answer(browser, 6, author="Bo", answer="nothing wrong", says=[])
    assert browser.say("/api/answer", first).status_code == 200
    told = browser.say("/api/answer", second)
    assert told.status_code == 409
    assert "Ada" in told.json()["sentence"]
    assert len(told.json()["said"]) == 1
    assert browser.say("/api/answer", {**second, "version": told.json()["version"]}).status_code == 200
    assert browser.get("/api/items?show=disagree").json()["items"][0]["row"] == 6
    assert any("Bo" in found["sentence"] for found in browser.get("/api/feedback").json()["conflicts"])


def test_what_another_process_stores_is_seen(browser, study):
    version = browser.get("/api/item/train/9").json()["version"]
    corrigible("feedback", "answer", study, "--row", 9, "--says", "not sure", "--author", "Cy")
    assert browser.get("/api/item/train/9").json()["version"] > version
    found = browser.get("/api/items?show=reviewed").json()["items"]
    assert [item["answer"] for item in found if item["row"] == 9] == ["not sure"]


@pytest.mark.parametrize("where", ["author", "note"])
def test_sql_and_html_are_text(browser, study, where):
    answer = browser.say("/api/answer", an_answer(browser, 7, **{where: EVIL}))
    assert answer.status_code == 200
    entry = browser.get("/api/feedback").json()["entries"][0]
    assert entry[where] == EVIL
    for page in ("/", "/feedback", "/item/train/7", "/report"):
        text = browser.get(page).text
        assert "<img src=x" not in text
        assert "<b>Tiny</b>" not in text
    with closing(sqlite3.connect(study / "feedback.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM event").fetchone()[0] == revision(study)


@pytest.mark.parametrize("query", ["split='; DROP TABLE event; --", "class=' OR 1=1", "show=x", "page=x", "page=-1",
                                   "suspect=1.5", "split=../..", "page=" + "9" * 16])  # fmt: skip
def test_a_query_that_means_nothing_is_refused(browser, query):
    assert browser.get(f"/api/items?{query}").status_code == 422


def bomb(width, height):
    """A small file that says that it is a huge picture, and unpacks to one."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    packed = zlib.compress(bytes(10 * 2**20), 9)
    chunks = ((b"IHDR", header), (b"IDAT", packed), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


WHOLE = png(corner())
BROKEN = {
    "another size": png(corner(9)),
    "a bomb": bomb(60_000, 60_000),
    "a bomb of the right size": bomb(8, 8),
    "not a picture": b"<svg onload=alert(1)>",
    "nothing": b"",
    "cut off": WHOLE[:40],
    "half of it": WHOLE[: len(WHOLE) // 2],
    "nothing marked": png(np.zeros((8, 8))),
    "a GIF": b"GIF89a" + bytes(50),
}


@pytest.mark.parametrize("written", BROKEN.values(), ids=BROKEN)
def test_a_mask_that_is_no_mask_is_refused_in_one_line(browser, study, written):
    before = revision(study)
    says = [{"polarity": "irrelevant", "scope": "row", "region": region(written)}]
    started = time.perf_counter()
    answer = browser.say("/api/answer", an_answer(browser, 8, says=says))
    assert time.perf_counter() - started < 5
    if written != BROKEN["a bomb of the right size"]:  # It is black where its 64 pixels are.
        assert answer.status_code == 422
    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]
    assert revision(study) == before


@pytest.mark.parametrize("sent", [
    {"type": "mask", "png": "https://evil.example/x.png"}, {"type": "mask", "png": "data:image/png;base64,%%%"},
    {"type": "mask"}, {"type": "file", "path": "/etc/passwd"}, None, [], "x", {"type": "features", "names": []},
    {"type": "features", "names": [1]}, {"type": "phrase", "words": ["a b"]}, {"type": "places", "places": [10**20]},
    {"type": "mask", "png": "data:image/png;base64," + "A" * (5 * 2**20)}, {"type": {}},
])  # fmt: skip
def test_a_region_that_is_none_is_refused(browser, study, sent):
    before = revision(study)
    says = [{"polarity": "irrelevant", "scope": "row", "region": sent}]
    assert browser.say("/api/answer", an_answer(browser, 8, says=says)).status_code == 422
    assert revision(study) == before


@pytest.mark.parametrize("change", [
    {"key": "../../x"}, {"key": ""}, {"row": 10**9}, {"row": -1}, {"row": "1"}, {"split": "../train"}, {"split": ""},
    {"answer": "fine"}, {"answer": "nothing wrong"}, {"says": []},
    {"answer": "fine", "says": []}, {"says": [{"polarity": "maybe"}]}, {"says": [{"scope": "all"}]},
    {"says": "x"}, {"note": "x" * 10_000},
    {"note": "\ud800"}, {"version": "1"}, {"shown": [1]}, {"author": 1},
])  # fmt: skip
def test_an_answer_that_is_not_well_formed_is_refused(browser, study, change):
    body, before = an_answer(browser, 8), revision(study)
    content = json.dumps({**body, **change}).encode()
    headers = {"origin": HERE, "content-type": "application/json"}
    answer = browser.post("/api/answer", content=content, headers=headers)
    assert answer.status_code == 422, answer.text
    assert revision(study) == before


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "1", "LA"])
def test_masks_of_every_kind_of_png_are_read(browser, mode):
    answer = browser.say("/api/count", {"region": region(png(corner(), mode)), "scope": "dataset", "label": None})
    assert answer.json()["rows"] == 60, answer.text


def test_what_was_said_is_taken_back_once(browser, study):
    numbers = browser.say("/api/answer", an_answer(browser, 10)).json()["numbers"]
    body = {"key": str(uuid.uuid4()), "numbers": numbers, "author": "Ada", "note": "oops"}
    before = revision(study)
    assert [browser.say("/api/retract", body).status_code for _ in range(2)] == [200, 200]
    assert revision(study) == before + 1
    assert browser.get("/api/feedback?state=retracted").json()["entries"][0]["retracted"]["note"] == "oops"
    assert browser.say("/api/retract", {**body, "numbers": [10**6]}).status_code == 422


def test_what_is_exported_can_be_brought_back(browser, tmp_path):
    assert browser.say("/api/answer", an_answer(browser, 11)).status_code == 200
    written = browser.get("/api/export/feedback.json").content
    headers = {"origin": HERE, "content-type": "application/octet-stream", "x-name": "../../said.json"}
    found = browser.post("/api/import", content=written, headers=headers).json()
    assert found["numbers"] == []
    assert found["known"] > 0
    for sent, name in ((b"PK\x03\x04 no archive", "masks.zip"), (b"[]", "a.json"), (b"", "")):
        assert browser.post("/api/import", content=sent, headers={**headers, "x-name": name}).status_code == 422
    coco = browser.get("/api/export/coco.json").json()
    assert coco["annotations"][0]["segmentation"]["counts"] == [0, 2, 6, 2, 54]
    assert coco["annotations"][0]["bbox"] == [0, 0, 2, 2]


def ended(browser, job):
    for _ in range(600):
        found = browser.get("/api/jobs").json()["jobs"]
        (one,) = [one for one in found if one["id"] == job]
        if one["state"] != "running":
            return one
        time.sleep(0.1)
    raise AssertionError("the job does not end")


def test_a_job_tells_what_it_does_and_can_be_read_again(browser, study):
    job = browser.say("/api/jobs", {"verb": "report", "options": {}}).json()["id"]
    assert browser.say("/api/jobs", {"verb": "report", "options": {}}).status_code == 422
    assert ended(browser, job)["state"] == "failed"
    stream = browser.get(f"/api/jobs/{job}/events").text
    assert "no evaluate run" in stream
    number = int(stream.rstrip().splitlines()[-2].removeprefix("id: "))
    later = browser.get(f"/api/jobs/{job}/events", headers={"last-event-id": str(number - 1)}).text
    assert later == stream[stream.index("event: end") :]
    assert corrigible("verify", study).code == 0


@pytest.mark.slow
def test_the_model_is_looked_at_again_after_its_process_dies(study):
    guard = app_of(lambda: Review(study), port=PORT)
    with Browser(guard) as client:
        client.get(f"/?token={guard.token}")
        client.get("/api/item/train/0")
        guard.app.state.review.looks._worker._process.kill()
        for _ in range(200):
            answer = client.get("/api/item/train/1")
            if answer.status_code == 200:
                break
            assert "starts again" in answer.json()["error"]
            time.sleep(0.1)
        assert answer.json()["row"] == 1
        assert any("started again" in warning for warning in client.get("/api/study").json()["warnings"])


@pytest.mark.slow
def test_data_that_cannot_be_loaded_are_told_once(study, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(study, copied)
    (copied / "data" / "train.npz").write_bytes(b"no data")
    own(copied)
    guard = app_of(lambda: Review(copied), port=PORT)
    with Browser(guard) as client:
        client.get(f"/?token={guard.token}")
        answer = client.get("/api/next")
        assert answer.status_code == 422 and "cannot be loaded" in answer.json()["error"]
        assert len(client.get("/api/study").json()["warnings"]) == 1


def test_a_study_whose_code_nobody_trusts_is_not_reviewed(study, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(study, copied)
    edit(copied, 'kind = "image"', 'source = "somewhere:load"')
    assert "corrigible trust" in refused("review", copied, "--no-browser")


def test_suspects_are_those_of_the_model_that_is_looked_at(study):
    opened, model = open_study(study), open_study(study).latest("train")
    facts = {"kind": "image", "shape": [1, 8, 8], "splits": {"train": {}}}
    with opened.new_run("suspect", parent=model.name) as draft:
        draft.write_json("suspects.json", [SUSPECT])
    assert [found["rank"] for found in suspects_of(opened.runs(), model, facts)] == [1]
    assert suspect_rows(opened.runs(), model, 1) == [3]
    other = replace(model, folder=model.folder.parent / "0099-correct")
    assert suspects_of(opened.runs(), other, facts) == [] and suspect_rows(opened.runs(), other, 1) == []


def test_a_mark_on_an_item_that_was_changed_meanwhile_is_refused(browser, study):
    before = revision(study)
    answer = browser.say("/api/answer", an_answer(browser, 7, fingerprint="of another item"))
    assert answer.status_code == 422 and "the data changed" in answer.json()["error"]
    shown = browser.get("/api/item/train/7").json()["fingerprint"]
    assert browser.say("/api/answer", an_answer(browser, 7, fingerprint=shown)).status_code == 200
    assert revision(study) > before


@pytest.mark.parametrize("other", [{"type": "features", "names": ["age"]}, {"type": "phrase", "words": ["age"]}])
def test_a_region_of_another_kind_of_data_is_refused(browser, study, other):
    before = revision(study)
    says = [{"polarity": "irrelevant", "scope": "row", "region": other}]
    answer = browser.say("/api/answer", an_answer(browser, 8, says=says))
    assert answer.status_code == 422 and "mark something on what is shown" in answer.json()["error"]
    assert revision(study) == before


@pytest.mark.slow
def test_an_answer_that_cannot_be_stored_now_is_to_be_sent_again(study, monkeypatch):
    guard = app_of(lambda: Review(study), port=PORT)
    with Browser(guard) as client:
        client.get(f"/?token={guard.token}")
        answer = an_answer(client, 9)

        def failing(*about):
            raise StudyError("the disk is full")

        monkeypatch.setattr(guard.app.state.review.desk.store, "answer", failing)
        assert client.say("/api/answer", answer).status_code == 503
