"""The output of trials as it comes.

Nothing tells of output, so whoever follows looks a few times a second, as long as somebody follows. A trial is followed from
attempt to attempt until it is final; a sweep, until it has ended. At the end of an attempt the rest comes from its log.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio
import anyio.to_thread

from asyncsweep import logs
from asyncsweep.core.records import TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.logs import Log
from asyncsweep.run import SweepRun

LOOK_EVERY_S = 0.15

# So many of the bytes that were read last tell the place in a log that is shorter than what was printed.
_SEEN_BYTES = 512


class Followed:
    """One trial.

    Args:
        run: The run.
        trial: The trial.
        attempt: The only attempt to follow; None: the current one and all that come after it.
        offset: Where to begin, as for `SweepRun.log`.

    Attributes:
        is_over: True when there is nothing more to come.
    """

    def __init__(self, run: SweepRun, trial: TrialRecord, attempt: int | None = None, offset: int = 0) -> None:
        self._run = run
        self._trial = trial
        self._is_one_attempt = attempt is not None
        self._attempt = max(1, trial.attempt) if attempt is None else attempt
        self._offset = offset
        self._was_live = False
        self._seen = b""
        self.is_over = False

    async def take(self) -> Log | None:
        """The next piece; None when there is nothing now, or no more at all.

        Raises:
            OSError: A log cannot be read.
        """
        trial = self._trial
        while not self.is_over:
            if trial.attempt < self._attempt:  # it has not begun, or waits to be tried again
                self.is_over = trial.is_final
                return None
            has_ended = logs.has_ended(trial, self._attempt)
            if self._was_live and has_ended:
                self._offset = await self._place_in_log()
            try:
                log = await self._run.log(trial.number, self._attempt, offset=self._offset)
            except ConfigError:  # a reproducible sweep dropped it: it lies beyond the stop
                self.is_over = True
                return None
            self._was_live = not has_ended
            self._offset = log.next_offset
            self._seen = (self._seen + log.data)[-_SEEN_BYTES:]
            if log.is_over:
                self._next_attempt()
            if log.data or log.left_out:
                return log._replace(is_over=self.is_over)
            if not log.is_over:
                return None
        return None

    def _next_attempt(self) -> None:
        if self._is_one_attempt:
            self.is_over = True
        else:
            self._attempt += 1
            self._offset, self._was_live, self._seen = 0, False, b""
            self.is_over = self._trial.is_final and self._trial.attempt < self._attempt

    async def _place_in_log(self) -> int:
        if self._run.directory is None or not self._seen:
            return self._offset
        return await anyio.to_thread.run_sync(
            logs.place_after,
            *(self._run.directory, self._trial.number, self._attempt, self._offset, self._seen),
            limiter=anyio.CapacityLimiter(1),
        )


async def follow(
    run: SweepRun, number: int, attempt: int | None = None, offset: int = 0
) -> AsyncGenerator[tuple[int, Log] | None, None]:
    """One trial's pieces with its number; None whenever there is nothing for a while, so that the caller can look around.

    Raises:
        ConfigError: There is no such trial or attempt, or nothing is kept.
        OSError: A log cannot be read.
    """
    await run.log(number, attempt, offset=offset, limit_bytes=1)
    followed = Followed(run, run.trials[number], attempt, offset)
    while not followed.is_over:
        log = await followed.take()
        if log is not None:
            yield number, log
        elif not followed.is_over:
            yield None
            await anyio.sleep(LOOK_EVERY_S)


async def follow_all(run: SweepRun, offset: int = 0) -> AsyncGenerator[tuple[int, Log] | None, None]:
    """The pieces of every trial that is not final now, from `offset` on, and of all that begin later; see `follow`."""
    if run.directory is None:
        raise ConfigError("log(): a sweep in memory keeps no output; give Sweep(directory=...)")
    logs.check_offset(offset)
    followed = {t.number: Followed(run, t, None, offset) for t in run.trials if not t.is_final}
    n_known = len(run.trials)
    while True:
        was_over = run.is_over
        new = run.trials[n_known:]
        n_known += len(new)
        followed.update((trial.number, Followed(run, trial)) for trial in new)
        has_news = False
        for number, one in list(followed.items()):
            log = await one.take()
            if log is not None:
                has_news = True
                yield number, log
            if one.is_over:
                del followed[number]
        if was_over and not has_news:
            return
        if not has_news:
            yield None
            await anyio.sleep(LOOK_EVERY_S)
