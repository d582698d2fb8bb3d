"""The messages of the stream as a client takes them, and the answers to its questions. No I/O.

What a server says is data from elsewhere: every length is held against the bytes that are there, extension types are refused, the shape
of each message is checked, and nothing is unpickled or evaluated. `docs/stream.md` has the messages.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import msgpack
import msgspec

from asyncsweep.viewer.source import Standing

PROTOCOL = 1
_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
# The texts of such a value itself; the text "NaN" is another one.
_NOT_FINITE_TEXTS = ("nan", "inf", "-inf")

Number = int | float | str


class Malformed(Exception):
    """The bytes are no message of the stream."""


class Column(msgspec.Struct, frozen=True):
    """A column of the sweep's table.

    Attributes:
        key: Unique in the table.
        name: The user's name for it.
        kind: What it is.
        type: "category" has `choices`, as texts; "constant" has its one value there; "any" has whatever plain values there are.
        low: The least value; None where there is no limit, or none is known.
        high: The greatest value, likewise.
        log: Drawn in the logarithm.
        choices: The texts of a category; None for other types.
        direction: Of a metric that is optimised; None for others.
    """

    key: str
    name: str
    kind: Literal["param", "metric", "constraint"]
    type: Literal["float", "int", "category", "constant", "any"]
    low: int | float | None = None
    high: int | float | None = None
    log: bool = False
    choices: tuple[str, ...] | None = None
    direction: Literal["minimize", "maximize"] | None = None


class Info(msgspec.Struct, frozen=True):
    """What a sweep was made with. None, or nothing, where the server does not say."""

    name: str
    directions: dict[str, str] = {}
    sampler: str = ""
    pruner: str = ""
    executor: str = ""
    objective: str = ""
    n_trials: int | None = None
    concurrency: int | None = None
    is_live: bool = False
    has_logs: bool = False


class Best(msgspec.Struct, frozen=True):
    """The best trial of a sweep with one direction."""

    number: int
    value: int | float


class Status(msgspec.Struct, frozen=True):
    """How a sweep stands.

    Attributes:
        state: In a word. INTERRUPTED: its process has ended in the middle.
        seq: Who knows the trials up to there has all that belong to this.
        reason: Why it ended or is ending; "" otherwise.
        error: What broke the sweep itself; "" otherwise.
        counts: How many trials are in each state.
        n_trials: How many there will be; None for no limit.
        concurrency: How many run at a time.
        total: How many there are.
        enqueued: How many parameters of the user's wait to be tried.
        stride: Of very large sweeps every so many-th final trial is sent alone; 1 for all.
        best: The best trial; None before the first, and with several directions.
        rate_per_s: Trials ended per second of late; None where unknown.
        eta_s: Seconds to the end; None where unknown.
        started_at: Seconds since the epoch.
        now: When the server said this, in seconds since the epoch.
        problem: The last failure of a plugin, or of reading the journal; "" for none.
    """

    state: Standing
    seq: int
    reason: str = ""
    error: str = ""
    counts: dict[str, int] = {}
    n_trials: int | None = None
    concurrency: int | None = None
    total: int = 0
    stride: int = 1
    best: Best | None = None
    rate_per_s: float | None = None
    eta_s: float | None = None
    started_at: float | None = None
    now: float | None = None
    problem: str = ""
    enqueued: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens."""
        return self.state in ("ENDED", "INTERRUPTED")


class Hello(msgspec.Struct, frozen=True):
    """The first message; its `protocol` is looked at before the rest."""

    sweeps: tuple[str, ...]
    control: bool = False
    server: str = ""


class Snapshot(msgspec.Struct, frozen=True):
    sweep: str
    epoch: str
    part: int
    last: bool
    seq: int
    rows: list[list[Any]]
    gone: list[int] = []
    info: Info | None = None
    columns: tuple[Column, ...] | None = None


class Delta(msgspec.Struct, frozen=True, rename={"begin": "from"}):
    begin: int
    seq: int
    rows: list[list[Any]] = []
    gone: list[int] = []
    columns: tuple[Column, ...] | None = None


