"""Nobody but the one browser that was given the address can read or say anything."""

import subprocess
import sys
from pathlib import Path

import pytest
from browser import HERE, PORT, Browser

from corrigible.web.app import app_of
from corrigible.workflow.reviews.review import Review

POSTS = ["/api/answer", "/api/retract", "/api/decide", "/api/jobs", "/api/import", "/api/jobs/1/cancel", "/api/count"]
GETS = ["/api/study", "/api/items", "/api/item/train/0", "/picture/train/0.png", "/api/jobs/1/events",
        "/api/export/feedback.json", "/"]  # fmt: skip


class Untouched(Review):
    """A review that must not be reached, but for its title."""

    def __init__(self):
        self.folder = Path("study")

    async def __aenter__(self):
        return self

    async def __aexit__(self, *error):
        pass

    async def heading(self):
        return {"title": "<script>alert(1)</script>", "things": "images"}

    def __getattribute__(self, name):
        assert name in ("folder", "heading", "__class__", "__dict__", "__aenter__", "__aexit__"), f"{name} was reached"
        return super().__getattribute__(name)


@pytest.fixture
def guard():
    return app_of(Untouched, port=PORT)


@pytest.fixture
def stranger(guard):
    """A browser without the cookie."""
    with Browser(guard) as client:
        yield client


@pytest.fixture
def client(guard, stranger):
    """The browser that was given the address."""
    assert stranger.get(f"/?token={guard.token}").status_code == 200
    return stranger


def posted(client, path, **headers):
    kind = "application/octet-stream" if path == "/api/import" else "application/json"
    return client.post(path, content=b"{}", headers={"origin": HERE, "content-type": kind, **headers})


def test_the_token_works_once_and_gives_a_cookie_that_scripts_cannot_read(guard, stranger):
    token = guard.token
    answer = stranger.get(f"/?token={token}", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert token not in cookie
    stranger.client.cookies.clear()
    assert stranger.get(f"/?token={token}").status_code == 403
    assert stranger.get("/?token=").status_code == 403


@pytest.mark.parametrize("token", ["", "x", "é", "%00", "a" * 10_000])
def test_a_wrong_token_is_refused(stranger, token):
    assert stranger.get("/", params={"token": token}).status_code == 403
    assert not stranger.client.cookies


@pytest.mark.parametrize("path", GETS)
def test_without_the_cookie_nothing_is_read(stranger, path):
    stranger.client.cookies.set(f"corrigible-{PORT}", "wrong")
    assert stranger.get(path).status_code == 403


@pytest.mark.parametrize("path", POSTS)
def test_without_the_cookie_nothing_is_said(stranger, path):
    assert posted(stranger, path).status_code == 403


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    "origin", ["http://evil.example", f"http://localhost:{PORT}", "null", "", f"{HERE}.evil.example"]
)
def test_what_another_site_sends_is_refused(client, path, origin):
    assert posted(client, path, origin=origin).status_code == 403


def test_a_post_without_origin_is_refused(client):
    assert client.post("/api/answer", json={}).status_code == 403


@pytest.mark.parametrize(
    "kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain", ""]
)
def test_a_form_of_another_site_is_refused(client, kind):
    assert posted(client, "/api/answer", **{"content-type": kind}).status_code == 415


@pytest.mark.parametrize(
    "host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1", f"127.0.0.1:{PORT + 1}", "", "[::1]:8765"]
)
def test_a_name_that_was_made_to_lead_here_is_refused(client, host):
    assert client.get("/api/study", headers={"host": host}).status_code == 421
    assert posted(client, "/api/answer", host=host, origin=f"http://{host}").status_code == 421


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_the_browser_says_is_of_another_site_is_refused(client, site):
    assert client.get("/api/study", headers={"sec-fetch-site": site}).status_code == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods_are_refused(client, method):
    assert client.request(method, "/api/answer").status_code == 405


@pytest.mark.parametrize("path", ["/", "/static/nothing.js", "/api/nothing"])
def test_every_answer_says_what_the_browser_may_do(client, path):
    headers = client.get(path).headers
    assert "script-src 'self'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


def test_titles_are_escaped(client):
    page = client.get("/").text
    assert "<script>alert(1)</script>" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "/etc/passwd", "..\\app.py", "app.py", "", "review.js%00.css"]
)
def test_no_path_from_outside_reaches_the_files(client, name):
    assert client.get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("job", ["..%2f..%2frecipe", "0", "1.jsonl", "%00", "-1", "999", "1%2f..", "x"])
def test_no_id_from_outside_names_a_file(client, job):
    assert client.get(f"/api/jobs/{job}/events").status_code in (404, 422)
    assert posted(client, f"/api/jobs/{job}/cancel").status_code in (404, 422)


@pytest.mark.parametrize("place", ["train/-1", "train/1.5", "train/x", f"train/{10**30}"])
def test_a_row_is_a_number(client, place):
    assert client.get(f"/item/{place}").status_code == 404


@pytest.mark.parametrize("body", [b"", b"{", b"[" * 100_000, b"\xff", b'{"a": NaN', b"[]", b'"x"', b"1"])
def test_what_is_no_json_object_is_refused_in_one_line(client, body):
    answer = client.post("/api/jobs", content=body, headers={"origin": HERE, "content-type": "application/json"})
    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]


def test_a_request_without_end_is_cut_off(client):
    sent = []

    async def endless():
        for _ in range(100):
            sent.append(1)
            yield b" " * 2**20

    answer = client.post("/api/jobs", content=endless(), headers={"origin": HERE, "content-type": "application/json"})
    assert answer.status_code == 422
    assert "send less" in answer.json()["error"]
    assert len(sent) < 20


@pytest.mark.parametrize(
    ("verb", "options"),
    [("correct", {"penalty": "os:system"}), ("correct", {"penalty": "../x"}), ("correct", {"epochs": 10**9}),
     ("correct", {"weight": "1; rm"}), ("seal", {"name": "../../x"}), ("seal", {"name": "/tmp/x"}), ("trust", {}),
     ("train", {"device": "x"}), ("__class__", {}), ("correct", {"folder": "/"}), ("correct", [1]), (None, {})],
)  # fmt: skip
def test_a_job_names_no_code_and_no_path(client, verb, options):
    headers = {"origin": HERE}
    answer = client.post("/api/jobs", json={"verb": verb, "options": options}, headers=headers)
    assert answer.status_code == 422, answer.text


def test_the_server_loads_no_torch():
    script = "import sys, corrigible.web.serving; print({'torch', 'pandas', 'scipy', 'sklearn'} & set(sys.modules))"
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "set()\n"
    )
