"""Without the plugin (`pip install -e plugins/asyncsweep-ssh`), its tests are left out, but not under CI=true.

Tests run against real OpenSSH servers. Where there is none, or network namespaces are not permitted, the tests that need them are skipped,
with the reason.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

HAS_PLUGIN = find_spec("asyncsweep_ssh") is not None and find_spec("asyncssh") is not None

if os.environ.get("CI") != "true" and not HAS_PLUGIN:
    collect_ignore_glob = ["test_*.py"]

if HAS_PLUGIN:
    from asyncsweep_ssh.testing import (
        Keys,
        NamespacedHost,
        Server,
        loopback,
        three_hosts,
        why_no_namespaces,
        why_no_sshd,
    )


@pytest.fixture
def anyio_backend() -> str:
    """It needs asyncio; what it says on trio is a test of its own."""
    return "asyncio"


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    reason = why_no_sshd()
    if reason:
        pytest.skip(reason)
    return Keys(tmp_path_factory.mktemp("ssh"))


@pytest.fixture(scope="module")
def near(keys: Keys) -> Iterator[Server]:
    """A server on loopback."""
    with loopback(keys) as server:
        yield server


@pytest.fixture(scope="module")
def namespaces() -> None:
    reason = why_no_namespaces()
    if reason:
        pytest.skip(reason)


@pytest.fixture
def three(namespaces: None, keys: Keys, tmp_path: Path) -> Iterator[tuple[Keys, list[NamespacedHost]]]:
    """Three hosts in network namespaces."""
    del keys
    own = Keys(tmp_path)
    with three_hosts(own) as hosts:
        yield own, hosts


@pytest.fixture(autouse=True)
def nothing_is_left(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No process of a host and no folder of one outlives a test; both may take a moment to go."""
    base = tmp_path_factory.getbasetemp()
    yield
    until = time.monotonic() + 10
    while (left := processes(base) + folders(base)) and time.monotonic() < until:
        time.sleep(0.05)
    assert left == []


def processes(base: Path) -> list[str]:
    """The processes of ours on hosts, which all are this machine: they work in a folder of these tests."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            state = Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0]
            environment = Path("/proc", pid, "environ").read_bytes()
            name = Path("/proc", pid, "comm").read_text().strip()
        except OSError:
            continue
        if state != "Z" and f"TMPDIR={base}".encode() in environment:
            found.append(f"{pid} {name}")
    return found


def folders(base: Path) -> list[str]:
    return [str(path) for path in base.glob("*/tmp/asyncsweep-ssh-*")]
