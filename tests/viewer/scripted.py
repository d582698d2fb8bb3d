"""A server of the page whose stream says exactly what a test says, and which remembers what the page says.

    def test_a_trial_that_changes_is_drawn_again(page_at, scripted):
        scripted.opening = [snapshot([row(0, "RUNNING")]), status(RUNNING=1)]    # the answer to each `open`
        page = page_at(scripted.url)
        scripted.wait_until_acknowledged(2)                                       # the page has painted both
        scripted.send(delta([row(0, "COMPLETE", lr=0.1, loss=0.3)], since=1, seq=2), status(COMPLETE=1))
        ...

On a connection the server sends `greeting` (a hello), to `open` it answers with `opening`, to `ask` with what `answers[what]` makes of
the question, to everything else with nothing; it never waits for acks. `send` goes to all connections. `received` has every
message of the page in order, as maps; `offered` the subprotocols of each attempt to connect.

`missing` are paths answered with 404, `replaced` paths with another content: both for what becomes of a broken installation.
Set `refuses` for an answer of 403 to the upgrade, `drop()` cuts all connections, `stop()` and `start()` are a restart on the same port.
`leave_charts_out()` spares a test that is not about them the time of plotly and HiPlot.
"""

from __future__ import annotations

import importlib.util
import json
import mimetypes
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from anyio.from_thread import BlockingPortal
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

import asyncsweep.viewer

Message = dict[str, Any]

PAGE = Path(asyncsweep.viewer.__file__).parent / "page"
ASSETS = {
    "/assets/hiplot.bundle.js": ("hiplot", "static/built/hiplot.bundle.js"),
    "/assets/plotly.min.js": ("plotly", "package_data/plotly.min.js"),
}
CSP = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self' ws://{host}; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
WAIT_S = 10.0


