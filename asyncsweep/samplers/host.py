"""The sampler host: a child process that holds a sampler, a pruner, or both, and answers questions over its link.

So the application never imports what a sampler needs, its loop never waits for a suggestion, and a sampler that crashes
takes nothing with it. Questions are answered in the order in which they come. Messages, each an array `[tag, ...]`:

    OPEN     sys.path, pickled sampler or nil, pickled pruner or nil, space, directions, seed, sweep
    ASK      trial, fixed
    TELL     trial, attempt, state, params, metrics, steps, values, sampler attributes or nil
    SUGGEST  trial, attempt, name, domain
    JUDGE    trial, attempt, step, new steps, new values
    CLOSE

The answers to OPEN are OPENED (verdict steps or nil) and REFUSED (is it the user's setting, type, message, traceback). All
others are arrays of the core's events without `seq` and `at`.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
from array import array
from typing import Any

import msgspec

from asyncsweep.core.records import State, TrialRecord
from asyncsweep.errors import ConfigError, SpaceExhausted
from asyncsweep.hooks.contracts import TrialRef
from asyncsweep.samplers import optunas
from asyncsweep.samplers.optuna_study import OptunaStudy
from asyncsweep.space import Domain, Space
from asyncsweep.worker.link import Link
from asyncsweep.worker.outcome import describe
from asyncsweep.worker.watch import Watch

OPEN = 121
ASK = 122
TELL = 123
SUGGEST = 124
JUDGE = 125
CLOSE = 126
OPENED = 127
REFUSED = 128

SUGGESTED = 7
SPACE_EXHAUSTED = 8
ASK_FAILED = 9
TELL_FAILED = 10
PARAM_SUGGESTED = 14
SUGGEST_FAILED = 15
JUDGED = 18
JUDGE_FAILED = 19


def main(fd: int) -> None:
    """Serve the link on file descriptor `fd` until the controller says that it is enough."""
    sock = socket.socket(fileno=fd)
    os.set_inheritable(fd, False)
    link = Link(sock)
    watch = Watch(fd, None)
    watch.start()
    try:
        _serve(link)
    except ConnectionError:
        return  # the controller is gone; nobody is left to hear of it
    watch.end()


def _serve(link: Link) -> None:
    message = link.receive()
    if message is None or message[0] != OPEN:
        return
    try:
        sys.path[:] = message[1]
        host = Host(*message[2:])
    except Exception as error:  # told to the controller, which raises it
        is_setting = isinstance(error, ConfigError)
        link.send((REFUSED, is_setting, *describe(error)))
        return
    link.send((OPENED, host.verdict_steps()))
    while True:
        message = link.receive()
        if message is None or message[0] == CLOSE:
            return
        answer = host.answer(message)
        if answer is not None:
            link.send(answer)


class Host:
    """The sampler and the pruner of one sweep; see the head of the module for its messages."""

    def __init__(
        self,
        sampler: bytes | None,
        pruner: bytes | None,
        space: bytes,
        directions: dict[str, Any],
        seed: int,
        sweep: str,
    ) -> None:
        self._sampler: Any = _unpickled(sampler)
        self._pruner: Any = _unpickled(pruner)
        if optunas.is_sampler(self._sampler):
            self._sampler = OptunaStudy(self._sampler)
        if optunas.is_pruner(self._pruner):
            # One study for both where both are Optuna's: its pruners may change what its samplers see.
            study = self._sampler if isinstance(self._sampler, OptunaStudy) else OptunaStudy()
            study.pruner = self._pruner
            self._pruner = study
        # The attempt of each running trial that the pruner knows, and how many of its reports.
        self._known: dict[int, tuple[int, int]] = {}
        domains = msgspec.msgpack.decode(space, type=dict[str, Domain])
        self._space = Space.from_spec(domains)
        if self._sampler is not None:
            self._sampler.open(self._space, directions, seed)
        if isinstance(self._pruner, OptunaStudy):
            if self._pruner is not self._sampler:
                self._pruner.open(self._space, directions, seed)
        elif self._pruner is not None:
            self._pruner.open(next(iter(directions.values())), seed, sweep)

    def verdict_steps(self) -> tuple[int, int] | None:
        steps = None if self._pruner is None else self._pruner.verdict_steps()
        return None if steps is None else (steps.first, steps.every)

    def answer(self, message: list[Any]) -> tuple[Any, ...] | None:
        """The answer to one question; whatever the sampler or pruner raises is one too."""
        tag = message[0]
        if tag == ASK:
            return self._ask(*message[1:])
        if tag == TELL:
            return self._tell(*message[1:])
        if tag == SUGGEST:
            return self._suggest(*message[1:])
        return self._judge(*message[1:])

    def _ask(self, trial: int, fixed: dict[str, Any] | None) -> tuple[Any, ...]:
        try:
            params = self._space.check(self._sampler.ask(TrialRef(trial, fixed or {})), partial=False)
            attrs = self._sampler.attrs(trial) if hasattr(self._sampler, "attrs") else None
            return SUGGESTED, trial, params, attrs or None
        except SpaceExhausted:
            return SPACE_EXHAUSTED, trial
        except Exception as error:
            return ASK_FAILED, trial, describe(error)

    def _tell(
        self,
        trial: int,
        attempt: int,
        state: str,
        params: dict[str, Any],
        metrics: dict[str, float],
        steps: list[int],
        values: list[float],
        attrs: dict[str, Any] | None,
    ) -> tuple[Any, ...] | None:
        record = TrialRecord(trial, State(state), sampler_attrs=attrs)
        record.param_names, record.param_values = tuple(params), tuple(params.values())
        record.metric_names, record.metric_values = tuple(metrics), tuple(metrics.values())
        record.steps, record.reported = array("q", steps), array("d", values)
        try:
            if self._pruner is not None:
                known = self._restarted(trial, attempt)
                # A study takes what it lacks from the record.
                if not isinstance(self._pruner, OptunaStudy):
                    self._feed(trial, steps[known:], values[known:])
                self._known.pop(trial, None)
            if self._sampler is not None:
                self._sampler.tell(record)
            if self._pruner is not None and self._pruner is not self._sampler:
                self._pruner.finish(record)
        except Exception as error:
            return TELL_FAILED, trial, describe(error)
        return None

    def _suggest(self, trial: int, attempt: int, name: str, domain: dict[str, Any]) -> tuple[Any, ...]:
        try:
            found = msgspec.convert(domain, Domain).checked(f"suggest {name!r}")
            value = self._sampler.suggest(TrialRef(trial), name, found)
            if not found.contains(value):
                raise ValueError(f"the sampler suggested {value!r}, which is not in {found}")
            return PARAM_SUGGESTED, trial, attempt, name, value
        except Exception as error:
            return SUGGEST_FAILED, trial, attempt, name, describe(error)

    def _judge(self, trial: int, attempt: int, step: int, steps: list[int], values: list[float]) -> tuple[Any, ...]:
        try:
            known = self._restarted(trial, attempt)
            self._feed(trial, steps, values)
            self._known[trial] = attempt, known + len(steps)
            return JUDGED, trial, attempt, step, bool(self._pruner.judge(trial, step))
        except Exception as error:
            return JUDGE_FAILED, trial, attempt, step, describe(error)

    def _restarted(self, trial: int, attempt: int) -> int:
        """Have the pruner forget an earlier attempt of the trial; gives how many reports of this one it knows."""
        known_attempt, known = self._known.get(trial, (attempt, 0))
        if known_attempt == attempt:
            return known
        self._pruner.restart(trial)
        return 0

    def _feed(self, trial: int, steps: list[int], values: list[float]) -> None:
        for step, value in zip(steps, values, strict=True):
            self._pruner.report(trial, step, value)


def _unpickled(given: bytes | None) -> Any:
    # The controller's own launch message: the one place of the host where bytes are unpickled.
    return None if given is None else pickle.loads(given)  # noqa: S301  our parent's bytes


if __name__ == "__main__":
    main(int(sys.argv[1]))
