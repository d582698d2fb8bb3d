"""Sweeps inside a web service: start one, watch it, cancel it, while the service goes on answering.

    pip install asyncsweep starlette uvicorn
    uvicorn --app-dir examples in_a_service:app

    curl -X POST localhost:8000/sweeps -d '{"n_trials": 200}'       {"id": "f3a1..."}
    curl -N localhost:8000/sweeps/f3a1.../events                    one server-sent event for each update
    curl localhost:8000/sweeps/f3a1...                              how far it is
    curl -X DELETE localhost:8000/sweeps/f3a1...                    stops its trials

The task group belongs to the application's lifespan: when the service ends, every sweep is stopped, and nothing leaks.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
from collections.abc import AsyncIterator

import anyio
import anyio.abc
import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

import asyncsweep as sw

MAX_SWEEPS = 100
log = logging.getLogger(__name__)


async def objective(x: float, y: float) -> float:
    """Stands for something that waits: a training elsewhere, a simulation, a measurement."""
    await anyio.sleep(0.02)
    return (x - 2) ** 2 + (3 - y) ** 2


async def keep(sweep: sw.Sweep, *, task_status: anyio.abc.TaskStatus[sw.SweepRun]) -> None:
    """Run a sweep to its end; the run is handed to whoever started this task."""
    try:
        async with sweep.start() as run:
            task_status.started(run)
            await run.result()
    except sw.AsyncSweepError:
        log.exception("a sweep failed")  # it must not end the service


async def create(request: Request) -> Response:
    state = request.app.state
    if len(state.runs) >= MAX_SWEEPS:
        raise HTTPException(503, "too many sweeps; delete one")
    try:
        settings = await request.json()
        sweep = sw.Sweep(
            objective,
            space={"x": sw.Float(-10, 10), "y": sw.Float(-10, 10)},
            sampler="random",
            n_trials=settings.get("n_trials", 100),
            concurrency=settings.get("concurrency", 4),
        )
    except (json.JSONDecodeError, AttributeError, sw.ConfigError) as error:
        raise HTTPException(422, str(error)) from error
    sweep_id = secrets.token_hex(8)
    state.runs[sweep_id] = await state.tasks.start(keep, sweep)
    return JSONResponse({"id": sweep_id}, status_code=201)


async def read(request: Request) -> Response:
    run = run_of(request)
    best = run.best
    return JSONResponse(
        {
            "is_over": run.is_over,
            "counts": {state.value: count for state, count in run.counts.items() if count},
            "best": None if best is None else {"value": best.value, "params": best.params},
        }
    )


async def events(request: Request) -> Response:
    run = run_of(request)
    updates = run.updates()

    async def stream() -> AsyncIterator[bytes]:
        async for update in updates:
            yield b"event: " + type(update).__name__.encode() + b"\ndata: " + msgspec.json.encode(update) + b"\n\n"

    return StreamingResponse(stream(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


async def cancel(request: Request) -> Response:
    run = run_of(request)
    run.stop("deleted", now=True)
    del request.app.state.runs[request.path_params["sweep_id"]]
    return Response(status_code=204)


def run_of(request: Request) -> sw.SweepRun:
    run = request.app.state.runs.get(request.path_params["sweep_id"])
    if run is None:
        raise HTTPException(404, "there is no such sweep")
    return run


@contextlib.asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with anyio.create_task_group() as tasks:
        app.state.tasks = tasks
        app.state.runs = {}
        yield
        tasks.cancel_scope.cancel()


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/sweeps", create, methods=["POST"]),
        Route("/sweeps/{sweep_id}", read, methods=["GET"]),
        Route("/sweeps/{sweep_id}", cancel, methods=["DELETE"]),
        Route("/sweeps/{sweep_id}/events", events, methods=["GET"]),
    ],
)
