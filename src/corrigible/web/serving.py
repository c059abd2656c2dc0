"""Serve the review page of a study on this computer until it is interrupted."""

import logging
import socket
import webbrowser
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import uvicorn

from corrigible.errors import StudyError
from corrigible.web.app import app_of
from corrigible.workflow.records import Line
from corrigible.workflow.reviews.review import Review

USUAL_PORT = 8765
"""Always the same where it is free, so that what waits in the browser to be saved is found again."""
HOST = "127.0.0.1"


def review(folder: Path, *, port: int | None = None, author: str = "", opens_browser: bool = True) -> Iterator[Line]:
    """Serve the page; yield its address, and a last line when it was interrupted.

    Args:
        port: None for the usual one, or any that is free.

    Raises:
        StudyError: no study, one without a model, or a port that is taken.
    """
    opened = Review(folder, reviewer=author)
    try:
        listening = _listening(port)
        number = listening.getsockname()[1]
        guard = app_of(lambda: opened, port=number)
        address = f"http://{HOST}:{number}/?token={guard.token}"
        yield Line(f"review {folder} at {address}")
        yield Line("the address works once, in one browser on this computer; end with Ctrl-C")
        if opens_browser:
            webbrowser.open(address)
        server = uvicorn.Server(_config(guard))
        with suppress(KeyboardInterrupt):  # Uvicorn has closed everything by then.
            server.run(sockets=[listening])
        yield Line("the review has ended; everything that was saved is in the study")
    finally:
        opened.close()


def _config(guard: object) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    return uvicorn.Config(
        guard,  # type: ignore[arg-type]
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=2,
    )


def _listening(port: int | None) -> socket.socket:
    """A socket on this computer alone."""
    for wanted in (USUAL_PORT, 0) if port is None else (port,):
        # Named as TCP, which makes asyncio send small answers at once: else each may wait 40 ms for the browser.
        found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            found.bind((HOST, wanted))
            found.listen()  # So that the printed address can be opened at once.
            return found
        except OSError as error:
            found.close()
            if wanted == 0 or port is not None:
                raise StudyError(f"port {wanted} cannot be used ({error.strerror}); choose another --port") from error
    raise AssertionError
