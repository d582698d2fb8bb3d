"""A base for exporters whose library blocks: plain methods, made in a thread of their own."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Self

import anyio

from asyncsweep.core.effects import Update
from asyncsweep.core.records import TrialRecord
from asyncsweep.errors import ConfigError
from asyncsweep.exporters.ledger import Ledger
from asyncsweep.exporters.own_thread import OwnThread
from asyncsweep.hooks.contracts import SweepInfo

CLOSE_TIMEOUT_S = 5.0

log = logging.getLogger("asyncsweep")


class ThreadedExporter:
    """The base of an exporter that is written with plain methods; each object has one thread, in which they are called.

        class Best(sw.ThreadedExporter):
            def __init__(self, path):           # options: keep and check them, no more
                self._path = path

            def open(self, info):               # heavy imports, connections
                import sqlite3

                self._table = sqlite3.connect(self._path)
                self._table.execute("create table if not exists trials (number primary key, state, value)")

            def write(self, updates, trials):   # `trials` are final
                rows = [(trial.number, trial.state.value, trial.value) for trial in trials]
                self._table.executemany("insert or replace into trials values (?, ?, ?)", rows)
                self._table.commit()

            def close(self):
                self._table.close()

    The calls come one after the other: `open` once, `write` for each batch, `close` once where `open` went well. The sweep
    waits for none of them but `open`, and at its end for what is left, no longer than some seconds; then the thread is left
    alone, and does not keep the process from ending.

    What is slow misses updates. So look at `trials` for what has to be complete: every trial that is final is handed over
    once, with the batch that tells of its end or, when that was missed, with the next one; no update of it comes later. The
    trials of a sweep that is resumed come first, with the first batch: whoever kept them passes over them by their numbers.

    Nothing here needs `super().__init__()`.
    """

    # Two underscores: the names of authors stay their own.
    __running: _Running | None = None

    def open(self, info: SweepInfo) -> None:
        """Get ready. `info.trials()` gives the trials as they were when the sweep was opened: none, unless it is resumed.

        Raises:
            ConfigError: The user has to change something; the sweep ends before its first trial. So it does with any other
                exception, as a `PluginError`.
        """

    def write(self, updates: Sequence[Update], trials: Sequence[TrialRecord]) -> None:
        """Take a batch. An exception is logged, and the sweep goes on without this exporter.

        Args:
            updates: What happened, in order; an `UpdatesSkipped` tells of a gap.
            trials: Those that became final. Their records do not change any more.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method write(updates, trials)")

    def close(self) -> None:
        """Finish and let go; called after an error of `write`, too."""

    def begin(self, info: SweepInfo) -> None:
        """What the sweep calls first. Not to be overridden."""
        if self.__running is not None and self.__running.thread is not None:
            raise ConfigError(f"exporter={self!r} is in use by another sweep; give each sweep one of its own")
        earlier = tuple(trial if trial.is_final else trial.copied() for trial in info.trials())
        self.__running = _Running(info._replace(trials=lambda: earlier), Ledger(info.trials))

    async def __aenter__(self) -> Self:
        if self.__running is None:
            raise RuntimeError("begin(info) comes first, then `async with exporter`")
        thread = self.__running.thread = OwnThread(f"asyncsweep-{type(self).__name__}")
        try:
            await thread.call(self.open, self.__running.info)
        except BaseException:
            self.__end(thread)
            raise
        return self

    async def export(self, updates: Sequence[Update]) -> None:
        """What the sweep calls. Not to be overridden."""
        running, thread = self.__entered()
        shown, trials = running.ledger.taken(updates)
        try:
            await thread.call(self.write, shown, trials)
        except Exception:
            running.is_broken = True
            raise

    async def __aexit__(self, *exc: object) -> None:
        running, thread = self.__entered()
        n_left = 0
        # Shielded, so that a cancelled sweep closes it too; with an end, because a server may never answer.
        with anyio.move_on_after(CLOSE_TIMEOUT_S, shield=True) as limit:
            try:
                rest = [] if running.is_broken else running.ledger.rest()
                n_left = len(rest)
                if rest:
                    await thread.call(self.write, (), rest)
                    n_left = 0
            finally:
                await thread.call(self.close)
        self.__end(thread)
        if limit.cancelled_caught:
            missing = f", {n_left} trials have not been written" if n_left else ""
            log.warning("the exporter %r did not end in time: the last batch may be incomplete%s", self, missing)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"  # without options, for there may be secrets among them

    def __entered(self) -> tuple[_Running, OwnThread]:
        if self.__running is None or self.__running.thread is None:
            raise RuntimeError("export() is called inside `async with exporter`")
        return self.__running, self.__running.thread

    def __end(self, thread: OwnThread) -> None:
        thread.close()
        self.__running = None


class _Running:
    """What an exporter has while a sweep runs."""

    def __init__(self, info: SweepInfo, ledger: Ledger) -> None:
        self.info = info
        self.ledger = ledger
        self.is_broken = False
        self.thread: OwnThread | None = None
