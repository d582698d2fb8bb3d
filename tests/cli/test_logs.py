"""`asyncsweep logs`: what trials printed, of sweeps that run and of sweeps that ended, fit for a terminal."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from click.testing import CliRunner, Result

import asyncsweep as sw
from asyncsweep.cli.group import asyncsweep as command
from asyncsweep.cli.log_text import Lines
from asyncsweep.executors import worker
from asyncsweep.steering import following, server
from tests import printing_objectives as objectives

HOSTILE = "\x1b]0;title\x07 [red]markup\x1b[31m \u202ecba\r\nsecond\tline ".encode() + b"\xff\n"


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
    return tmp_path / "sweep"


def logs(*arguments: object) -> Result:
    return CliRunner().invoke(command, ["logs", *map(str, arguments)], env={"COLUMNS": "160"})


def sweep(objective: Any, directory: Path, **settings: Any) -> sw.Sweep:
    settings = {"sampler": "random", "n_trials": 1, "space": {"folder": str(directory.parent)}, **settings}
    return sw.Sweep(objective, directory=directory, **settings)


def said(directory: Path, text: str | bytes, times: int = 1, **settings: Any) -> Path:
    """A sweep that has ended, whose trials printed this."""
    anyio.run(sweep(objectives.says_and_ends, directory, space={"text": text, "times": times}, **settings).run)
    return directory


@asynccontextmanager
async def running(objective: Any, directory: Path, **settings: Any) -> AsyncIterator[sw.SweepRun]:
    """A sweep under way that can be asked, whose first trial has printed something."""
    with anyio.fail_after(50):
        async with sweep(objective, directory, **settings).start() as run, sw.control(run):
            async for update in run.updates():
                if isinstance(update, sw.TrialStarted):
                    break
            while not (await run.log(0)).data:
                await anyio.lowlevel.checkpoint()
            yield run


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Has an item for each time that somebody who follows has seen all that there was."""
    found: list[None] = []

    def noting(follow: Any) -> Any:
        async def noted(*arguments: Any) -> AsyncIterator[Any]:
            async with aclosing(follow(*arguments)) as pieces:
                async for piece in pieces:
                    if piece is None:
                        found.append(None)
                    yield piece

        return noted

    for name in ("follow", "follow_all"):
        monkeypatch.setattr(server, name, noting(getattr(server, name)))
    return found


async def until_seen(looks: list[None]) -> None:
    while not looks:
        await anyio.lowlevel.checkpoint()


async def in_thread(*arguments: object) -> Result:
    return await anyio.to_thread.run_sync(logs, *arguments)


# -- of a sweep that has ended -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return said(tmp_path_factory.mktemp("ended") / "sweep", HOSTILE, n_trials=2)


def test_the_list_has_every_log(ended: Path) -> None:
    lines = [line.split() for line in logs(ended).output.splitlines()]
    assert lines == [["trial", "attempt", "printed", "left", "out"], ["0", "1", "50", "B"], ["1", "1", "50", "B"]]
    path = ended / "trials" / "0" / "attempt-1.log"
    assert json.loads(logs(ended, "--json").output)[0] == {
        "trial": 0, "attempt": 1, "bytes": 50, "left_out": 0, "running": False, "path": str(path),
    }  # fmt: skip


def test_a_log_is_shown_with_control_characters_escaped(ended: Path) -> None:
    assert logs(ended, 0).output == ("\\x1b]0;title\\x07 [red]markup\\x1b[31m \\u202ecba\nsecond  line \\xff\n")


def test_a_log_can_be_had_as_it_is(ended: Path) -> None:
    assert logs(ended, 1, "--raw").stdout_bytes == HOSTILE


@pytest.mark.parametrize(("tail", "shown"), [(0, ""), (1, "second  line \\xff\n"), (2, None), (9, None)])
def test_the_last_lines_are_shown(ended: Path, tail: int, shown: str | None) -> None:
    assert logs(ended, 0, "--tail", tail).output == (logs(ended, 0).output if shown is None else shown)


def test_following_what_has_ended_ends_at_once(ended: Path) -> None:
    assert logs(ended, 0, "-f").output == logs(ended, 0).output
    answer = logs(ended, "-f")
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert answer.stderr == "The sweep is not running: there is nothing to follow.\n"


