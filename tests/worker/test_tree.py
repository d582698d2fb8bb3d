"""Processes that descend from one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from asyncsweep.worker import tree
from tests.leaks import has_ended

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

# A shell with a child and a grandchild; the grandchild tells that all are there.
FAMILY = "sh -c \"sh -c 'echo ready; read line'; true\"; true"


@contextmanager
def family(**settings: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = {**os.environ, **settings}
    with subprocess.Popen(
        ["sh", "-c", FAMILY], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def refused(*_: object) -> int:
    raise PermissionError


def test_descendants_are_found_over_generations() -> None:
    with family() as process:
        child, grandchild = tree.descendants_of(process.pid)
        assert tree.children_of(process.pid) == [child.pid]
        assert tree.children_of(child.pid) == [grandchild.pid]


def test_a_kernel_without_lists_of_children_is_searched(monkeypatch: pytest.MonkeyPatch) -> None:
    with family() as process:
        expected = tree.descendants_of(process.pid)
        with monkeypatch.context() as patch:
            real_open = open

            def no_lists(path: str, mode: str) -> object:
                if path.endswith("/children"):
                    raise FileNotFoundError(path)
                return real_open(path, mode)

            patch.setattr(tree, "open", no_lists, raising=False)
            patch.setattr(os.path, "exists", lambda path: False)
            assert tree.descendants_of(process.pid) == expected


def test_what_has_ended_has_neither_children_nor_a_state() -> None:
    with family() as process:
        pass
    assert (tree.children_of(process.pid), tree.stat_of(process.pid)) == ([], None)


def test_a_name_that_looks_like_other_fields_is_no_trouble() -> None:
    comm = Path("/proc/self/comm")
    before = comm.read_text()
    comm.write_text("a) Z 1 (")
    try:
        stat = tree.stat_of(os.getpid())
    finally:
        comm.write_text(before)
    assert stat is not None and (stat.state, stat.parent) == ("R", os.getppid())


def test_ending_a_tree_leaves_its_root_alone() -> None:
    with family() as process:
        descendants = tree.descendants_of(process.pid)
        tree.end(process.pid)
        assert [has_ended(descendant.pid) for descendant in descendants] == [True, True]


@pytest.mark.parametrize("has_pidfds", [True, False])
def test_a_signal_does_not_reach_a_process_that_has_the_same_id_by_chance(
    monkeypatch: pytest.MonkeyPatch, has_pidfds: bool
) -> None:
    with family() as process, monkeypatch.context() as patch:
        if not has_pidfds:
            patch.setattr(tree.os, "pidfd_open", refused)
        stat = tree.stat_of(process.pid)
        assert stat is not None
        tree.send(tree.Process(process.pid, stat.started_at - 1), signal.SIGTERM)
        tree.send(tree.Process(process.pid, stat.started_at), signal.SIGKILL)
        assert process.wait(10) == -signal.SIGKILL


def test_processes_are_found_by_their_mark_and_ended() -> None:
    with family(ASYNCSWEEP_TEST="b9a1c3") as process, family() as other:
        marked = {process.pid, *(descendant.pid for descendant in tree.descendants_of(process.pid))}
        assert {found.pid for found in tree.marked("b9a1c3")} == marked
        tree.end_marked("b9a1c3")
        assert [has_ended(pid) for pid in sorted(marked)] == [True] * 3
        assert not has_ended(other.pid, within_s=0)


IN_ANOTHER_NAMESPACE = """
import subprocess
from asyncsweep.errors import ConfigError
from asyncsweep.executors.limits import limits_of
from asyncsweep.worker import tree
try:
    limits_of("1GiB", None)
except ConfigError as error:
    print(tree.is_visible(), tree.marked(""), error)
"""


def test_the_processes_of_another_pid_namespace_are_left_alone_and_limits_refused() -> None:
    unshared = ["unshare", "--user", "--map-root-user", "--pid", "--fork"]
    try:
        subprocess.run([*unshared, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no PID namespaces for us here")
    done = subprocess.run(
        [*unshared, sys.executable, "-c", IN_ANOTHER_NAMESPACE], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("False [] executor.memory_limit: /proc tells what processes take")


def test_our_own_processes_are_visible() -> None:
    assert tree.is_visible()
