"""The hand-written loop: asyncio, Optuna's ask and tell, child processes behind pipes that it watches with `add_reader`."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterator
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

import optuna
from optuna.trial import TrialState

from benchmarks.peers.shared.in_optuna import DISTRIBUTIONS
from benchmarks.peers.shared.processes import FORK

# Parameters, and a function that reports a value and tells whether to stop.
Evaluate = Callable[[dict[str, Any], Callable[[float, int], bool]], float]
Channel = Connection
_AHEAD = 2


@contextlib.contextmanager
def children(workers: int, evaluate: Evaluate, is_pruned: bool) -> Iterator[list[Channel]]:
    """The pipes to so many child processes that are up."""
    pairs = [Pipe() for _ in range(workers)]
    processes = [FORK.Process(target=_child, args=(theirs, evaluate, is_pruned), daemon=True) for _, theirs in pairs]
    for process in processes:
        process.start()
    pipes = [ours for ours, _ in pairs]
    for pipe in pipes:
        pipe.recv()
    yield pipes
    for pipe in pipes:
        pipe.send(None)
    for process in processes:
        process.join()


def _child(pipe: Channel, evaluate: Evaluate, is_pruned: bool) -> None:
    pipe.send("up")
    while (job := pipe.recv()) is not None:
        number, params = job

        def report(value: float, step: int, number: int = number) -> bool:
            pipe.send((number, value, step))
            return bool(pipe.recv()) if is_pruned else False

        pipe.send((number, evaluate(params, report), None))


class PipeLoop:
    """Runs trials until so many have ended.

    Args:
        study: Asked and told on the loop.
        pipes: To the children.
        is_pruned: A verdict is sent back after each report. A child has only one trial then; otherwise the next one waits in its
            pipe when it ends one.
        n_trials: How many; None for no limit.
        seconds: How long trials are started; None for no limit.
    """

    def __init__(
        self,
        study: optuna.Study,
        pipes: list[Channel],
        is_pruned: bool,
        n_trials: int | None = None,
        seconds: float | None = None,
    ) -> None:
        self._study = study
        self._pipes = pipes
        self._is_pruned = is_pruned
        self._left = math.inf if n_trials is None else n_trials
        self._until = math.inf if seconds is None else time.monotonic() + seconds
        self._running: dict[int, optuna.Trial] = {}

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def on_readable(pipe: Channel) -> None:
            try:
                self._receive(pipe)
                if not self._running and not done.done():
                    done.set_result(None)
            except Exception as error:
                done.set_exception(error)

        for pipe in self._pipes:
            loop.add_reader(pipe.fileno(), on_readable, pipe)
        for _ in range(1 if self._is_pruned else _AHEAD):
            for pipe in self._pipes:
                self._launch(pipe)
        await done
        for pipe in self._pipes:
            loop.remove_reader(pipe.fileno())

    def _launch(self, pipe: Channel) -> None:
        if self._left > 0 and time.monotonic() < self._until:
            self._left -= 1
            trial = self._study.ask(DISTRIBUTIONS)
            self._running[trial.number] = trial
            pipe.send((trial.number, trial.params))

    def _receive(self, pipe: Channel) -> None:
        number, value, step = pipe.recv()
        if step is not None:
            self._running[number].report(value, step)
            if self._is_pruned:
                pipe.send(self._running[number].should_prune())
            return
        trial = self._running.pop(number)
        if math.isnan(value):
            self._study.tell(trial, state=TrialState.PRUNED)
        else:
            self._study.tell(trial, value)
        self._launch(pipe)