def test_what_was_left_out_of_a_long_log_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "LOG_LIMIT_BYTES", 20)
    said(directory, "line\n", 1000)
    assert logs(directory, 0).output == "line\nline\n... 4980 bytes left out ...\nline\nline\n"
    assert logs(directory, 0, "--raw").output == "line\nline\n\n... 4980 bytes left out ...\nline\nline\n"
    assert logs(directory, 0, "--tail", 3).output.splitlines()[-2:] == ["line", "line"]
    assert logs(directory).output.splitlines()[1].split() == ["0", "1", "5.0", "kB", "5.0", "kB"]
    shown = CliRunner().invoke(command, ["show", str(directory), "--trial", "0"], env={"COLUMNS": "400"}).output
    assert "attempt-1.log (49 B; 5.0 kB more were left out)" in shown


def test_each_attempt_has_its_log(directory: Path) -> None:
    anyio.run(sweep(objectives.fails_twice, directory, space={}, retries=2).run)
    assert logs(directory, 0).output == "attempt 3\n"
    assert logs(directory, 0, "--attempt", 2).output == "attempt 2\n"
    assert logs(directory, 0, "--attempt", 4).stderr == "error: --attempt 4: trial 0 has had 3\n"


def test_why_there_is_no_log_is_told(directory: Path, ended: Path) -> None:
    async def silent(x: float) -> float:
        return x

    anyio.run(sweep(silent, directory, space={"x": 1.0}).run)
    assert logs(directory).output == "No logs: no trial has printed anything, or they were not kept.\n"
    answer = logs(directory, 0)
    assert (answer.exit_code, answer.stdout) == (0, "")
    assert "Trial 0 has no log: with executor='inline' trials print where the sweep itself prints." in answer.stderr
    assert logs(ended, 2).stderr == "error: there is no trial 2; the sweep has 2, numbered from 0\n"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["none"], "none: there is no such folder"),
        (["."], ".: there is no sweep in it"),
        (["DIR", "--attempt", "1"], "--attempt: say of which trial"),
        (["DIR", "--raw"], "--raw: say of which trial"),
        (["DIR", "--tail", "1"], "--tail: say of which trial, or follow all"),
        (["DIR", "0", "--json"], "--json is for the list of logs"),
    ],
)
def test_what_makes_no_sense_is_bad_usage(ended: Path, arguments: list[str], error: str) -> None:
    answer = logs(*(str(ended) if word == "DIR" else word for word in arguments))
    assert answer.exit_code == 2 and error in answer.stderr


@pytest.mark.parametrize("place", ["trials", "0", "attempt-1.log"])
def test_a_link_in_the_place_of_a_log_is_not_followed(directory: Path, tmp_path: Path, place: str) -> None:
    said(directory, "printed\n")
    secret = tmp_path / "elsewhere"
    path = directory / "trials" / "0" / "attempt-1.log"
    while path.name != place:
        path = path.parent
    path.rename(secret)
    path.symlink_to(secret)
    answer = logs(directory, 0)
    assert "printed" not in answer.output and answer.exit_code != 0
    assert "printed" not in logs(directory, "--json").output


def test_a_pipe_in_the_place_of_a_log_is_not_waited_for(directory: Path) -> None:
    said(directory, "printed\n")
    path = directory / "trials" / "0" / "attempt-1.log"
    path.unlink()
    os.mkfifo(path)
    answer = logs(directory, 0)
    assert answer.exit_code == 1 and "is no file" in answer.stderr


# -- of a sweep that runs ----------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_what_a_running_trial_has_printed_is_shown_and_listed(directory: Path) -> None:
    async with running(objectives.in_turns, directory):
        assert (await in_thread(directory, 0)).output == "trial 0 line 0\n"
        assert (await in_thread(directory, 0, "--tail", 1)).output == "trial 0 line 0\n"
        [row] = json.loads((await in_thread(directory, "--json")).output)
        assert (row["trial"], row["bytes"], row["running"]) == (0, 15, True)
        (directory.parent / "end").touch()


