"""The output of trials as it comes: of one that runs, at its end, from attempt to attempt, and of all trials."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

import asyncsweep as sw
from asyncsweep import logs
from asyncsweep.executors import worker
from asyncsweep.steering import following, server
from asyncsweep.steering.client import Client
from asyncsweep.steering.following import follow, follow_all
from tests import printing_objectives as objectives

pytestmark = pytest.mark.anyio


BOTH = pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"  # but for a few, these are about workers


@asynccontextmanager
async def running(objective: Any, directory: Path, **settings: Any) -> AsyncIterator[sw.SweepRun]:
    settings = {"sampler": "random", "n_trials": 1, "space": {"folder": str(directory.parent)}, **settings}
    with anyio.fail_after(50):
        async with sw.Sweep(objective, directory=directory, **settings).start() as run:
            yield run


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "sweep"


async def begun(run: sw.SweepRun) -> None:
    async for update in run.updates():
        if isinstance(update, sw.TrialStarted):
            return


async def whole(run: sw.SweepRun, number: int, attempt: int | None = None) -> bytes:
    return b"".join([found[1].data async for found in follow(run, number, attempt) if found is not None])


async def test_what_a_running_trial_prints_can_be_read(directory: Path) -> None:
    async with running(objectives.in_turns, directory) as run:
        await begun(run)
        offset = 0
        for line in range(3):
            log = await run.log(0, offset=offset)
            while not log.data:
                await anyio.sleep(0.01)
                log = await run.log(0, offset=offset)
            assert log.data == f"trial 0 line {line}\n".encode()
            assert (log.attempt, log.offset, log.left_out, log.is_over) == (1, offset, 0, False)
            offset = log.next_offset
            assert (await run.log(0, offset=-7)).data == f"line {line}\n".encode()
            (directory.parent / str(line)).touch()
        (directory.parent / "end").touch()
        await run.result()
        log = await run.log(0, 1)
    assert log.is_over and log.data.startswith(b"trial 0 line 0\ntrial 0 line 1\n") and log.total == len(log.data)


@BOTH
async def test_a_trial_is_followed_to_its_end(directory: Path) -> None:
    async with running(objectives.in_turns, directory) as run:
        found = []
        async with aclosing(follow(run, 0) if run.trials else follow_all(run)) as pieces:
            async for piece in pieces:
                if piece is not None:
                    number, log = piece
                    found.append(log.data)
                    assert number == 0
                    (directory.parent / str(len(found) - 1)).touch()
                    if len(found) == 4:
                        (directory.parent / "end").touch()
    lines = b"".join(found).splitlines()
    assert len(lines) >= 4 and lines == [f"trial 0 line {n}".encode() for n in range(len(lines))]


@BOTH
async def test_every_attempt_is_followed_or_the_one_that_is_asked_for(directory: Path) -> None:
    async with running(objectives.fails_twice, directory, retries=2, space={}) as run:
        await begun(run)
        assert await whole(run, 0) == b"attempt 1\nattempt 2\nattempt 3\n"
        assert await whole(run, 0, 2) == b"attempt 2\n"
        assert (await run.log(0)).attempt == 3


async def test_all_trials_are_followed_each_with_its_number(directory: Path) -> None:
    space = {"text": "said\n", "times": 2}
    async with running(objectives.says_and_ends, directory, space=space, n_trials=5, concurrency=2) as run:
        found: dict[int, bytes] = {}
        async for piece in follow_all(run):
            if piece is not None:
                found[piece[0]] = found.get(piece[0], b"") + piece[1].data
    assert found == dict.fromkeys(range(5), b"said\nsaid\n")


async def test_the_last_words_of_a_crash_come_after_what_was_seen_before(directory: Path) -> None:
    async with running(objectives.dies_when_told, directory) as run:
        await begun(run)
        found = b""
        async for piece in follow(run, 0):
            if piece is not None:
                found += piece[1].data
                (directory.parent / "go").touch()
    assert found.startswith(b"before\nlast words")


async def test_of_very_long_output_both_ends_are_followed_and_the_middle_is_told_of(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "LOG_LIMIT_BYTES", 2000)
    space = {"text": "0123456789", "times": 100_000}
    async with running(objectives.says_and_ends, directory, space=space) as run:
        await run.result()
        pieces = [found[1] async for found in follow(run, 0) if found is not None]
        tail = await run.log(0, offset=-15)
    assert b"".join(log.data for log in pieces) == b"0123456789" * 200
    assert sum(log.left_out for log in pieces) == 1_000_000 - 2000
    assert [log.offset for log in pieces] == [0, 999_000] and pieces[-1].is_over
    assert (tail.data, tail.offset, tail.total) == (b"567890123456789", 999_985, 1_000_000)


async def test_secrets_are_hidden_while_a_trial_runs_and_afterwards(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = "s3cr3t-canary-0123456789"
    monkeypatch.setenv("MY_API_KEY", secret)
    space = {"folder": str(directory.parent), "key": secret}
    async with running(objectives.in_turns_with_a_key, directory, space=space) as run:
        await begun(run)
        found = b""
        async for piece in follow(run, 0):
            if piece is not None:
                found += piece[1].data
                (directory.parent / "go").touch()
        again = await run.log(0)
    hidden = b"*" * len(secret)
    assert found == again.data == b"key %b before\nafter %b\nthe end\n" % (hidden, hidden)


async def test_without_a_place_for_output_a_log_is_empty_until_it_is_over(directory: Path) -> None:
    async def objective(x: float) -> float:
        return x

    async with running(objective, directory, space={"x": 1.0}) as run:
        await run.result()
        assert await run.log(0) == logs.Log(1, b"", 0, 0, 0, 0, True)


async def test_a_client_follows_over_the_socket(directory: Path) -> None:
    def talk() -> list[dict[str, Any]]:
        with Client(directory) as client:
            answers = []
            for answer in client.follow(trial=None):
                answers.append(answer)
                (directory.parent / "end").touch()
            return answers

    async with running(objectives.in_turns, directory) as run, sw.control(run):
        answers = await anyio.to_thread.run_sync(talk)
    assert base64.b64decode(answers[0]["data"]) == b"trial 0 line 0\n"
    assert answers[-1] == {"ok": True, "is_over": True}


@BOTH
async def test_who_follows_sees_the_rest_when_the_sweep_has_ended(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "LOOK_EVERY_S", 0.5)
    monkeypatch.setattr(server, "LAST_S", 30.0)
    answers: list[dict[str, Any]] = []

    def talk() -> None:
        with Client(directory) as client:
            for answer in client.follow(trial=None):
                answers.append(answer)

    several = running(objectives.in_turns, directory, n_trials=3)
    async with anyio.create_task_group() as tasks, several as run, sw.control(run):
        tasks.start_soon(anyio.to_thread.run_sync, talk)
        while not answers:
            await anyio.lowlevel.checkpoint()
        (directory.parent / "end").touch()
        await run.result()
    assert [answer["trial"] for answer in answers[:-1]] == [0, 1, 2]
    assert answers[-1] == {"ok": True, "is_over": True}


@BOTH
async def test_who_goes_away_while_following_is_noticed(directory: Path) -> None:
    async with running(objectives.in_turns, directory) as run, sw.control(run) as address:
        assert address is not None
        async with await anyio.connect_unix(address) as stream:
            await stream.send(b'{"command": "log", "trial": null, "follow": true}\n')
            await stream.receive()
            before = len(anyio.get_running_tasks())
        while len(anyio.get_running_tasks()) >= before:
            await anyio.lowlevel.checkpoint()
        (directory.parent / "end").touch()
