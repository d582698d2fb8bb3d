"""Promise R23 for exporters: one that is slow, stuck or broken harms neither the trials nor the end of the sweep."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep.driver import session, updates
from asyncsweep.exporters import threaded
from tests.exporters.sweeps import Keeping, quick, run

pytestmark = pytest.mark.anyio

SPACE = {"x": sw.Float(0.0, 1.0)}


class Plain:
    """An exporter of the contract, which raises or sleeps in one place."""

    def __init__(self, where: str, how: str = "raise") -> None:
        self._where, self._how = where, how
        self.has_begun = False

    def begin(self, info: sw.SweepInfo) -> None:
        self.has_begun = True
        if self._where == "begin":
            raise ValueError("broken here")

    async def __aenter__(self) -> Plain:
        await self._break("enter")
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._break("exit")

    async def export(self, updates: Sequence[sw.Update]) -> None:
        await self._break("export")

    async def _break(self, where: str) -> None:
        if where == self._where:
            if self._how == "sleep":
                await anyio.sleep_forever()
            raise ValueError("broken here")


class Gated(Keeping):
    """Blocks in its first batch until the gate opens.

    Attributes:
        is_blocked: Set when it does.
    """

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.is_blocked = threading.Event()

    def write(self, updates: Sequence[sw.Update], trials: Sequence[sw.TrialRecord]) -> None:
        super().write(updates, trials)
        self.is_blocked.set()
        self.gate.wait()


@pytest.fixture
def gated() -> Iterator[Gated]:
    exporter = Gated()
    yield exporter
    exporter.gate.set()


@pytest.fixture
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "EXPORT_GRACE_S", 0.05)
    monkeypatch.setattr(threaded, "CLOSE_TIMEOUT_S", 0.05)


@pytest.mark.parametrize("where", ["begin", "enter"])
async def test_one_that_raises_before_the_first_trial_ends_the_sweep_with_a_clear_error(where: str) -> None:
    ran = []

    async def objective(trial: Any) -> float:
        ran.append(trial.number)
        return 0.0

    with pytest.raises(sw.PluginError, match=r"exporter .* cannot be opened: ValueError\('broken here'\)"):
        await run(objective, SPACE, exporters=[Plain(where)])
    assert ran == []


async def test_one_that_never_opens_ends_the_sweep_with_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "EXPORT_OPEN_S", 0.05)
    with pytest.raises(sw.PluginError, match=r"cannot be opened: it took longer than 0\.05 s"):
        await run(quick, SPACE, exporters=[Plain("enter", "sleep")])


@pytest.mark.parametrize("how", ["raise", "sleep"])
@pytest.mark.parametrize("where", ["export", "exit"])
async def test_one_that_raises_or_sleeps_for_ever_harms_no_trial(where: str, how: str, short_grace: None) -> None:
    result = await run(quick, SPACE, exporters=[Plain(where, how)])
    assert result.counts[sw.State.COMPLETE] == 5


async def test_a_sweep_is_over_while_a_slow_exporter_is_at_its_first_batch(gated: Gated) -> None:
    """No times are compared: all trials end while the exporter has taken one batch, and waits in it."""
    n_trials = 4000

    async def reporting(trial: Any) -> float:
        trial.report(0.5, 0)
        trial.report(0.5, 1)
        return 0.5

    sweep = sw.Sweep(reporting, SPACE, sampler="random", n_trials=n_trials, concurrency=4, exporters=[gated])
    with anyio.fail_after(50):
        async with sweep.start() as running:
            result = await running.result()
            assert gated.calls.count("write") <= 1
            watchers = [watcher for weak in running._driver.watchers._watchers if (watcher := weak()) is not None]
            waiting = [len(watcher._updates) for watcher in watchers]
            gated.gate.set()
    assert result.counts[sw.State.COMPLETE] == n_trials
    assert waiting and max(waiting) == updates.BUFFERED  # what it missed did not pile up
    assert sorted(trial.number for trial in gated.trials) == list(range(n_trials))  # and yet it has every trial, once
    assert any(isinstance(update, sw.UpdatesSkipped) for update in gated.updates)


async def test_one_that_is_stuck_in_its_thread_does_not_hold_the_end(
    gated: Gated, short_grace: None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "asyncsweep"):
        result = await run(quick, SPACE, exporters=[gated])
    assert result.counts[sw.State.COMPLETE] == 5
    assert "the exporter <Gated> did not end in time" in caplog.text
    assert "close" not in gated.calls


async def test_one_that_comes_back_late_is_closed_then(gated: Gated, short_grace: None) -> None:
    await run(quick, SPACE, exporters=[gated])
    gated.gate.set()
    with anyio.fail_after(20):
        while "close" not in gated.calls:  # a thread says so, not this loop
            await anyio.lowlevel.checkpoint()


async def test_one_exporter_that_is_stuck_does_not_hold_up_another(gated: Gated, short_grace: None) -> None:
    other = Keeping()
    await run(quick, SPACE, exporters=[gated, other])
    assert [trial.number for trial in other.trials] == [0, 1, 2, 3, 4]


STUCK = """
import threading
import anyio
import asyncsweep as sw
from asyncsweep.driver import session
from asyncsweep.exporters import threaded

session.EXPORT_GRACE_S = threaded.CLOSE_TIMEOUT_S = 0.05

class Stuck(sw.ThreadedExporter):
    def write(self, updates, trials):
        threading.Event().wait()

async def objective(x):
    return x

async def main():
    result = await sw.Sweep(objective, {"x": sw.Float(0.0, 1.0)}, sampler="random", n_trials=3, exporters=[Stuck()]).run()
    print(len(result.trials))

anyio.run(main)
"""


def test_a_thread_that_never_returns_does_not_keep_the_process() -> None:
    done = subprocess.run([sys.executable, "-c", STUCK], capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout, done.returncode) == ("3\n", 0), done.stderr
