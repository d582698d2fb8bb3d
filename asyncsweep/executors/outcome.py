"""The event that an attempt's outcome is, for executors that call the objective in this process."""

from __future__ import annotations

from asyncsweep.core.effects import AnswerParam, AnswerVerdict
from asyncsweep.core.events import Event, Failed, Finished, Pruned
from asyncsweep.core.records import ErrorInfo
from asyncsweep.errors import TrialError
from asyncsweep.executors.values import own
from asyncsweep.hooks.contracts import Answer
from asyncsweep.wire.messages import FAILED, FINISHED
from asyncsweep.worker.objective import Call
from asyncsweep.worker.outcome import Outcome, describe


def event_of(job: tuple[int, int], outcome: Outcome) -> Event:
    """Finished, Failed or Pruned; `job` is the trial and its attempt."""
    tag, payload = outcome
    if tag == FINISHED:
        return Finished(*job, payload)
    if tag == FAILED:
        return Failed(*job, ErrorInfo(*payload))
    return Pruned(*job)


def built(call: Call) -> ErrorInfo | None:
    """Build an objective that is a class; why that failed, or None. May take its time: it may load data."""
    try:
        call.build()
    except BaseException as error:  # sys.exit in somebody's constructor must not end the application
        return ErrorInfo(*describe(error))
    return None


def verdict_in(answer: Answer) -> bool:
    """What the pruner said."""
    return isinstance(answer, AnswerVerdict) and answer.prune


def value_in(answer: Answer) -> object:
    """The parameter's value.

    Raises:
        TrialError: The sampler could not answer.
    """
    assert isinstance(answer, AnswerParam)
    if answer.error is not None:
        raise TrialError(f"no value for {answer.name!r}: {answer.error}")
    return own(answer.value)
