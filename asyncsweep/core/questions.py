"""The effects that took time and have no answer yet: what the outside owes the machine.

Each such effect ends in exactly one event. An answer that nobody asked for is illegal; an answer to a question whose trial
ended meanwhile is legal, and only takes the question off this list.
"""

from __future__ import annotations

from asyncsweep.core.events import (
    AskFailed,
    Event,
    Judged,
    JudgeFailed,
    Killed,
    ParamSuggested,
    SpaceExhausted,
    Suggested,
    SuggestFailed,
)
from asyncsweep.core.kept import KeptQuestions
from asyncsweep.space import Domain

# A tuple, once: a union of classes would be made anew for each event.
_TO_ASK = (Suggested, SpaceExhausted, AskFailed)
_TO_JUDGE = (Judged, JudgeFailed)
_TO_SUGGEST = (ParamSuggested, SuggestFailed)
ANSWERS = frozenset((*_TO_ASK, *_TO_JUDGE, *_TO_SUGGEST, Killed))


class Questions:
    """Open questions, in the order in which they were asked.

    Attributes:
        asks: Trials that wait for parameters.
        verdicts: (trial, attempt, step) that wait for the pruner.
        params: (trial, attempt, name) that wait for one more parameter, with its domain.
        kills: (trial, attempt) that are being ended, with the worker whose slot they hold.
        timers: (trial, attempt) with a running timer; a timer may also be cancelled.
        take_backs: (trial, attempt) that are to be given back unless they have begun; also answered by the attempt's end.
    """

    __slots__ = ("asks", "kills", "params", "take_backs", "timers", "verdicts")

    def __init__(self) -> None:
        self.asks: dict[int, None] = {}
        self.verdicts: dict[tuple[int, int, int], None] = {}
        self.params: dict[tuple[int, int, str], Domain] = {}
        self.kills: dict[tuple[int, int], str | None] = {}
        self.timers: dict[tuple[int, int], None] = {}
        self.take_backs: dict[tuple[int, int], None] = {}

    def kept(self) -> KeptQuestions:
        """For a snapshot."""
        return KeptQuestions(
            list(self.asks),
            list(self.verdicts),
            [(*question, domain) for question, domain in self.params.items()],
            [(*attempt, worker) for attempt, worker in self.kills.items()],
            list(self.timers),
            list(self.take_backs),
        )

    def restore(self, kept: KeptQuestions) -> None:
        """Become what `kept` told."""
        self.asks = dict.fromkeys(kept.asks)
        self.verdicts = dict.fromkeys(kept.verdicts)
        self.params = {(trial, attempt, name): domain for trial, attempt, name, domain in kept.params}
        self.kills = {(trial, attempt): worker for trial, attempt, worker in kept.kills}
        self.timers = dict.fromkeys(kept.timers)
        self.take_backs = dict.fromkeys(kept.take_backs)

    def complaint(self, event: Event) -> str | None:
        """Why an answer is none: nobody asked."""
        if isinstance(event, _TO_ASK):
            return None if event.trial in self.asks else f"nobody asked for trial {event.trial}"
        if isinstance(event, _TO_JUDGE):
            asked = (event.trial, event.attempt, event.step) in self.verdicts
            return None if asked else f"no verdict was asked on trial {event.trial} at step {event.step}"
        if isinstance(event, _TO_SUGGEST):
            asked = (event.trial, event.attempt, event.name) in self.params
            return None if asked else f"nobody asked for {event.name!r} of trial {event.trial}"
        if isinstance(event, Killed):
            asked = (event.trial, event.attempt) in self.kills
            return None if asked else f"nobody killed attempt {event.attempt} of trial {event.trial}"
        return None  # it is no answer
