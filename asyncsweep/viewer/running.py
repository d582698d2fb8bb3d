"""A sweep that runs in this process, as a source: what its driver knows, looked at where it is.

Nothing is copied and nothing is kept: each look costs the same however many trials there are.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from asyncsweep.core.machine import Phase
from asyncsweep.core.records import State, SweepSpec, TrialRecord
from asyncsweep.driver.updates import Watcher
from asyncsweep.logs import Log
from asyncsweep.run import SweepRun
from asyncsweep.steering.commands import Commands
from asyncsweep.viewer.source import Stand
from asyncsweep.worker.secrets import redacted


class RunSource:
    """A run of this process, also when it has ended; see `Source`.

    Args:
        run: A run that has started.
        name: What it is called; "" for the name of its directory.

    Raises:
        ConfigError: The run has not started.
    """

    generation = 0
    is_here = True
    problem = ""

    def __init__(self, run: SweepRun, name: str = "") -> None:
        self._run = run
        self._driver = run._driver
        self.name = (
            name or ("" if run.directory is None else os.path.basename(os.path.abspath(run.directory))) or "sweep"
        )
        self.commands = Commands(run, None)
        self.has_logs = run.directory is not None

    @property
    def is_live(self) -> bool:
        """Whether the run goes on; one that has ended never does."""
        return self.stand.state not in ("ENDED", "INTERRUPTED")

    @property
    def spec(self) -> SweepSpec:
        return self._driver.machine.spec

    @property
    def trials(self) -> Sequence[TrialRecord]:
        return self._driver.machine.trials

    @property
    def best(self) -> TrialRecord | None:
        return self._driver.machine.best

    @property
    def counts(self) -> Mapping[State, int]:
        return self._driver.machine.life.counts

    @property
    def n_enqueued(self) -> int:
        return len(self._driver.machine.life.enqueued)

    @property
    def stand(self) -> Stand:
        driver, machine = self._driver, self._driver.machine
        if driver.fault is not None:
            text = str(driver.fault) or type(driver.fault).__name__
            return Stand("ENDED", machine.course.stop_reason, redacted(text))
        if driver.finish is not None:
            error = driver.finish.error
            return Stand("ENDED", driver.finish.reason, "" if error is None else str(error))
        if driver.is_closed:  # it was broken off
            return Stand("INTERRUPTED")
        # One that has finished and is not shown as such yet, because that is not synced, is stopping still.
        if machine.phase in (Phase.STOPPING, Phase.FINISHED):
            return Stand("STOPPING", machine.course.stop_reason)
        return Stand("PAUSED" if machine.paused else "RUNNING")

    def watch(self, buffered: int) -> Watcher:
        return self._driver.watchers.add(buffered)

    async def log(self, number: int, attempt: int | None, offset: int, limit_bytes: int) -> Log:
        return await self._run.log(number, attempt, offset=offset, limit_bytes=limit_bytes)
