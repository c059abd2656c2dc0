"""What routes share: reading a request within bounds, and answers as pages, JSON and pictures."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from corrigible.errors import FeedbackError
from corrigible.rendered import rendered
from corrigible.strict_json import parse
from corrigible.workflow.reviews.asked import whole_number

MOST_BODY = 8 * 2**20
"""Most bytes of a request with masks."""
STATIC = {".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}


async def body_of(request: Request, *, most: int = MOST_BODY) -> bytes:
    """The content of a request.

    Raises:
        FeedbackError: it is longer than is allowed; no more than that is read.
    """
    said = whole_number(request.headers.get("content-length", "0"))
    if said is not None and said > most:
        raise FeedbackError(f"the request has {said:,} bytes; expected at most {most:,}")
    found = bytearray()
    async for part in request.stream():
        found += part
        if len(found) > most:
            raise FeedbackError(f"the request has more than {most:,} bytes; send less at once")
    return bytes(found)


async def asked_in(request: Request) -> Any:
    """The JSON in the content of a request.

    Raises:
        FeedbackError: it is too long, or no JSON.
    """
    try:
        return parse((await body_of(request)).decode())
    except FeedbackError:
        raise
    except ValueError as error:
        raise FeedbackError(f"the request is not JSON ({error}); load the page again") from error


def query_of(request: Request) -> dict[str, Any]:
    """The parts of the address's query; page and suspect are whole numbers.

    Raises:
        FeedbackError: something else where a number is expected.
    """
    found: dict[str, Any] = dict(request.query_params)
    for name in ("page", "suspect"):
        if name in found:
            number = whole_number(found[name])
            if number is None:
                raise FeedbackError(f"{name} is {found[name][:30]!r}; expected a whole number")
            found[name] = number
    return found


def as_json(found: Any, status: int = 200) -> Response:
    """An answer as JSON."""
    return JSONResponse(found, status_code=status)


def as_page(template: str, status: int = 200, **values: Any) -> Response:
    """An answer as a page: a template of the folder ``review``."""
    return HTMLResponse(rendered(f"review/{template}.html.jinja", **values), status_code=status)


def as_png(found: bytes, *, may_be_kept: bool = True) -> Response:
    """A picture, which the browser may keep for a while where the same address always gives the same one."""
    keeping = "private, max-age=60" if may_be_kept else "no-store"
    return Response(found, media_type="image/png", headers={"cache-control": keeping})


@cache
def static_files() -> Mapping[str, tuple[bytes, str]]:
    """The page's own files with their types, by name; nothing else can be asked for."""
    folder = files("corrigible.web").joinpath("static")
    found = {}
    for file in folder.iterdir() if folder.is_dir() else ():
        kind = STATIC.get("." + file.name.rpartition(".")[2])
        if kind is not None and file.is_file():
            found[file.name] = (file.read_bytes(), kind)
    return found
