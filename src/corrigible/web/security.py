"""Who may ask: one browser on this computer, which was given the printed address.

A page of another site must not be able to read or say anything: not by a request of its own (Origin, the type of the
content, the cookie), not by a name that it lets point to this computer (Host), not by framing the page.
"""

import hmac
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

Scope = MutableMapping[str, Any]
Refuse = Callable[[Request, int, str], Response]
JSON, BYTES = "application/json", "application/octet-stream"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
REPORT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; base-uri 'none'"
"""Of a written report, which holds its styles and pictures itself and has no script."""
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
DAYS = 30 * 24 * 3600
"""Seconds that a browser which was closed is still let in, as long as the server runs."""
OPEN_AGAIN = "The address that `corrigible review` printed works once, in one browser: start it again for a new one."


class Guard:
    """Checks every request before the app sees it.

    Args:
        port: the one that the server listens on.
        refuse: makes the answer to a request that is refused, from the request, a status and a sentence.
    """

    def __init__(self, app: Any, *, port: int, refuse: Refuse) -> None:
        self.app, self.refuse = app, refuse
        self.hosts = (f"127.0.0.1:{port}", f"localhost:{port}")
        self.cookie_name = f"corrigible-{port}"  # A browser sends a cookie to every port.
        self.token = secrets.token_urlsafe(32)
        self._cookie = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = self._refusal(Request(scope))
        await (answer or self.app)(scope, receive, _with_headers(send))

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that does not reach the app; None where it does."""
        host, path = request.headers.get("host", ""), request.url.path
        if host not in self.hosts or len(request.headers.getlist("host")) != 1:
            return self.refuse(request, 421, f"This page is at http://{self.hosts[0]}/ and at no other name.")
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return self.refuse(request, 403, "Another site asked for this; open the page yourself.")
        if request.method not in ("GET", "HEAD", "POST"):
            return self.refuse(request, 405, "This is not possible here.")
        if path.startswith("/static/") and request.method == "GET":
            return None
        if path == "/" and "token" in request.query_params and request.method == "GET":
            return self._exchanged(request)
        if not self._has_cookie(request):
            return self.refuse(request, 403, OPEN_AGAIN)
        return self._refused_post(request, host) if request.method == "POST" else None

    def _refused_post(self, request: Request, host: str) -> Response | None:
        if request.headers.get("origin") != f"http://{host}":
            return self.refuse(request, 403, "Another site sent this; nothing was stored.")
        found, wanted = request.headers.get("content-type", ""), BYTES if request.url.path == "/api/import" else JSON
        if found.partition(";")[0].strip().lower() != wanted:
            return self.refuse(request, 415, f"The content is {found or 'of no type'}; expected {wanted}.")
        return None

    def _exchanged(self, request: Request) -> Response:
        """The cookie for the token, which then is used up."""
        tokens = parse_qs(request.url.query).get("token", [""])
        is_right = bool(self.token) and len(tokens) == 1 and _same(tokens[0], self.token)
        if not is_right and not self._has_cookie(request):
            return self.refuse(request, 403, f"This address was used before, or is an old one. {OPEN_AGAIN}")
        answer = RedirectResponse("/", status_code=303)
        if is_right:
            self.token = ""
            answer.set_cookie(self.cookie_name, self._cookie, path="/", httponly=True, samesite="strict", max_age=DAYS)
        return answer

    def _has_cookie(self, request: Request) -> bool:
        return _same(request.cookies.get(self.cookie_name, ""), self._cookie)


def _same(found: str, expected: str) -> bool:
    return hmac.compare_digest(found.encode("utf-8", "replace"), expected.encode())


def _with_headers(send: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    """The function with the headers that every answer has."""

    async def sending(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            given = list(message.get("headers", []))
            names = {name for name, _ in given}
            added = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in names]
            if b"cache-control" not in names:
                added.append((b"cache-control", b"no-store"))
            message["headers"] = given + added
        await send(message)

    return sending
