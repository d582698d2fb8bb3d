"""Links of a Ray cluster that are cut, for a while and for ever, and a head node that is lost: nothing is lost, told twice, or runs on.

Nodes are in network namespaces; the head node is outside, on the same network, and the sweep beside it, but where it says otherwise. Ray's health checks are made
quicker than by default, so that it misses a node after some 10 s.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from asyncsweep.testing.namespaces import Machine, Network, network, why_no_network

pytestmark = [pytest.mark.deep, pytest.mark.timeout(240)]

HERE = str(Path(__file__).parent)
ENVIRONMENT = {
    **os.environ,
    "PYTHONPATH": HERE,
    "RAY_AUTH_MODE": "disabled",
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_health_check_initial_delay_ms": "500",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "2000",
    "RAY_health_check_failure_threshold": "3",
}
PORT = 6379
LEASE_S = 6.0
# How long it may take at most until a trial's processes are gone: the lease is looked at four times, then they have their grace.
ENDED_S = 1.25 * LEASE_S + 3.0


class Field:
    """A head node without CPUs, and nodes of two CPUs each on three machines. The fourth machine has a node without any.

    Attributes:
        net: The network.
        machines: The three.
        spare: The fourth.
    """

    def __init__(self, net: Network, folder: Path) -> None:
        self.net = net
        self.folder = folder
        self.machines, self.spare = net.machines[:3], net.machines[3]
        head = ["--head", "--port", str(PORT), "--include-dashboard", "false", "--temp-dir", str(folder)]
        self.start_node(net.address, (), *head, num_cpus=0)

    def start_node(self, address: str, prefix: Sequence[str], *arguments: str, num_cpus: int = 2) -> None:
        more = arguments or ("--address", f"{self.net.address}:{PORT}")
        subprocess.run(
            [*prefix, sys.executable, "-m", "ray.scripts.scripts", "start", "--disable-usage-stats",
             "--node-ip-address", address, "--num-cpus", str(num_cpus), *more],
            env=ENVIRONMENT, check=True, capture_output=True, timeout=60,
        )  # fmt: skip

    def join(self, *machines: Machine, num_cpus: int = 2) -> None:
        for machine in machines:
            self.start_node(machine.address, machine.prefix, num_cpus=num_cpus)

    def processes(self, text: str) -> list[psutil.Process]:
        """Those of this cluster on this machine whose command line has a text in it."""
        found = []
        for process in psutil.process_iter():
            try:
                command = " ".join(process.cmdline())
            except (psutil.NoSuchProcess, psutil.AccessDenied):
                continue  # it has ended
            if str(self.folder) in command and text in command:
                found.append(process)
        return found

    def kill_head(self) -> None:
        for process in [*self.processes("gcs_server"), *self.processes(f"--node_ip_address={self.net.address}")]:
            process.kill()

    def close(self) -> None:
        for process in self.processes(""):
            process.kill()


class Controller:
    """A sweep of six slots in a process of its own; see `linked`."""

    def __init__(self, field: Field, folder: Path, machine: Machine | None = None, **settings: Any) -> None:
        given = settings.pop("executor", {})
        executor = {
            "name": "ray",
            "address": f"{field.net.address}:{PORT}",
            "init": {"_node_ip_address": machine.address if machine else field.net.address},
            "lease": LEASE_S,
            **given,
        }
        settings = {
            "folder": str(folder),
            "n_trials": 24,
            "work_s": 0.5,
            "slots": 6,
            "resume": False,
            "executor": given if "name" in given else executor,
            **settings,
        }
        self._process = subprocess.Popen(
            [*(machine.prefix if machine else ()), sys.executable, str(Path(HERE, "linked.py")), json.dumps(settings)],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=ENVIRONMENT, text=True,
        )  # fmt: skip
        self._lines: list[str] = []
        self._has_begun, self._has_said = threading.Event(), threading.Event()
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.append(line)
            if line == "now\n":
                self._has_begun.set()
            elif line.startswith("{"):
                self._has_said.set()
        self._has_begun.set()
        self._has_said.set()

    def begun(self) -> None:
        """Wait until each slot has an attempt that runs."""
        assert self._has_begun.wait(60)
        assert "now\n" in self._lines, "".join(self._lines)

    def said(self, within_s: float) -> Mapping[str, Any]:
        """What it said in the end. Its process may linger: at its exit Ray waits for a cluster that is out of reach."""
        assert self._has_said.wait(within_s), "".join(self._lines)
        ends = [json.loads(line) for line in self._lines if line.startswith("{")]
        assert len(ends) == 1, "".join(self._lines)
        last: Mapping[str, Any] = ends[0]
        return last

    def close(self) -> None:
        self._process.kill()
        self._reading.join()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture
def field() -> Iterator[Field]:
    reason = why_no_network()
    if reason:
        pytest.skip(reason)
    # Ray's sockets are below it, and have short names.
    with tempfile.TemporaryDirectory(prefix="as-", dir="/tmp", ignore_cleanup_errors=True) as folder, network(4) as net:
        field = Field(net, Path(folder))
        try:
            yield field
        finally:
            field.close()


@contextmanager
def controller(field: Field, folder: Path, machine: Machine | None = None, **settings: Any) -> Iterator[Controller]:
    with ExitStack() as stack:
        made = Controller(field, folder, machine, **settings)
        stack.callback(made.close)
        yield made


def trials_on(machine: Machine) -> list[int]:
    """The processes there that trials run in, with their guards and children."""
    found = []
    for pid in machine.processes():
        try:
            command = Path("/proc", str(pid), "cmdline").read_bytes()
        except FileNotFoundError:
            continue  # it has ended
        if b"asyncsweep.worker" in command:
            found.append(pid)
    return found


def ended_on(machine: Machine, within_s: float) -> None:
    """Wait until nothing of ours runs there."""
    until = time.monotonic() + within_s
    while trials_on(machine) and time.monotonic() < until:
        time.sleep(0.1)  # the machine is cut off: it tells nobody
    assert trials_on(machine) == []


def nothing_left(field: Field) -> None:
    for machine in field.net.machines:
        ended_on(machine, 5.0)


def failures_of(said: Mapping[str, Any], n_trials: int) -> list[str]:
    """The failures that were retried; each trial is there and complete, was told once, and has its own value."""
    assert "trials" in said, said
    assert [(state, value) for state, value, _, _ in said["trials"]] == [
        ("COMPLETE", float(n)) for n in range(n_trials)
    ]
    assert said["tells"] == [[n, 1] for n in range(n_trials)]
    return [failure for *_, failures in said["trials"] for failure in failures]


def test_a_link_that_is_cut_for_5_s_costs_nothing(field: Field, tmp_path: Path) -> None:
    field.join(*field.machines)
    with controller(field, tmp_path, n_trials=60, executor={"lease": 20.0}) as sweep:
        sweep.begun()
        assert trials_on(field.machines[0])
        field.machines[0].cut()
        time.sleep(5.0)
        field.machines[0].mend()
        assert failures_of(sweep.said(60), 60) == []
    nothing_left(field)


@pytest.mark.parametrize("mended_after_s", [None, 7.0, 10.0, 15.0])
def test_a_link_that_is_cut_for_longer_costs_an_attempt_of_what_ran_there_and_nothing_runs_on(
    field: Field, tmp_path: Path, mended_after_s: float | None
) -> None:
    """With work of 5 s there are results at the cut end when the link comes back, of attempts that are over here."""
    field.join(*field.machines)
    with controller(field, tmp_path, work_s=5.0) as sweep:
        sweep.begun()
        assert trials_on(field.machines[0])
        field.machines[0].cut()
        cut_at = time.monotonic()
        if mended_after_s is None:
            ended_on(field.machines[0], ENDED_S)
        else:
            time.sleep(mended_after_s)
            field.machines[0].mend()
        failures = failures_of(sweep.said(120 - (time.monotonic() - cut_at)), 24)
    # Two that ran there. Where the link comes back before Ray has missed the node, or while it does, what it put there anew may be lost, too.
    assert len(failures) <= (2 if mended_after_s is None else 4)
    assert failures or mended_after_s is not None
    assert all(failure.startswith("WorkerLost: ") for failure in failures)
    nothing_left(field)


def test_one_of_three_that_is_cut_off_before_the_sweep_begins_gets_nothing(field: Field, tmp_path: Path) -> None:
    """Ray does not know yet, and places actors there, until it misses the node."""
    field.join(*field.machines)
    field.machines[0].cut()
    with controller(field, tmp_path, n_trials=12) as sweep:
        assert failures_of(sweep.said(60), 12) == []
    nothing_left(field)


def test_one_of_three_that_could_not_join_is_not_missed_and_joins_later(field: Field, tmp_path: Path) -> None:
    field.join(*field.machines[:2])
    with controller(field, tmp_path, n_trials=40, slots=4) as sweep:
        sweep.begun()
        field.join(field.machines[2])
        assert failures_of(sweep.said(60), 40) == []
    nothing_left(field)


def test_a_lost_head_node_ends_the_sweep_with_an_error_before_ray_ends_its_process_and_it_goes_on_elsewhere(
    field: Field, tmp_path: Path
) -> None:
    field.join(*field.machines)
    with controller(field, tmp_path, work_s=5.0, n_trials=24, executor={"give_up_after": 8.0}) as sweep:
        sweep.begun()
        field.kill_head()
        said = sweep.said(45)
    assert said["error"].startswith(
        f"PluginError: Ray's head node at {field.net.address}:{PORT} has not answered for 8 s"
    )
    for machine in field.machines:
        ended_on(machine, ENDED_S)
    field.close()
    with controller(field, tmp_path, resume=True, executor={"name": "process", "slots": 6}) as sweep:
        assert failures_of(sweep.said(120), 24) == []


def test_the_sweeps_own_link_may_be_cut_for_5_s(field: Field, tmp_path: Path) -> None:
    field.join(*field.machines)
    field.join(field.spare, num_cpus=0)
    with controller(field, tmp_path, field.spare, n_trials=60, executor={"lease": 20.0}) as sweep:
        sweep.begun()
        field.spare.cut()
        time.sleep(5.0)
        field.spare.mend()
        assert failures_of(sweep.said(60), 60) == []
    nothing_left(field)


def test_the_sweep_ends_when_its_own_link_stays_cut(field: Field, tmp_path: Path) -> None:
    field.join(*field.machines)
    field.join(field.spare, num_cpus=0)
    with controller(field, tmp_path, field.spare, work_s=5.0, executor={"give_up_after": 8.0}) as sweep:
        sweep.begun()
        field.spare.cut()
        for machine in field.machines:
            ended_on(machine, ENDED_S)
        said = sweep.said(45)
    assert said["error"].startswith("PluginError: Ray's head node at")
    with controller(field, tmp_path, resume=True) as sweep:
        assert failures_of(sweep.said(120), 24) == []
    nothing_left(field)