@pytest.mark.anyio
async def test_a_running_trial_is_followed_to_its_end(directory: Path, looks: list[None]) -> None:
    async with running(objectives.in_turns, directory), anyio.create_task_group() as tasks:
        answers = []
        tasks.start_soon(_keep, answers, directory, 0, "-f")
        (directory.parent / "0").touch()
        (directory.parent / "1").touch()
        await until_seen(looks)
        (directory.parent / "end").touch()
    assert answers[0].output == "trial 0 line 0\ntrial 0 line 1\ntrial 0 line 2\n"


@pytest.mark.anyio
async def test_all_trials_are_followed_with_their_numbers_until_the_sweep_ends(
    directory: Path, looks: list[None]
) -> None:
    async with running(objectives.in_turns, directory, n_trials=3), anyio.create_task_group() as tasks:
        answers = []
        tasks.start_soon(_keep, answers, directory, "-f")
        await until_seen(looks)
        (directory.parent / "end").touch()
    assert answers[0].output == "".join(f"{number} | trial {number} line 0\n" for number in range(3))


@pytest.mark.anyio
@pytest.mark.parametrize(("arguments", "prefix"), [([0, "-f"], ""), (["-f"], "0 | ")], ids=["one", "all"])
async def test_what_was_printed_last_comes_also_when_the_sweep_is_cancelled_meanwhile(
    directory: Path, looks: list[None], arguments: list[object], prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_EVERY_S", 40.0)
    answers: list[Result] = []
    async with anyio.create_task_group() as tasks:
        with anyio.CancelScope() as scope:
            async with running(objectives.in_turns, directory) as run:
                tasks.start_soon(_keep, answers, directory, *arguments)
                await until_seen(looks)
                (directory.parent / "0").touch()
                while (await run.log(0, offset=-7)).data != b"line 1\n":
                    await anyio.lowlevel.checkpoint()
                scope.cancel()
                await anyio.sleep_forever()
    shown = "".join(f"{prefix}trial 0 line {number}\n" for number in range(2))
    assert (answers[0].output, answers[0].exit_code) == (shown, 0)


@pytest.mark.anyio
async def test_a_sweep_that_cannot_be_asked_is_not_followed(directory: Path) -> None:
    async with sweep(objectives.in_turns, directory).start() as run:
        async for update in run.updates():
            if isinstance(update, sw.TrialStarted):
                break
        for arguments in ([0, "-f"], ["-f"]):
            answer = await in_thread(directory, *arguments)
            assert answer.exit_code == 2
            assert f"process {os.getpid()} runs it and cannot be reached: it was started without" in answer.stderr
        (directory.parent / "end").touch()


@pytest.mark.anyio
async def test_ctrl_c_ends_following_without_a_word(directory: Path) -> None:
    async with running(objectives.in_turns, directory):
        line, *end = await anyio.to_thread.run_sync(_interrupted, directory)
        (directory.parent / "end").touch()
    assert line == b"trial 0 line 0\n" and end == [b"", b"", 130]


def _interrupted(directory: Path) -> tuple[bytes, bytes, bytes, int]:
    """The first line of somebody who follows trial 0, and how it ends by Ctrl-C."""
    command = [sys.executable, "-P", "-m", "asyncsweep.cli", "logs", str(directory), "0", "-f"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        return line, *process.communicate(), process.wait()


async def _keep(answers: list[Result], *arguments: object) -> None:
    answers.append(await in_thread(*arguments))


# -- lines -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pieces", "lines"),
    [
        ([b"one\ntw", b"o\n"], ["one", "two"]),
        ([b"no end"], ["no end"]),
        ([b"windows\r\nlines\r", b"\n"], ["windows", "lines"]),
        ([b" 10%\r 20%\r 30%", b"\r100%\n"], [" 20%", "100%"]),
        ([b"100%\r\n\n"], ["100%", ""]),
        (["\u91cd".encode()[:2], "\u91cd".encode()[2:] + b"\n"], ["\u91cd"]),
        ([b"\xff\xfe\x00\n"], ["\\xff\\xfe\\x00"]),
        ([b"x" * 10_000], ["x" * 8192, "x" * 1808]),
    ],
)
def test_pieces_become_lines(pieces: list[bytes], lines: list[str]) -> None:
    found = Lines("utf-8")
    assert [line for piece in pieces for line in found.feed(piece)] + found.end() == lines
