"""The agent and its workers, without a network: workers that are started before they are asked for."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asyncsweep_ssh import frames
from asyncsweep_ssh.remote.agent import Agent
from asyncsweep_ssh.remote.workers import Worker

OPTIONS = {
    "lease_s": 9.0,
    "log_limit_bytes": 1000,
    "limit_bytes": 1000,
    "env": {},
    "cwd": None,
    "roots": [],
    "gpus": False,
    "shows": False,
}


class Host:
    """An agent whose channel is a pipe that nobody reads.

    Attributes:
        agent: The agent.
        said: What it told, as lists.
    """

    def __init__(self, folder: Path, **options: Any) -> None:
        self.agent = Agent(str(folder), sys.path, os.getpid())
        self.said: list[list[Any]] = []
        self.agent._say = lambda *frame: self.said.append(list(frame))  # type: ignore[method-assign]
        self.agent._take([frames.OPEN, {**OPTIONS, **options}])

    @property
    def spares(self) -> list[Worker]:
        return list(self.agent._spares)

    def start(self, name: str, **environment: str) -> Worker:
        self.agent._take([frames.START, name, environment])
        return self.agent._workers[name]


@pytest.fixture
def hosts(tmp_path: Path) -> Iterator[list[Host]]:
    made: list[Host] = []
    yield made
    for host in made:
        for worker in (*host.agent._workers.values(), *host.spares):
            worker.signal("KILL")
            wait_for_end(worker)
            worker.close()


def wait_for_end(worker: Worker) -> None:
    until = time.monotonic() + 10
    while not worker.has_ended():
        assert time.monotonic() < until
        time.sleep(0.001)


def test_workers_are_there_before_they_are_asked_for_and_each_is_used_once(tmp_path: Path, hosts: list[Host]) -> None:
    host = Host(tmp_path, spares=2)
    hosts.append(host)
    one, other = host.spares
    assert host.said[0][0] == frames.INFO
    assert [host.start("a"), host.start("b")] == [one, other]
    assert host.start("c") not in (one, other)
    assert [(name, worker.name) for name, worker in host.agent._workers.items()] == [(n, n) for n in "abc"]
    assert host.spares == []


def test_a_worker_with_variables_of_its_own_is_started_when_they_are_known(tmp_path: Path, hosts: list[Host]) -> None:
    host = Host(tmp_path, spares=1)
    hosts.append(host)
    (spare,) = host.spares
    worker = host.start("a", CUDA_VISIBLE_DEVICES="1")
    assert worker is not spare
    assert host.spares == [spare]


def test_none_is_started_before_the_code_in_whose_folder_it_begins(tmp_path: Path, hosts: list[Host]) -> None:
    from asyncsweep_ssh.archive import packed

    host = Host(tmp_path, spares=1, cwd="src")
    hosts.append(host)
    assert host.spares == []
    host.agent._take([frames.CODE, packed([("src/a.py", b"")]).data, True])
    (spare,) = host.spares
    assert os.readlink(f"/proc/{spare.pid}/cwd") == str(tmp_path / "code" / "src")


def test_one_that_has_ended_meanwhile_is_not_given(tmp_path: Path, hosts: list[Host]) -> None:
    host = Host(tmp_path, spares=2)
    hosts.append(host)
    dead, other = host.spares
    os.kill(dead.pid, signal.SIGKILL)
    wait_for_end(dead)
    assert host.start("a") is other
