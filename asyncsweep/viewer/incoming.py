"""What a viewer may say. Whatever else it sends is passed over, answered with an error, or the end of the connection; nothing raises
but `Unwelcome`.

Shapes are checked while bytes are read, so what nobody asked for is never made into objects.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeVar

import msgspec

from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean, listed
from asyncsweep.viewer.curves import MOST_WATCHED
from asyncsweep.viewer.forms import Form

MOST_BYTES = 2**20

_T = TypeVar("_T")


class Unwelcome(Exception):
    """A viewer broke the protocol; the server closes with 1008 and the reason, which is short."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Open(msgspec.Struct, frozen=True):
    sweep: str | None = None
    epoch: str | None = None
    since: int | None = None


class Ack(msgspec.Struct, frozen=True):
    received: int


class Watch(msgspec.Struct, frozen=True):
    trials: list[int]


class Ask(NamedTuple):
    """A question; its fields are read when its turn has come."""

    id: int
    what: str
    data: bytes | str


class _Message(msgspec.Struct, frozen=True):
    type: str


class _Question(msgspec.Struct, frozen=True):
    id: int
    what: str


class Nothing(msgspec.Struct, frozen=True):
    pass


class OfTrial(msgspec.Struct, frozen=True):
    trial: int


class OfLog(msgspec.Struct, frozen=True):
    trial: int
    attempt: int | None = None
    offset: int = 0


class OfCsv(msgspec.Struct, frozen=True):
    trials: list[int] | None = None
    offset: int = 0


class Stop(msgspec.Struct, frozen=True):
    reason: str = "stopped"
    now: bool = False


class Enqueue(msgspec.Struct, frozen=True):
    params: dict[str, Any]
    choices: dict[str, int] | None = None


CONTROL: dict[str, type[msgspec.Struct]] = {
    "pause": Nothing,
    "unpause": Nothing,
    "stop": Stop,
    "cancel": OfTrial,
    "enqueue": Enqueue,
}
QUESTIONS: dict[str, type[msgspec.Struct]] = {
    "trial": OfTrial,
    "log": OfLog,
    "csv": OfCsv,
    "status": Nothing,
    **CONTROL,
}


def read(data: bytes | str, form: Form) -> Open | Ack | Watch | Ask | None:
    """What a message says; None for one of an unknown type.

    Raises:
        Unwelcome: It is no message.
    """
    if len(data) > MOST_BYTES:
        raise Unwelcome("a message has at most 1 MiB")
    kind = _read(data, form, _Message, "a message").type
    if kind == "open":
        return _read(data, form, Open, "open")
    if kind == "ack":
        return _read(data, form, Ack, "ack")
    if kind == "watch":
        watch = _read(data, form, Watch, "watch")
        if len(watch.trials) > MOST_WATCHED:
            raise Unwelcome(f"watch: at most {MOST_WATCHED} trials")
        return watch
    if kind == "ask":
        question = _read(data, form, _Question, "ask")
        return Ask(question.id, question.what, data)
    return None


def fields(ask: Ask, form: Form) -> Any:
    """What a question is about: a struct of `QUESTIONS`.

    Raises:
        ConfigError: There is no such question, or a field is missing or of another type.
    """
    kind = QUESTIONS.get(ask.what)
    if kind is None:
        what = ask.what[:80]
        raise ConfigError(
            f"there is no question {what!r}{did_you_mean(what, QUESTIONS)}; there are: {listed(QUESTIONS)}"
        )
    try:
        return form.decode(ask.data, kind)
    except msgspec.DecodeError as error:
        raise ConfigError(f"{ask.what}: {_complaint(error)}") from None


def _complaint(error: msgspec.DecodeError) -> str:
    """The field first, then what is wrong with it."""
    what, _, path = str(error).replace("`None`", "`null`").partition(" - at `$")
    path = path.strip("`").lstrip(".")
    if not what[1:2].isupper():  # JSON is
        what = f"{what[:1].lower()}{what[1:]}"
    return f"{path}: {what}"[:300] if path else what[:300]


def _read(data: bytes | str, form: Form, kind: type[_T], what: str) -> _T:
    try:
        found: _T = form.decode(data, kind)
    except msgspec.DecodeError as error:
        raise Unwelcome(f"{what}: {_complaint(error)}"[:120]) from None
    return found
