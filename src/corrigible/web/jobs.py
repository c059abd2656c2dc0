"""The routes about jobs, and the stream of what they tell."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from corrigible.jobs import kept
from corrigible.web.answers import as_json, asked_in
from corrigible.workflow.reviews.asked import object_in, text_in, whole_number

PAUSE_SECONDS, BEAT_SECONDS = 0.25, 15.0
"""How often a file is looked into, and the longest time without a sign that the stream lives."""


def routes() -> list[Route]:
    """The routes about jobs."""
    return [
        Route("/api/jobs", _list),
        Route("/api/jobs", _start, methods=["POST"]),
        Route("/api/jobs/{id}/cancel", _cancel, methods=["POST"]),
        Route("/api/jobs/{id}/events", _events),
    ]


def _folder(request: Request) -> Path:
    folder: Path = request.app.state.review.folder
    return folder


async def _list(request: Request) -> Response:
    found = await asyncio.to_thread(kept.jobs, _folder(request))
    running = next((job.id for job in found if job.state == kept.RUNNING), None)
    told = [
        {"id": job.id, "verb": job.verb, "state": job.state, "started": job.started, "seconds": job.seconds,
         "sentence": job.sentence}
        for job in found
    ]  # fmt: skip
    return as_json({"running": running, "jobs": told})


async def _start(request: Request) -> Response:
    asked = object_in(await asked_in(request), "the job")
    verb, options = text_in(asked, "verb"), object_in(asked.get("options") or {}, "options")
    started = await asyncio.to_thread(kept.start, _folder(request), verb, options)
    return as_json({"id": started})


async def _cancel(request: Request) -> Response:
    await asked_in(request)  # Which has no meaning.
    job = await asyncio.to_thread(kept.cancel, _folder(request), request.path_params["id"])
    return as_json({"id": job.id, "state": job.state, "sentence": job.sentence})


async def _events(request: Request) -> Response:
    after = whole_number(request.headers.get("last-event-id", "")) or 0
    told = kept.Told(_folder(request), request.path_params["id"], after=after)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_stream(told, request), media_type="text/event-stream", headers=headers)


async def _stream(told: kept.Told, request: Request) -> AsyncIterator[str]:
    """Events as the browser reads them, until the job ends or nobody listens."""
    quiet = 0.0
    while True:
        found = await asyncio.to_thread(lambda: list(told.new()))
        for number, content in found:
            if content.pop("event", "") == "end":
                yield f"event: end\nid: {number}\ndata: {json.dumps(content)}\n\n"
            elif "record" in content:
                yield f"id: {number}\ndata: {json.dumps(content)}\n\n"
        if told.is_over or await request.is_disconnected():
            return
        quiet = 0.0 if found else quiet + PAUSE_SECONDS
        if quiet >= BEAT_SECONDS:
            quiet = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(PAUSE_SECONDS)
