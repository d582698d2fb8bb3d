"""What outposts and seats tell each other, each a MessagePack array; several travel together.

An outpost begins with `Hello` and says nothing more until it is `Welcome`: so one that the cluster started again by itself, or
that nobody waits for any more, has run nothing. `Left` is its last word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from asyncsweep.core.effects import AnswerParam, AnswerVerdict
from asyncsweep.core.events import (
    AttrSet,
    ConstraintSet,
    ExecutorFailed,
    Failed,
    Finished,
    Killed,
    LaunchFailed,
    ParamAsked,
    Pruned,
    Reported,
    SeriesReported,
    SeriesUpForVerdict,
    SlotsChanged,
    Started,
    TakenBack,
    Used,
    VerdictAsked,
    WorkerJoined,
    WorkerLost,
)
from asyncsweep.core.records import ErrorInfo
from asyncsweep.hooks.contracts import ObjectiveSpec, VerdictSteps

Said = (
    WorkerJoined
    | WorkerLost
    | LaunchFailed
    | SlotsChanged
    | Started
    | TakenBack
    | ParamAsked
    | Reported
    | SeriesReported
    | Used
    | VerdictAsked
    | SeriesUpForVerdict
    | AttrSet
    | ConstraintSet
    | Finished
    | Pruned
    | Failed
    | Killed
    | ExecutorFailed
)


class Hello(msgspec.Struct, array_like=True, tag=101):
    """An outpost is there. `resources` is what its slot offers: host, cpus, gpus, labels."""

    version: str
    pid: int
    resources: dict[str, Any]


class Log(msgspec.Struct, array_like=True, tag=102):
    """A part of what an attempt printed, in order; it comes before the attempt's end."""

    trial: int
    attempt: int
    data: bytes
    is_first: bool


class Artifact(msgspec.Struct, array_like=True, tag=103):
    """A part of a file that an attempt saved, in order; it comes before the attempt's end."""

    trial: int
    attempt: int
    name: str
    data: bytes
    is_first: bool


class Unkept(msgspec.Struct, array_like=True, tag=104):
    """Something that an attempt printed or saved is lost."""

    trial: int
    attempt: int
    why: str


class Left(msgspec.Struct, array_like=True, tag=105):
    """The outpost has ended; `error` says why when nobody told it to."""

    error: ErrorInfo | None = None


class Welcome(msgspec.Struct, array_like=True, tag=111):
    """What an outpost is told first.

    Attributes:
        objective: The objective.
        options: Those of the `ProcessExecutor`.
        verdicts: See `Setup`.
        grace_s: See `Setup`.
        keeps_logs: Whether what trials print is wanted.
        folders: The folder of the trials' folders, as the sweep calls it.
        token: A file beside that folder. Where it is seen, the folder is shared, and nothing has to travel.
        artifacts_limit_bytes: The most that an attempt's artifacts may have together, where they travel.
    """

    objective: ObjectiveSpec
    options: dict[str, Any]
    verdicts: VerdictSteps | None
    grace_s: float
    keeps_logs: bool
    folders: str
    token: str
    artifacts_limit_bytes: int


class Launch(msgspec.Struct, array_like=True, tag=112):
    worker: str
    trial: int
    attempt: int
    params: dict[str, Any]


class Kill(msgspec.Struct, array_like=True, tag=113):
    trial: int
    attempt: int
    grace_s: float


class Verdict(msgspec.Struct, array_like=True, tag=114):
    trial: int
    attempt: int
    step: int
    prune: bool

    def as_answer(self) -> AnswerVerdict:
        return AnswerVerdict(self.trial, self.attempt, self.step, self.prune)


class Param(msgspec.Struct, array_like=True, tag=115):
    trial: int
    attempt: int
    name: str
    value: Any
    error: ErrorInfo | None

    def as_answer(self) -> AnswerParam:
        return AnswerParam(self.trial, self.attempt, self.name, self.value, self.error)


class TakeBack(msgspec.Struct, array_like=True, tag=117):
    """Give back what has not begun."""

    trial: int
    attempt: int


class Retire(msgspec.Struct, array_like=True, tag=118):
    """Take nothing more, and end when what runs has ended."""


class Leave(msgspec.Struct, array_like=True, tag=116):
    """End what runs, within the grace, and end."""


FromOutpost = Said | Hello | Log | Artifact | Unkept | Left
ToOutpost = Welcome | Launch | Kill | TakeBack | Verdict | Param | Retire | Leave
Message = msgspec.Struct

_encoder = msgspec.msgpack.Encoder()
_from_outpost = msgspec.msgpack.Decoder(list[FromOutpost])
_to_outpost = msgspec.msgpack.Decoder(list[ToOutpost])


def from_outpost(data: bytes) -> list[FromOutpost]:
    """The messages of an outpost.

    Raises:
        msgspec.DecodeError: The bytes are something else.
    """
    return _from_outpost.decode(data)


def to_outpost(data: bytes) -> list[ToOutpost]:
    """The messages for an outpost.

    Raises:
        msgspec.DecodeError: The bytes are something else.
    """
    return _to_outpost.decode(data)


def packed(messages: Sequence[Message]) -> bytes:
    """The bytes of messages that travel together."""
    return _encoder.encode(messages)
