"""What the published updates have said of each trial, and no more: its state, its attempt, its reports.

Of a trial that is final the record has the rest, which does not change any more; so almost nothing is kept of it. Of an open one the
record may know more than was published (where that waits for the disk), so what was published is here.

A trial is there from the first update that speaks of it. Where updates were missed, and at the beginning, `sync` takes what they
would have said from the record. Updates that are older than the record may still come after that: they lead to the same end.
"""

from __future__ import annotations

import copy
from array import array
from collections.abc import Sequence

from asyncsweep.core import effects as ef
from asyncsweep.core.records import State, TrialRecord

_WAITING, _RUNNING = State.WAITING, State.RUNNING
_STATES = tuple(State)
_CODES = {state: code for code, state in enumerate(_STATES, 1)}


class Open:
    """A trial that is not final.

    Attributes:
        state: WAITING or RUNNING.
        attempt: The last attempt that began.
        started_at: When it began, in seconds since the epoch; 0.0 while none runs.
        n_params: How many parameters it has; an objective that asks for more adds them at the end.
        n_reports: How many reports it has made.
        step: That of the last report; None when there is none.
        value: The value of the last report.
    """

    __slots__ = ("attempt", "n_params", "n_reports", "started_at", "state", "step", "value")

    def __init__(self) -> None:
        self.state = _WAITING
        self.attempt = 0
        self.started_at = 0.0
        self.n_params = 0
        self.start_anew()

    def start_anew(self) -> None:
        """There are no reports (any more)."""
        self.n_reports = 0
        self.step: int | None = None
        self.value: float | None = None

    def facts(self) -> tuple[object, ...]:
        value = None if self.value is None else repr(self.value)  # NaN is not equal to itself
        return self.state, self.attempt, self.started_at, self.n_params, self.n_reports, self.step, value


class Table:
    """All trials that there are for viewers.

    Attributes:
        open: Those that are not final.
        counts: How many are in each state.
        total: How many there are.
    """

    def __init__(self) -> None:
        self.open: dict[int, Open] = {}
        self.counts = dict.fromkeys(State, 0)
        self.total = 0
        self._codes = bytearray()  # by number: the state; 0 where there is none
        self._gaps: set[int] = set()  # the numbers below the end for which there is none
        self._ended = array("d")  # by number: when it ended

    @property
    def n_final(self) -> int:
        return self.total - len(self.open)

    @property
    def end(self) -> int:
        """All numbers are below it."""
        return len(self._codes)

    def unsettled(self, records: Sequence[TrialRecord]) -> list[int]:
        """The numbers below the end whose trials may be other than they are here.

        What is final stays, unless it is taken back. Then all with higher numbers were taken back before; so below a final trial that is
        still the same, nothing was.
        """
        found = self._gaps.union(self.open)
        for number in range(self.end - 1, -1, -1):
            if self.is_final(number):
                if number < len(records) and self._has(number, records[number]):
                    break
                found.add(number)
        return sorted(found)

    def state(self, number: int) -> State | None:
        """A trial's state; None when there is no such trial."""
        code = self._codes[number] if 0 <= number < len(self._codes) else 0
        return _STATES[code - 1] if code else None

    def is_final(self, number: int) -> bool:
        return 0 <= number < len(self._codes) and self._codes[number] > 0 and number not in self.open

    # -- updates --------------------------------------------------------------------------------------------------------

    def suggested(self, update: ef.TrialSuggested) -> None:
        if not self.is_final(update.trial):
            self._opened(update.trial).n_params = len(update.params)

    def started(self, update: ef.TrialStarted) -> None:
        if not self.is_final(update.trial):
            trial = self._opened(update.trial)
            self._set(update.trial, _RUNNING)
            trial.state, trial.attempt, trial.started_at = _RUNNING, update.attempt, update.at
            trial.start_anew()

    def reported(self, update: ef.TrialReported) -> bool:
        """False when nothing changes."""
        trial = self.open.get(update.trial)
        if trial is None:
            return False
        trial.n_reports += 1
        trial.step, trial.value = update.step, update.value
        return True

    def retried(self, update: ef.TrialRetried) -> None:
        if not self.is_final(update.trial):
            trial = self._opened(update.trial)
            self._set(update.trial, _WAITING)
            trial.state, trial.attempt, trial.started_at = _WAITING, update.attempt, 0.0
            trial.start_anew()

    def finished(self, update: ef.TrialFinished) -> None:
        self._conclude(update.trial, update.state, update.at)

    def drop(self, number: int) -> bool:
        """A trial is no more; False when it never was."""
        if self.state(number) is None:
            return False
        self._set(number, None)
        self.open.pop(number, None)
        return True

    # -- records ----------------------------------------------------------------------------------------------------------

    def sync(self, number: int, record: TrialRecord) -> bool:
        """Have what the record tells; False when that was so already."""
        if record.is_final:
            if self._has(number, record):
                return False
            self._conclude(number, record.state, record.finished_at)
            return True
        if record.param_names is None:  # nothing was said of it yet
            return self.drop(number)
        if self.is_final(number):  # another one had the number
            self.drop(number)
        is_new = self.state(number) is None
        trial = self._opened(number)
        before = trial.facts()
        self._set(number, record.state)
        trial.state = record.state
        # A launched attempt counts when it has started; of one whose launch was taken back the record does not tell.
        trial.attempt = record.attempt - (record.state is _WAITING and record.worker is not None)
        trial.started_at, trial.n_params = record.started_at, len(record.param_names)
        trial.start_anew()
        if record.steps and record.reported:
            trial.n_reports = len(record.steps)
            trial.step, trial.value = record.steps[-1], record.reported[-1]
        return is_new or trial.facts() != before

    def published(self, number: int, records: Sequence[TrialRecord]) -> TrialRecord | None:
        """The record without what has not been published; None when there is no such trial."""
        if self.state(number) is None or number >= len(records):
            return None
        record, trial = records[number], self.open.get(number)
        if trial is None:
            return record
        shown = copy.copy(record)
        shown.state, shown.attempt, shown.started_at = trial.state, trial.attempt, trial.started_at
        if record.param_names is not None:
            n_params = trial.n_params
            shown.param_names, shown.param_values = record.param_names[:n_params], record.param_values[:n_params]
        shown.metric_names, shown.metric_values, shown.finished_at = (), (), 0.0
        shown.error = shown.constraints = shown.attrs = None
        if shown.steps is not None and shown.reported is not None:
            shown.steps, shown.reported = shown.steps[: trial.n_reports], shown.reported[: trial.n_reports]
        return shown

    def _has(self, number: int, record: TrialRecord) -> bool:
        """Whether a final trial is here as its record has it."""
        return self.state(number) is record.state and self._ended[number] == record.finished_at

    def _opened(self, number: int) -> Open:
        trial = self.open.get(number)
        if trial is None:
            trial = self.open[number] = Open()
            self._set(number, _WAITING)
        return trial

    def _conclude(self, number: int, state: State, at: float) -> None:
        self._set(number, state)
        self.open.pop(number, None)
        self._ended[number] = at

    def _set(self, number: int, state: State | None) -> None:
        codes = self._codes
        if number >= len(codes):
            more = number + 1 - len(codes)
            self._gaps.update(range(len(codes), number))
            codes.extend(bytes(more))
            self._ended.frombytes(bytes(8 * more))
        before = codes[number]
        if before:
            self.counts[_STATES[before - 1]] -= 1
            self.total -= 1
        if state is not None:
            self.counts[state] += 1
            self.total += 1
            self._gaps.discard(number)
        else:
            self._gaps.add(number)
        codes[number] = 0 if state is None else _CODES[state]
