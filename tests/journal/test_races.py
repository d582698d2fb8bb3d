"""R22: of several processes that want one sweep's directory, one writes, and the others are told by whom it is held."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncsweep.core.events import Reopened, SweepOpened
from asyncsweep.journal import inspection
from asyncsweep.journal import journal as journals
from tests.journal import small

# Forks racers, which all start when the last one is there. A sweep's first trial waits until somebody opens the pipe "go".
STABLE = """
import json, os, signal, sys
from functools import partial
import anyio, anyio.to_thread
import asyncsweep as sw
import asyncsweep.driver.session, asyncsweep.executors.inline, asyncsweep.journal.journal, asyncsweep.run
import asyncsweep.samplers.random, asyncsweep.sweep, anyio._backends._asyncio
from asyncsweep.errors import ConfigError, JournalError
from asyncsweep.hooks.registry import Registry

Registry().describe()

def say(*what):
    os.write(1, (json.dumps(what) + "\\n").encode())

def race(how, directory):
    async def objective(x):
        if not waited:
            waited.append(1)
            say("won", os.getpid())
            await anyio.to_thread.run_sync(partial(open, directory + ".go", "rb"))
        return x
    waited = []
    new = partial(sw.Sweep, objective, {"x": sw.Float(0, 1)}, sampler="random", n_trials=2, directory=directory)
    begin = partial(sw.Sweep.resume, directory, objective) if how == "resume" else lambda: new().run()
    try:
        say("finished", len(anyio.run(begin).trials))
    except (ConfigError, JournalError) as error:
        say("refused", type(error).__name__, str(error))

racers = []
for line in sys.stdin:
    command, *args = json.loads(line)
    if command == "race":
        how, directory, n = args
        ready, start = os.pipe()
        for _ in range(n):
            racers.append(os.fork())
            if not racers[-1]:
                os.close(start)
                os.read(ready, 1)
                race(how, directory)
                os._exit(0)
        os.close(ready)
        os.close(start)
    elif command == "stop":
        os.kill(args[0], signal.SIGSTOP)
        os.waitid(os.P_PID, args[0], os.WSTOPPED)
        say("stopped", args[0])
    elif command == "continue":
        os.kill(args[0], signal.SIGCONT)
    elif command == "end":
        for racer in racers:
            os.waitpid(racer, 0)
        racers.clear()
        say("ended")
"""


class Stable:
    """A process that forks racers."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def do(self, *command: Any) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def said(self, n: int = 1) -> list[list[Any]]:
        """The next lines of the racers, sorted."""
        assert self._process.stdout is not None
        return sorted(json.loads(self._process.stdout.readline()) for _ in range(n))


@pytest.fixture(scope="module")
def stable() -> Iterator[Stable]:
    command = [sys.executable, "-c", STABLE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Stable(process)
        process.kill()


def interrupted(directory: Path) -> None:
    """A sweep of two trials whose process ended while the second one ran."""
    journal = journals.create(directory)
    for event in small.events():
        journal.add(event)
    journal.commit()
    journal.close()


def race(stable: Stable, directory: Path, how: str) -> None:
    """One race of eight processes, and all that R22 says of it."""
    os.mkfifo(f"{directory}.go")
    stable.do("race", how, str(directory), 8)
    said = stable.said(8)
    assert [what for what, *_ in said] == [*["refused"] * 7, "won"]
    winner = said[-1][1]
    told = f"{directory} is in use by process {winner}; one sweep at a time can write it"
    if how == "resume":
        assert said[:-1] == [["refused", "JournalError", told]] * 7
    else:  # who comes when the first event is written is told that there is a sweep
        assert all(error in (told, journals._used(directory)) for _, _, error in said[:-1])

    stable.do("stop", winner)
    assert stable.said() == [["stopped", winner]]
    stable.do("race", "resume", str(directory), 2)
    assert stable.said(2) == [["refused", "JournalError", told]] * 2

    stable.do("continue", winner)
    with open(f"{directory}.go", "wb"):
        assert stable.said() == [["finished", 2]]
    stable.do("end")
    assert stable.said() == [["ended"]]
    assert inspection.check(directory).damage is None
    beginnings = [e for e in journals.read(directory).events if isinstance(e, SweepOpened | Reopened)]
    assert len(beginnings) == (2 if how == "resume" else 1)


@pytest.mark.parametrize("how", ["resume", "create"])
def test_of_eight_processes_one_writes_and_the_others_learn_its_id_also_while_it_is_stopped(
    tmp_path: Path, stable: Stable, how: str
) -> None:
    for number in range(3):
        directory = tmp_path / str(number)
        if how == "resume":
            interrupted(directory)
        race(stable, directory, how)


@pytest.mark.deep
@pytest.mark.timeout(300)
def test_50_races_of_eight_processes_have_one_writer_each(tmp_path: Path, stable: Stable) -> None:
    for number in range(50):
        directory = tmp_path / str(number)
        interrupted(directory)
        race(stable, directory, "resume")
