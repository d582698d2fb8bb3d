"""`asyncsweep stop`, `pause` and `unpause`, from another terminal."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from click.testing import CliRunner, Result

import asyncsweep as sw
from asyncsweep.cli.group import asyncsweep as command


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # the loop of the sweep makes no difference to another process


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with tempfile.TemporaryDirectory(prefix="as-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "a sweep"


def steer(*arguments: object) -> Result:
    return CliRunner().invoke(command, list(map(str, arguments)))


async def say(*arguments: object) -> str:
    """What is answered to a command that succeeds."""
    answer: Result = await anyio.to_thread.run_sync(steer, *arguments)
    assert (answer.exit_code, answer.stderr) == (0, "")
    return answer.output


@asynccontextmanager
async def running(directory: Path) -> AsyncIterator[tuple[sw.SweepRun, anyio.Event]]:
    """A sweep with two trials under way, and what lets them go."""
    hold = anyio.Event()

    async def objective(x: float) -> float:
        await hold.wait()
        return x

    space = {"x": sw.Float(0, 1)}
    sweep = sw.Sweep(objective, space, sampler="random", n_trials=4, concurrency=2, directory=directory)
    with anyio.fail_after(50):
        async with sweep.start() as run, sw.control(run):
            while run.counts[sw.State.RUNNING] < 2:
                await anyio.lowlevel.checkpoint()
            yield run, hold


@pytest.mark.anyio
async def test_a_stop_waits_for_running_trials_and_says_how_not_to(directory: Path) -> None:
    async with running(directory) as (run, hold):
        said = f"{directory}: stopping; 2 trials still running. At once: asyncsweep stop --now '{directory}'\n"
        assert await say("stop", directory, "--reason", "enough") == said
        assert await say("stop", directory) == said
        hold.set()
        result = await run.result()
        assert await say("stop", directory) == f"{directory}: stopped.\n"
    assert (result.reason, result.counts[sw.State.COMPLETE]) == ("enough", 2)


@pytest.mark.anyio
async def test_a_stop_now_ends_running_trials(directory: Path) -> None:
    async with running(directory) as (run, _):
        assert await say("stop", "--now", directory) in (
            f"{directory}: stopping; 2 trials being ended.\n",
            f"{directory}: stopped.\n",
        )
        assert (await run.result()).counts[sw.State.CANCELLED] == 2


@pytest.mark.anyio
async def test_a_pause_holds_until_it_is_undone(directory: Path) -> None:
    async with running(directory) as (run, hold):
        paused = f"{directory}: paused; 2 trials still running. Go on: asyncsweep unpause '{directory}'\n"
        assert [await say("pause", directory) for _ in range(2)] == [paused] * 2
        assert run.is_paused
        assert await say("unpause", directory) == f"{directory}: goes on.\n"
        hold.set()
        assert (await run.result()).counts[sw.State.COMPLETE] == 4
        assert [await say(word, directory) for word in ("pause", "unpause")] == [f"{directory}: it has ended.\n"] * 2


@pytest.mark.anyio
async def test_to_pause_what_is_stopping_is_no_pause(directory: Path) -> None:
    async with running(directory) as (_, hold):
        await say("stop", directory)
        answer: Result = await anyio.to_thread.run_sync(steer, "pause", directory)
        said = f"{directory}: not paused, but stopping; 2 trials still running.\n"
        assert (answer.exit_code, answer.output) == (1, said)
        hold.set()


@pytest.mark.anyio
async def test_to_unpause_what_is_stopping_says_so(directory: Path) -> None:
    async with running(directory) as (_, hold):
        await say("stop", directory)
        assert await say("unpause", directory) == f"{directory}: not paused, but stopping; 2 trials still running.\n"
        hold.set()


@pytest.mark.parametrize("word", ["stop", "pause", "unpause"])
def test_a_sweep_that_does_not_run_is_bad_usage_and_told(directory: Path, word: str) -> None:
    async def objective(x: float) -> float:
        return x

    anyio.run(sw.Sweep(objective, {"x": sw.Float(0, 1)}, n_trials=1, sampler="random", directory=directory).run)
    answer = steer(word, directory)
    assert (answer.exit_code, answer.output) == (2, f"error: {directory}: the sweep is not running\n")
    assert steer(word, directory / "none").output == f"error: {directory}/none: there is no such folder\n"


@pytest.mark.anyio
async def test_a_sweep_without_control_is_told_of_with_its_process(directory: Path) -> None:
    hold = anyio.Event()

    async def objective(x: float) -> float:
        await hold.wait()
        return x

    async with sw.Sweep(objective, {"x": sw.Float(0, 1)}, n_trials=1, sampler="random", directory=directory).start():
        answer: Result = await anyio.to_thread.run_sync(steer, "stop", directory)
        hold.set()
    assert answer.exit_code == 2 and f"process {os.getpid()} runs it and cannot be reached" in answer.output


@pytest.mark.anyio
async def test_a_wrong_reason_is_refused_by_the_sweep(directory: Path) -> None:
    async with running(directory) as (run, hold):
        answer: Result = await anyio.to_thread.run_sync(steer, "stop", directory, "--reason", "x" * 10_001)
        assert answer.exit_code == 2 and "reason: 10001 characters" in answer.output and not run.is_stopping
        hold.set()
