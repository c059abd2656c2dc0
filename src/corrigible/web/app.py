"""The routes of the review page: read the request, ask the review, answer."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from corrigible.errors import CorrigibleError, StudyError
from corrigible.web import jobs
from corrigible.web.answers import (
    as_json,
    as_page,
    as_png,
    asked_in,
    body_of,
    query_of,
    static_files,
)
from corrigible.web.security import REPORT_POLICY, Guard
from corrigible.workflow.reviews.asked import whole_number
from corrigible.workflow.reviews.review import Review
from corrigible.workflow.reviews.saving import Conflict
from corrigible.workflow.reviews.start import REPORT

PAGES = {"/": "start", "/items": "items", "/feedback": "feedback", "/correct": "correct", "/report": "report"}
LONGEST_SPLIT = 200
MOST_IMPORT = 64 * 2**20
"""Most bytes of a file that somebody brings."""


def app_of(open_review: Callable[[], Review], *, port: int) -> Guard:
    """The app for one review, behind its guard.

    Args:
        open_review: is called when the server starts.
    """

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_review() as review:
            app.state.review = review
            yield

    handlers: dict[Any, Any] = {CorrigibleError: _refused, HTTPException: _missing, Exception: _failed}
    app = Starlette(routes=_routes(), lifespan=lifespan, exception_handlers=handlers)
    return Guard(app, port=port, refuse=_refused_to)


def _routes() -> list[Route]:
    place = "/{split:path}/{row}"  # A split may be a folder inside another one.
    found = [Route(path, _page, name=name) for path, name in PAGES.items()]
    found += [
        Route(f"/item{place}", _item_page),
        Route("/static/{name}", _static),
        Route("/api/study", _study),
        Route("/api/items", _items),
        Route("/api/next", _next),
        Route(f"/api/item{place}", _item),
        Route(f"/api/taught{place}", _taught),
        Route("/api/feedback", _history),
        Route(f"/picture{place}.png", _picture),
        Route(f"/thumb{place}.png", _thumb),
        Route(f"/map{place}/{{method}}.png", _map),
        Route(f"/segments{place}.png", _segments),
    ]
    found += [Route("/report.html", _report)]
    found += [Route("/api/outcome", _outcome), Route("/api/export/{name}", _export), *jobs.routes()]
    posts = {
        "decide": _decide,
        "import": _import,
        "answer": _answer,
        "whatif": _what_if,
        "whynot": _why_not,
        "count": _count,
        "retract": _retract,
    }
    return found + [Route(f"/api/{name}", answer, methods=["POST"]) for name, answer in posts.items()]


def _review(request: Request) -> Review:
    review: Review = request.app.state.review
    return review


def _place(request: Request) -> tuple[str, int]:
    """The split and row in the address."""
    split, row = request.path_params["split"], whole_number(request.path_params["row"])
    if len(split) > LONGEST_SPLIT or row is None:
        raise HTTPException(404)
    return split, row


async def _page(request: Request) -> Response:
    page = PAGES[request.url.path]
    return as_page("page", page=page, **await _named(request))


async def _item_page(request: Request) -> Response:
    split, row = _place(request)
    return as_page("page", page="item", split=split, row=row, **await _named(request))


async def _named(request: Request) -> dict[str, Any]:
    review = _review(request)
    return {**await review.heading(), "study": str(review.folder.resolve())}


async def _static(request: Request) -> Response:
    found = static_files().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    return Response(found[0], media_type=found[1], headers={"cache-control": "no-cache"})


async def _study(request: Request) -> Response:
    return as_json(await _review(request).study())


async def _items(request: Request) -> Response:
    return as_json(await _review(request).items(query_of(request)))


async def _next(request: Request) -> Response:
    return as_json(await _review(request).next_item(query_of(request)))


async def _item(request: Request) -> Response:
    method = request.query_params.get("method", "")
    return as_json(await _review(request).item(*_place(request), method))


async def _taught(request: Request) -> Response:
    return as_json(await _review(request).taught(*_place(request)))


async def _report(request: Request) -> Response:
    path = _review(request).folder / REPORT
    if not path.is_file():
        raise HTTPException(404)
    return FileResponse(path, media_type="text/html", headers={"content-security-policy": REPORT_POLICY})


async def _history(request: Request) -> Response:
    return as_json(await _review(request).history(query_of(request)))


async def _picture(request: Request) -> Response:
    return as_png(await _review(request).picture(*_place(request)))


async def _thumb(request: Request) -> Response:
    return as_png(await _review(request).picture(*_place(request), is_small=True))


async def _map(request: Request) -> Response:
    review, run = _review(request), request.query_params.get("run")
    found = await review.attribution_map(*_place(request), request.path_params["method"])
    return as_png(found, may_be_kept=run == review.run.name)


async def _segments(request: Request) -> Response:
    return as_png(await _review(request).segments(*_place(request)))


async def _answer(request: Request) -> Response:
    found = await _review(request).answer(await asked_in(request))
    return as_json(found.body, 409) if isinstance(found, Conflict) else as_json(found)


async def _what_if(request: Request) -> Response:
    return as_json(await _review(request).what_if(await asked_in(request)))


async def _why_not(request: Request) -> Response:
    return as_json(await _review(request).why_not(await asked_in(request)))


async def _count(request: Request) -> Response:
    return as_json(await _review(request).count(await asked_in(request)))


async def _retract(request: Request) -> Response:
    return as_json(await _review(request).retract(await asked_in(request)))


async def _outcome(request: Request) -> Response:
    return as_json(await _review(request).outcome(query_of(request)))


async def _decide(request: Request) -> Response:
    return as_json(await _review(request).decide(await asked_in(request)))


async def _export(request: Request) -> Response:
    name = request.path_params["name"]
    found = await _review(request).export(name)
    kind = "application/zip" if name.endswith(".zip") else "application/json"
    return Response(found, media_type=kind, headers={"content-disposition": f'attachment; filename="{name}"'})


async def _import(request: Request) -> Response:
    written = await body_of(request, most=MOST_IMPORT)
    return as_json(await _review(request).bring(written, request.headers.get("x-name", "")))


async def _refused(request: Request, error: Exception) -> Response:
    """One line: 503 where the same answer may be stored a moment later, so that it is sent again; otherwise 422."""
    may_pass = isinstance(error, StudyError) and request.url.path == "/api/answer"
    return as_json({"error": str(error)}, 503 if may_pass else 422)


async def _missing(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    if request.url.path.startswith("/api/"):
        return as_json({"error": "there is nothing at this address"}, status)
    return _refusal(status, "There is nothing at this address.")


async def _failed(request: Request, error: Exception) -> Response:
    """A fault of the server, whose traceback is printed where it was started."""
    sentence = "The server made a mistake, which is printed where `corrigible review` was started; report it."
    return as_json({"error": sentence}, 500) if request.url.path.startswith("/api/") else _refusal(500, sentence)


def _refused_to(request: Request, status: int, sentence: str) -> Response:
    """What the guard answers: JSON to who asks for JSON, otherwise a page."""
    is_page = request.method == "GET" and not request.url.path.startswith("/api/")
    return _refusal(status, sentence) if is_page else as_json({"error": sentence}, status)


def _refusal(status: int, sentence: str) -> Response:
    return as_page("refused", status, title="corrigible review", sentence=sentence)
