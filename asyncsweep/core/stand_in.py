"""What becomes of an event that cannot be packed: a failure of who gave what is in it."""

from __future__ import annotations

from asyncsweep.core.events import (
    AskFailed,
    Event,
    Failed,
    Finished,
    Judged,
    JudgeFailed,
    ParamSuggested,
    Reported,
    Suggested,
    SuggestFailed,
)
from asyncsweep.core.records import ErrorInfo


def stand_in(event: Event, error: Exception, why: str) -> Event:
    """The failure that takes the event's place; raises the error where nobody but ourselves gave what is in it."""
    reason = ErrorInfo(type(error).__name__, f"{why}: {error}")
    instead: Event
    if isinstance(event, Suggested):
        instead = AskFailed(event.trial, reason)
    elif isinstance(event, ParamSuggested):
        instead = SuggestFailed(event.trial, event.attempt, event.name, reason)
    elif isinstance(event, Judged):
        instead = JudgeFailed(event.trial, event.attempt, event.step, reason)
    elif isinstance(event, Finished):
        instead = Failed(event.trial, event.attempt, reason)
    elif isinstance(event, Reported) and event.metrics:
        instead = Reported(event.trial, event.attempt, event.step, event.value)
    else:
        raise error
    instead.seq, instead.at = event.seq, event.at
    return instead
