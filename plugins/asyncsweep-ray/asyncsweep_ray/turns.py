"""An event loop without a thread of its own: it runs in the thread that waits for something of it.

Ray's own way to have an event loop in an actor is a thread for it beside the one that calls come in by. Then a call is handed from thread to
thread and what it returns is handed back, and of a call that does little that is most of the work.

While nobody waits the loop stands still. That is a millisecond where calls follow each other. When no call comes, because the link is cut,
what runs on the loop must go on: then a thread keeps it going until the next call.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

# The loop stands still for no longer than twice this.
PAUSE_S = 0.05

T = TypeVar("T")


class Turns:
    """The loop, and whose turn it is to run it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # Whoever runs the loop has it.
        self._turn = threading.Lock()
        # Whoever calls, and waits for its turn, has it: a call is never stopped for another one.
        self._caller = threading.Lock()
        # Whether somebody has the turn or waits for it, who may be slow to wake when it is free: the keeper must not take it then.
        self._is_wanted = False
        self._n_runs = 0
        self._is_closed = False
        self._keeper = threading.Thread(target=self._keep, name="asyncsweep-turns", daemon=True)
        self._keeper.start()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run the loop in this thread until the coroutine has ended, and give its result."""
        with self._caller:
            self._is_wanted = True
            if not self._turn.acquire(blocking=False):
                # It is the keeper's. Should it only be about to run the loop, it stops after one round.
                self._loop.call_soon_threadsafe(self._loop.stop)
                self._turn.acquire()
            try:
                task = self._loop.create_task(coroutine)
                task.add_done_callback(self._stop)
                # Not `run_until_complete`: anyio would take the task for the one that all others are part of.
                self._loop.run_forever()
                return task.result()
            finally:
                self._n_runs += 1
                self._is_wanted = False
                self._turn.release()

    def call_soon(self, call: Callable[..., object], *arguments: Any) -> None:
        """Have something called on the loop, from any thread; who runs it is woken."""
        self._loop.call_soon_threadsafe(call, *arguments)

    def close(self) -> None:
        """Stop and close the loop. Nobody may wait for anything of it."""
        self._is_closed = True
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._keeper.join()
        self._loop.close()

    def _stop(self, task: asyncio.Task[Any]) -> None:
        self._loop.stop()

    def _keep(self) -> None:
        n_seen = -1
        while not self._is_closed:
            time.sleep(PAUSE_S)
            if self._n_runs != n_seen:
                n_seen = self._n_runs
            elif not self._is_wanted and self._turn.acquire(blocking=False):
                try:
                    self._loop.run_forever()
                finally:
                    self._turn.release()
