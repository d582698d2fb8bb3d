"""The service of examples/in_a_service.py, spoken to as a client does, without a socket between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import httpx
import pytest

import asyncsweep as sw
from examples.in_a_service import app

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # what ASGI servers run on


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://test") as found,
    ):
        yield found


async def start(client: httpx.AsyncClient, **settings: Any) -> str:
    answer = await client.post("/sweeps", json=settings)
    assert answer.status_code == 201
    return f"/sweeps/{answer.json()['id']}"


def parsed(stream: str) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for event in stream.strip().split("\n\n"):
        name, data = event.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


async def test_a_sweep_streams_its_updates_to_the_end(client: httpx.AsyncClient) -> None:
    sweep = await start(client, n_trials=6, concurrency=2)
    answer = await client.get(f"{sweep}/events")
    assert answer.headers["content-type"].startswith("text/event-stream")
    events = parsed(answer.text)
    assert sorted(data["trial"] for name, data in events if name == "TrialFinished") == list(range(6))
    assert events[-1][0] == "SweepFinished"
    assert events[-1][1]["reason"] == "n_trials reached"


async def test_updates_come_while_the_sweep_runs(client: httpx.AsyncClient) -> None:
    sweep = await start(client, n_trials=None)
    first = anyio.Event()
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": f"{sweep}/events",
        "raw_path": b"",
        "query_string": b"",
        "headers": [],
    }

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body" and message.get("body"):
            first.set()

    async def receive() -> Any:
        await anyio.sleep_forever()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(app, scope, receive, send)
        with anyio.fail_after(10):
            await first.wait()
        assert not (await client.get(sweep)).json()["is_over"]
        tasks.cancel_scope.cancel()


async def test_a_deleted_sweep_stops_its_trials(client: httpx.AsyncClient) -> None:
    sweep = await start(client, n_trials=None, concurrency=3)
    run = app.state.runs[sweep.rpartition("/")[2]]
    assert (await client.delete(sweep)).status_code == 204
    with anyio.fail_after(10):
        result = await run.result()
    assert result.reason == "deleted"
    assert result.counts[sw.State.RUNNING] == 0
    assert (await client.get(sweep)).status_code == 404


async def test_the_end_of_the_service_stops_every_sweep() -> None:
    client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")
    with anyio.fail_after(10):
        async with client, app.router.lifespan_context(app):
            await start(client, n_trials=None)


@pytest.mark.parametrize("body", [b'{"n_trials": 0}', b'{"n_trials": "many"}', b"[]", b"{"])
async def test_bad_settings_are_refused_and_start_nothing(client: httpx.AsyncClient, body: bytes) -> None:
    assert (await client.post("/sweeps", content=body)).status_code == 422
    assert app.state.runs == {}


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/events")])
async def test_an_unknown_sweep_is_not_found(client: httpx.AsyncClient, method: str, path: str) -> None:
    assert (await client.request(method, f"/sweeps/none{path}")).status_code == 404
