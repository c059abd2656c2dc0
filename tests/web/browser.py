"""A browser that talks to the app without a network, one request after the other."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import httpx

PORT = 8765
HERE = f"http://127.0.0.1:{PORT}"


class Browser:
    """Requests to a guarded app, whose review is open as long as the browser; usable in ``with``."""

    def __init__(self, guard: Any) -> None:
        self._runner = asyncio.Runner()
        self._life = guard.app.router.lifespan_context(guard.app)
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=guard), base_url=HERE, follow_redirects=True)

    def __enter__(self) -> "Browser":
        self._run(self._life.__aenter__())
        return self

    def __exit__(self, *error: object) -> None:
        self._run(self._life.__aexit__(None, None, None))
        self._run(self.client.aclose())
        self._runner.close()

    def request(self, method: str, path: str, **how: Any) -> httpx.Response:
        response: httpx.Response = self._run(self.client.request(method, path, **how))
        return response

    def get(self, path: str, **how: Any) -> httpx.Response:
        return self.request("GET", path, **how)

    def post(self, path: str, **how: Any) -> httpx.Response:
        return self.request("POST", path, **how)

    def say(self, path: str, body: Any) -> httpx.Response:
        """Send JSON as the page does."""
        return self.post(path, json=body, headers={"origin": HERE})

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._runner.run(work)