class _Curve(msgspec.Struct, frozen=True, rename={"begin": "from"}):
    trial: int
    attempt: int
    begin: int
    of: int
    steps: list[int]
    values: list[Number]


class Points(msgspec.Struct, frozen=True):
    curves: list[_Curve]


_SHAPES: Mapping[str, type[Hello | Snapshot | Delta | Status | Points]] = {
    "hello": Hello,
    "snapshot": Snapshot,
    "delta": Delta,
    "status": Status,
    "points": Points,
}

Message = Hello | Snapshot | Delta | Status | Points | dict[str, Any]


def decoded(data: bytes | str) -> dict[str, Any]:
    """One message as a plain dict with a `type`.

    Raises:
        Malformed: It is none.
    """
    try:
        message = msgpack.unpackb(data, ext_hook=_refused, timestamp=1)
    except (msgpack.UnpackException, ValueError, TypeError, RecursionError) as error:
        raise Malformed(f"it is no MessagePack: {str(error) or type(error).__name__}") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Malformed(f"a message is a map with a type, not {reprlib.repr(message)}")
    return message


def shaped(message: dict[str, Any]) -> Message:
    """The message with its shape checked; as it is where it is an answer, or of an unknown type.

    Raises:
        Malformed: It has another shape.
    """
    shape = _SHAPES.get(message["type"])
    if shape is None:
        return message
    try:
        return msgspec.convert(_with_numbers(message), shape)
    except msgspec.ValidationError as error:
        raise Malformed(f"a {message['type']}: {error}") from error


class Fault(msgspec.Struct, frozen=True):
    """An exception as data."""

    type: str
    message: str = ""
    traceback: str = ""


class Detail(msgspec.Struct, frozen=True):
    """The answer to `trial`; parameters, metrics, constraints and usage are lists of [name, value, text]."""

    number: int
    state: str
    attempt: int
    reports: int
    worker: str | None = None
    external: bool = False
    params: list[tuple[str, Any, str]] = []
    metrics: list[tuple[str, Any, str]] = []
    constraints: list[tuple[str, Any, str]] = []
    user_attrs: dict[str, Any] = {}
    usage: list[tuple[str, Any, str]] = []
    asked_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    error: Fault | None = None
    failures: list[Fault] = []
    feasible: bool = True

    def plain(self, columns: Iterable[Column]) -> dict[str, Any]:
        """All of it as plain values; what of them is a number tell the columns."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        found["n_reports"] = found.pop("reports")
        numbers = {column.name for column in columns if column.kind == "param" and column.type in ("float", "int")}
        found["params"] = {
            name: number(value) if name in numbers or text in _NOT_FINITE_TEXTS else value
            for name, value, text in self.params
        }
        for kind in ("metrics", "constraints", "usage"):
            found[kind] = {name: number(value) for name, value, _ in getattr(self, kind)}
        return found


class LogPiece(msgspec.Struct, frozen=True):
    """The answer to `log`."""

    attempt: int
    offset: int
    next_offset: int
    total: int
    text: str


class CsvPiece(msgspec.Struct, frozen=True):
    """The answer to `csv`."""

    text: str
    next_offset: int | None = None


def number(value: Any) -> Any:
    """A number, which may be the text of what JSON has no word for; anything else as it is."""
    if not isinstance(value, str):
        return value
    found = _NOT_FINITE.get(value)
    if found is not None:
        return found
    try:
        return int(value)
    except ValueError:
        return value


def _with_numbers(message: dict[str, Any]) -> dict[str, Any]:
    """The message with numbers where it has them as texts, outside of rows."""
    if isinstance(best := message.get("best"), dict):
        message["best"] = {key: number(value) for key, value in best.items()}
    if isinstance(columns := message.get("columns"), list):
        message["columns"] = [
            {**column, "low": number(column.get("low")), "high": number(column.get("high"))}
            if isinstance(column, dict)
            else column
            for column in columns
        ]
    return message


def _refused(code: int, data: bytes) -> Any:
    raise ValueError(f"extension type {code} is not accepted")