class Scripted:
    """See the module."""

    def __init__(self, portal: BlockingPortal) -> None:
        self.greeting: list[Message] = [hello()]
        self.opening: list[Message] = [snapshot([row(k) for k in range(3)]), status(COMPLETE=3)]
        self.answers: dict[str, Callable[[Message], Message]] = {}
        self.received: list[Message] = []
        self.offered: list[list[str]] = []
        self.missing: set[str] = set()
        self.replaced: dict[str, bytes] = {}
        self.refuses = False
        self.port = 0
        self._portal = portal
        self._server: Server | None = None
        self._connections: list[ServerConnection] = []
        self._news = threading.Condition()

    # -- what tests use --------------------------------------------------------------------------------------------------

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    @property
    def url(self) -> str:
        return self.base + "#token=secret"

    @property
    def control_url(self) -> str:
        return self.url + "&control=second"

    def leave_charts_out(self) -> None:
        """Serve empty views for those that need plotly or HiPlot, for pages that are about the rest."""
        for name in ("Parallel", "History", "Curves", "Pareto"):
            self.replaced[f"/{name.lower()}.js"] = f"export function mount{name}() {{}}\n".encode()

    def send(self, *messages: Message) -> None:
        """To every page that is connected."""
        self._portal.call(self._send, messages)

    def wait_for(self, kind: str, *, count: int = 1, **fields: Any) -> Message:
        """The page's `count`th message of this type with these fields, as soon as it has come."""

        def found() -> list[Message]:
            return [m for m in self.received if m["type"] == kind and all(m.get(k) == v for k, v in fields.items())]

        with self._news:
            assert self._news.wait_for(lambda: len(found()) >= count, WAIT_S), (
                f"no {kind} {fields} in {WAIT_S:g} s, only: {self.received}"
            )
            return found()[count - 1]

    def wait_until_acknowledged(self, received: int) -> None:
        """Until the page has painted so many messages of its last connection."""
        with self._news:
            assert self._news.wait_for(lambda: self.acknowledged >= received, WAIT_S), (
                f"acknowledged are {self.acknowledged}, not {received}: {self.received}"
            )

    @property
    def acknowledged(self) -> int:
        """How many messages of its last connection the page has painted."""
        return max([m["received"] for m in self.received if m["type"] == "ack"], default=0)

    def asked(self, what: str) -> list[Message]:
        """The page's questions of this kind, so far."""
        return [m for m in self.received if m["type"] == "ask" and m["what"] == what]

    def drop(self) -> None:
        """Cut every connection, as a lost network does."""
        self._portal.call(self._drop)

    def close_with(self, code: int, reason: str) -> None:
        """End every connection as a server does that wants no more of a page."""
        for connection in list(self._connections):
            self._portal.call(connection.close, code, reason)

    def stop(self) -> None:
        self._portal.call(self._stop)

    def start(self) -> None:
        self._portal.call(self._start)

    # -- on the loop -----------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        await self._start()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stop()

    async def _start(self) -> None:
        self._server = await serve(
            self._talk,
            "127.0.0.1",
            self.port,
            process_request=self._page,
            select_subprotocol=self._selected,
            max_size=2**20,
            compression=None,
            reuse_address=True,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        if self._server is not None:
            await self._drop()
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _drop(self) -> None:
        for connection in self._connections:
            connection.transport.abort()
        self._connections.clear()

    async def _send(self, messages: Sequence[Message]) -> None:
        for message in messages:
            for connection in list(self._connections):
                await connection.send(json.dumps(message))

    def _selected(self, connection: ServerConnection, offered: Sequence[str]) -> Any:
        return "asyncsweep.v1.json" if "asyncsweep.v1.json" in offered else None

    def _page(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.split("?")[0]
        if path == "/stream":
            with self._news:
                self.offered.append([offer.strip() for offer in request.headers["Sec-WebSocket-Protocol"].split(",")])
                self._news.notify_all()
            return _response(403, b"", "text/plain") if self.refuses else None
        if path == "/favicon.ico":
            return _response(204, b"", "image/x-icon")  # a browser asks for it where a page names none
        file = _file(path)
        if path in self.replaced:
            body = self.replaced[path]
        elif path in self.missing or not file.is_file():
            return _response(404, b"not found", "text/plain")
        else:
            body = file.read_bytes()
        response = _response(200, body, mimetypes.guess_type(file.name)[0] or "text/plain")
        response.headers["Content-Security-Policy"] = CSP.format(host=request.headers["Host"])
        return response

    async def _talk(self, connection: ServerConnection) -> None:
        try:
            for message in self.greeting:
                await connection.send(json.dumps(message))
            async for text in connection:
                await self._hear(connection, json.loads(text))
        except ConnectionClosed:
            pass
        finally:
            if connection in self._connections:
                self._connections.remove(connection)

    async def _hear(self, connection: ServerConnection, message: Message) -> None:
        is_first = message["type"] == "open" and connection not in self._connections
        with self._news:
            if is_first:  # acks are counted from here on
                self.received = [m for m in self.received if m["type"] != "ack"]
                self._connections.append(connection)
            self.received.append(message)
            self._news.notify_all()
        if message["type"] == "open":
            for answer in self.opening:
                await connection.send(json.dumps(answer))
        elif message["type"] == "ask" and message["what"] in self.answers:
            answer = self.answers[message["what"]](message)
            await connection.send(json.dumps({"type": "answer", "id": message["id"], **answer}))


def _file(path: str) -> Path:
    package, inside = ASSETS.get(path, ("", ""))
    if not package:
        return PAGE / (path.lstrip("/") or "index.html")
    spec = importlib.util.find_spec(package)
    assert spec is not None and spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / inside


def _response(status: int, body: bytes, kind: str) -> Response:
    headers = Headers({"Content-Type": kind, "Content-Length": str(len(body)), "Connection": "close"})
    return Response(status, "", headers, body)


# -- messages ------------------------------------------------------------------------------------------------------------


def column(name: str, kind: str = "param", type: str = "float", **fields: Any) -> Message:
    """A column; `key` is the name, the rest is null, where `fields` do not say otherwise."""
    empty = {"low": None, "high": None, "log": False, "choices": None, "direction": None}
    return {"key": name, "name": name, "kind": kind, "type": type, **empty, **fields}


COLUMNS: list[Message] = [
    column("lr", low=1e-5, high=0.1, log=True),
    column("depth", type="int", low=1, high=8),
    column("opt", type="category", choices=["sgd", "adam"]),
    column("epochs", type="constant", choices=["30"]),
    column("loss", "metric", direction="minimize"),
    column("accuracy", "metric"),
]


def row(number: int, state: str = "COMPLETE", *, columns: Sequence[Message] = COLUMNS, **values: Any) -> list[Any]:
    """A trial. `values` are cells by their columns' keys, or `attempt`, `started_at`, `duration_s`, `step`, `value`, `error`.

    What is not given has plausible values that depend on the number alone.
    """
    is_final = state not in ("RUNNING", "WAITING")
    guess: Mapping[str, Any] = {
        "lr": 1e-4 * (1 + number * 7 % 11),
        "depth": 1 + number % 8,
        "opt": number % 2,
        "loss": 0.5 + (number * 5 % 7) / 10 if state == "COMPLETE" else None,
        "accuracy": 0.9 - (number * 5 % 7) / 10 if state == "COMPLETE" else None,
    }
    head = {
        "attempt": 1,
        "started_at": 1_763_800_000.0 + number,
        "duration_s": 1.5 + number % 5 if is_final else None,
        "step": 9,
        "value": 0.5,
        "error": f"ValueError: no {number}" if state == "FAILED" else None,
    }
    fixed = [values.get(key, head[key]) for key in head]
    cells = [values.get(c["key"], guess.get(c["key"])) for c in columns]
    return [number, state, *fixed, *cells]


def hello(*sweeps: str, control: bool = False) -> Message:
    return {
        "type": "hello",
        "protocol": 1,
        "server": "0.1.0",
        "sweeps": list(sweeps) or ["first"],
        "control": control,
    }


def info(name: str = "first", **fields: Any) -> Message:
    return {
        "name": name,
        "directions": {"loss": "minimize"},
        "sampler": "tpe",
        "pruner": "median",
        "executor": "process",
        "objective": "train.py",
        "n_trials": 100,
        "concurrency": 2,
        "is_live": True,
        "has_logs": True,
        **fields,
    }


def snapshot(
    rows: Sequence[Sequence[Any]], *, columns: Sequence[Message] = COLUMNS, name: str = "first", **fields: Any
) -> Message:
    """A snapshot of one part, with every column."""
    return {
        "type": "snapshot",
        "sweep": name,
        "epoch": "e1",
        "part": 0,
        "last": True,
        "seq": len(rows),
        "total": len(rows),
        "info": info(name),
        "columns": list(columns),
        "rows": list(rows),
        **fields,
    }


def delta(rows: Sequence[Sequence[Any]], *, since: int, seq: int, **fields: Any) -> Message:
    return {"type": "delta", "from": since, "seq": seq, "rows": list(rows), **fields}


def status(state: str = "RUNNING", *, best: Any = (0, 0.5), **fields: Any) -> Message:
    """How the sweep stands; counts by their states' names, the rest by theirs. `best` is (number, value) or None."""
    counts = dict.fromkeys(["WAITING", "RUNNING", "COMPLETE", "PRUNED", "FAILED", "CANCELLED"], 0)
    counts |= {key: fields.pop(key) for key in list(fields) if key in counts}
    return {
        "type": "status",
        "state": state,
        "reason": "",
        "error": "",
        "counts": counts,
        "n_trials": 100,
        "concurrency": 2,
        "enqueued": 0,
        "total": sum(counts.values()),
        "stride": 1,
        "best": None if best is None else {"number": best[0], "value": best[1]},
        "rate_per_s": 1.7,
        "eta_s": 57.0,
        "started_at": 1_763_800_000.0,
        "now": 1_763_800_042.5,
        "problem": "",
        "seq": 0,
        **fields,
    }
