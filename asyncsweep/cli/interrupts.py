"""What Ctrl-C and the signals that end a process do to a sweep.

    Ctrl-C                no more trials begin, those that run may end
    once more, SIGTERM    trials are ended: politely, and by force after `grace_s`
    SIGHUP                the same, when the terminal was closed
    a third time          this process ends at once; its workers notice, and end too

What is ended so is repeated when the sweep is resumed, for a sweep with a directory is then broken off, as by a power cut; only
one in memory makes such trials CANCELLED.
"""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator, Callable

import anyio

from asyncsweep.core.records import State
from asyncsweep.run import SweepRun

REASON = "interrupted"
_HEEDED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def heeded() -> tuple[signal.Signals, ...]:
    """The signals that a sweep heeds: not those that this process was told to ignore, by `nohup` say."""
    return tuple(number for number in _HEEDED if signal.getsignal(number) is not signal.SIG_IGN)


class Interrupts:
    """Acts on signals.

    Args:
        everything: Cancelled, it breaks the sweep off.
        say: Shows a line to the user.
        at_the_very_end: Called before this process ends at once.

    Attributes:
        run: The run, once it has started.
        count: How often the user wanted an end.
    """

    run: SweepRun | None = None

    def __init__(
        self, everything: anyio.CancelScope, say: Callable[[str], None], at_the_very_end: Callable[[], None]
    ) -> None:
        self._everything = everything
        self._say = say
        self._at_the_very_end = at_the_very_end
        self._ttys = [fd for fd in (1, 2) if os.isatty(fd)]
        self.count = 0

    async def heed(self, signals: AsyncIterator[signal.Signals]) -> None:
        """Act on each signal."""
        async for number in signals:
            if number == signal.SIGHUP:
                self._let_go_of_terminal()
            self.count = max(self.count + 1, 1 if number == signal.SIGINT else 2)
            if self.count == 1 and self.run is not None:
                self._drain(self.run)
            elif self.count <= 2:
                self._stop_now()
            elif number == signal.SIGINT:
                self._at_the_very_end()
                os._exit(128 + signal.SIGINT)

    def _drain(self, run: SweepRun) -> None:
        if run.is_over:
            return
        n_running = run.counts[State.RUNNING]
        run.stop(REASON)
        trials = (
            "no trial runs"
            if not n_running
            else "1 trial still runs"
            if n_running == 1
            else f"{n_running} trials still run"
        )
        wait = " and may end; Ctrl-C again stops now" if n_running else ""
        self._say(f"Interrupted: {trials}{wait}.")

    def _stop_now(self) -> None:
        self.count = 2
        run = self.run
        if run is not None and run.directory is None and not run.is_over:
            run.stop(REASON, now=True)
        elif run is None or not run.is_over:
            self._everything.cancel()
        self._say("Stopping now; Ctrl-C again ends this process at once.")

    def _let_go_of_terminal(self) -> None:
        """Nobody reads it any more, and who writes to it gets an error."""
        with open(os.devnull, "w") as nothing:
            for fd in self._ttys:
                os.dup2(nothing.fileno(), fd)
