"""What all viewers of one sweep share: its published table, which trials changed, and the messages that say so.

A hub has no task. Whoever serves a viewer waits with `newer` and looks with `catch_up`, or `pull`: that takes what the source has said
meanwhile. With no viewer, nothing happens but that a bounded buffer fills up, and overflows.

- Looks are for all viewers together, and their work is a twentieth of the time: see `budget`.
- No step of the work takes longer than some milliseconds: a large table is read in steps, others have their turn between them.
- Where updates were missed, all trials that may have changed are looked at again.
- `seq` grows with everything that viewers could want to know. `epoch` names the counting; with a new one they begin anew. So it is when the
  source says that all is void, and when the table has become so large that fewer trials are shown.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

import anyio
import anyio.lowlevel

from asyncsweep.core import effects as ef
from asyncsweep.core.records import TrialRecord
from asyncsweep.viewer import values
from asyncsweep.viewer.budget import Budget
from asyncsweep.viewer.changes import Changes
from asyncsweep.viewer.columns import TableColumns
from asyncsweep.viewer.forms import Form
from asyncsweep.viewer.rows import Rows
from asyncsweep.viewer.source import Source
from asyncsweep.viewer.status import TEXT_CHARS, Pace, concurrency_of, duration_of, n_final_of, status
from asyncsweep.viewer.table import Table
from asyncsweep.worker.secrets import redacted

MOST_SHOWN = 100_000
BUFFERED = 10_000
# A step of the work: so many updates, or so many records.
STEP_UPDATES = 2_000
STEP_RECORDS = 500
# What has changed of the status is told at once where it matters, else so often; and what the clock alone changes.
STATUS_EVERY_S = 0.5
CLOCK_EVERY_S = 5.0
# What the source tells without an update, such as a problem, is looked at so often.
LOOK_EVERY_S = 1.0


class Hub:
    """One sweep for all its viewers.

    Args:
        source: Where the facts come from.
        most_shown: How many final trials are shown at most, as a sample.
        clock: Tells seconds.

    Attributes:
        source: The same.
        epoch: Names the counting of `seq`; "" while the table is read for the first time.
        stride: Every how many-th final trial is shown.
        best: The number of the best trial; None where there is none.
        table: What was published of the trials.
        columns: Their columns.
        rows: Their rows, in pieces.
        status_seq: When the status changed last.
        budget: The time that may be spent.
        turn: Held by who makes a message. To get it takes a turn of the loop, so that nobody waits for more than one message.
    """

    _scan: Iterator[int] | None
    _fields: tuple[int, list[dict[str, Any]]]

    def __init__(
        self, source: Source, *, most_shown: int = MOST_SHOWN, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.source = source
        self._clock = clock
        self.turn = anyio.Lock()
        self._most_shown = most_shown
        self._looking = anyio.Lock()
        self._waiting: set[anyio.CancelScope] = set()
        self.budget = Budget(source.is_here, clock)
        self._changes = Changes()
        self._begin()

    @property
    def seq(self) -> int:
        """The number of the last change."""
        return self._changes.seq

    def is_shown(self, number: int) -> bool:
        """Whether viewers have this trial."""
        if self.table.state(number) is None:
            return False
        return not number % self.stride or number == self.best or number in self.table.open

    # -- looking --------------------------------------------------------------------------------------------------------

    @property
    def has_work(self) -> bool:
        """Whether there is more to do of what was taken."""
        return self._scan is not None or bool(self._updates)

    def pull(self) -> None:
        """Take what the source has said, and do a step of the work."""
        if self.source.generation != self._generation:
            self._begin()
        if not self.has_work:
            updates = self._watcher.taken()
            self._stand_then = self.source.stand
            if updates and type(updates[0]) is ef.UpdatesSkipped:
                self._scan = self._unsettled()  # the records know what was missed, and all that came after it
            else:
                self._updates.extend(updates)
        self._step()

    async def catch_up(self) -> None:
        """Take what the source has said, and do all of the work."""
        async with self._looking:
            self.budget.begin(is_tight=False)
            self.pull()
            while self.has_work:
                await anyio.lowlevel.checkpoint()
                self._step()

    async def newer(self, seq: int, round: int) -> None:
        """Wait until there is something after a change, and look for it meanwhile; where the time is tight, until after a round too."""
        while not self._has_newer(seq, round):
            if self.seq <= seq and not self.has_work:
                await self._news()
            pause = self.budget.due_at - self._clock()
            if pause > 0 and not self._has_newer(seq, round):
                await anyio.sleep(pause)
            if not self._has_newer(seq, round):
                await self._look()

    def may_tell(self, round: int) -> bool:
        """Whether a viewer that was told something in a round may be told more."""
        return not self.budget.is_tight or self.budget.round != round

    def _has_newer(self, seq: int, round: int) -> bool:
        return self.seq > seq and bool(self.epoch) and self.may_tell(round)

    async def _look(self) -> None:
        """A round's look, unless somebody else has begun the round."""
        async with self._looking:
            if self._clock() < self.budget.due_at:
                return
            self.budget.begin()
            self.pull()
            while self.has_work and not (self.epoch and self.budget.has_looked):
                await anyio.lowlevel.checkpoint()
                self._step()
            if self.has_work:
                self._pace.counted(time.time(), n_final_of(self.source))
                self._settle()

    async def _news(self) -> None:
        """Wait until there is something to look for, or somebody else has found something."""
        with anyio.move_on_after(LOOK_EVERY_S if self._owes_status_at is None else STATUS_EVERY_S) as waiting:
            self._waiting.add(waiting)
            try:
                if self._watcher.closed:
                    await anyio.sleep_forever()
                await self._watcher.ready()
            finally:
                self._waiting.remove(waiting)

    # -- what there is --------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """How the sweep stands now."""
        source, now, is_behind = self.source, time.time(), self.has_work
        found = status(source, self._stand, self.table, self._pace, self.best, self.stride, now, is_behind=is_behind)
        return {**found, "problem": self._problem(), "seq": self._changes.touched}

    def status_message(self, form: Form) -> bytes:
        """The message, as of `status_seq`; the same for all."""
        message = self._status_messages.get(form.name)
        if message is None or message[0] != self.status_seq:
            message = self.status_seq, form.encode({"type": "status", **self.status()})
            self._status_messages[form.name] = message
        return message[1]

    def column_fields(self) -> list[dict[str, Any]]:
        """The columns as the stream has them."""
        if self._fields[0] != self.columns.version:
            self._fields = self.columns.version, self.columns.fields()
        return self._fields[1]

    def info(self) -> dict[str, Any]:
        """What the sweep is."""
        spec = self.source.spec
        return {
            "name": values.text(self.source.name),
            "directions": {values.text(name): direction for name, direction in spec.directions.items()},
            "sampler": values.text(spec.sampler.name),
            "pruner": values.text(spec.pruner.name),
            "executor": values.text(spec.executor.name),
            "objective": values.text(spec.objective),
            "n_trials": spec.n_trials,
            "concurrency": concurrency_of(self.source, self.table),
            "is_live": self.source.is_live,
            "has_logs": self.source.has_logs,
        }

    def published(self, number: int) -> TrialRecord | None:
        """A trial as far as it was published; None where there is none."""
        return self.table.published(number, self.source.trials)

    # -- the work -------------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Everything anew."""
        source = self.source
        self._generation = source.generation
        self._watcher = source.watch(BUFFERED)
        # Taken with the updates, and told when they are done: so the end is not told of before the last of them.
        self._stand = self._stand_then = source.stand
        self._updates: deque[ef.Update] = deque()
        self._scan = None
        self._changes = Changes(self._changes.seq + 1)
        self._pace = Pace()
        self._failure = ""
        self._facts: tuple[object, ...] = ()
        self._owes_status_at: float | None = None
        self._status_at = 0.0
        self._status_messages: dict[str, tuple[int, bytes]] = {}
        self._told_seq = self._told_enqueued = self._found_seq = 0
        self.status_seq = 0
        self.table = Table()
        self._scan = self._unsettled()
        self.columns = TableColumns(source.spec.space, source.spec.directions)
        self._fields = 0, []
        self.best: int | None = None
        self.stride = 1
        self.epoch = ""
        self._share_anew()

    def _share_anew(self) -> None:
        self.rows = Rows(self.table, self._changes, self.columns, lambda: self.source.trials, self.is_shown)

    def _step(self) -> None:
        began = time.perf_counter()
        if self._scan is not None:
            self._read(self._scan)
        elif self._updates:
            changed: dict[int, None] = {}
            for update in islice(self._updates, STEP_UPDATES):
                self._apply(update, changed)
            for _ in range(min(STEP_UPDATES, len(self._updates))):
                self._updates.popleft()
            for number in changed:
                self._changes.touch(number)
        if not self.has_work:
            self._stand = self._stand_then
            self._settle()
        self.budget.spend(time.perf_counter() - began)

    def _unsettled(self) -> Iterator[int]:
        """The numbers of the trials that may be other than the table has them."""
        yield from self.table.unsettled(self.source.trials)
        number = self.table.end
        while number < len(self.source.trials):
            yield number
            number += 1

    def _read(self, numbers: Iterator[int]) -> None:
        """See what the records of some trials tell."""
        records, table = self.source.trials, self.table
        n_read = 0
        for number in islice(numbers, STEP_RECORDS):
            n_read += 1
            if number >= len(records):
                if table.drop(number):
                    self._changes.touch(number)
                continue
            record = records[number]
            if table.sync(number, record):
                self._changes.touch(number)
                if table.is_final(number):
                    self._pace.ended(record.finished_at, duration_of(record))
                    self.columns.see_results(record)
                if record.param_names is not None:
                    self.columns.see_params(record)
        if n_read < STEP_RECORDS:
            self._scan = None

    def _apply(self, update: ef.Update, changed: dict[int, None]) -> None:
        kind, table = type(update), self.table
        if kind is ef.TrialReported:
            assert isinstance(update, ef.TrialReported)
            if table.reported(update):
                changed[update.trial] = None
            return
        if isinstance(update, ef.TrialStarted):
            table.started(update)
        elif isinstance(update, ef.TrialFinished):
            self._finish(update)
        elif isinstance(update, ef.TrialSuggested):
            table.suggested(update)
            record = self._record(update.trial)
            if record is not None:
                self.columns.see_params(record)
        elif isinstance(update, ef.TrialRetried):
            table.retried(update)
        elif isinstance(update, ef.TrialDropped):
            if not table.drop(update.trial):
                return
        elif isinstance(update, ef.TrialUsage):
            if update.trial not in table.open:
                return
            # No row has it: who looks at the trial's details asks for them again.
        else:
            if isinstance(update, ef.PluginFailed):
                self._failure = f"{update.where}: {update.error}"
            return
        changed[update.trial] = None

    def _finish(self, update: ef.TrialFinished) -> None:
        self.table.finished(update)
        record = self._record(update.trial)
        if record is not None:
            self._pace.ended(update.at, duration_of(record))
            self.columns.see_results(record)

    def _record(self, number: int) -> TrialRecord | None:
        records = self.source.trials
        return records[number] if number < len(records) else None

    def _settle(self) -> None:
        """All that was taken is done: see what follows from it."""
        self._follow_best()
        while self.table.n_final > self._most_shown * self.stride:
            self.stride *= 2
            self.epoch = ""
            self._share_anew()
        if not self.epoch:
            self.epoch = secrets.token_hex(8)
            self._changes.skip()
        self._follow_status()
        if self.seq > self._found_seq:
            self._found_seq = self.seq
            for waiting in self._waiting:
                waiting.cancel()

    def _follow_best(self) -> None:
        record = self.source.best
        before, best = self.best, self.best
        if record is not None and self.table.is_final(record.number):
            best = record.number
        elif record is None or (best is not None and not self.table.is_final(best)):
            best = None
        self.best = best
        if best != before and self.stride > 1:
            for number in (before, best):
                if number is not None:
                    self._changes.touch(number)

    def _follow_status(self) -> None:
        spec, now, stand = self.source.spec, self._clock(), self._stand
        facts = (stand, self._problem(), self.best, spec.n_trials, spec.concurrency, self.epoch)
        n_enqueued = self.source.n_enqueued
        has_rows = self._changes.seq > self._told_seq or n_enqueued != self._told_enqueued
        is_due = now >= self._status_at + (STATUS_EVERY_S if has_rows else CLOCK_EVERY_S)
        if facts != self._facts or (is_due and (has_rows or stand.state == "RUNNING")):
            self._facts, self._status_at, self._owes_status_at = facts, now, None
            self._changes.skip()
            self.status_seq = self._told_seq = self._changes.seq
            self._told_enqueued = n_enqueued
        elif has_rows:
            self._owes_status_at = self._status_at + STATUS_EVERY_S

    def _problem(self) -> str:
        return values.text(redacted(self.source.problem or self._failure), TEXT_CHARS)
