"""Machines that are network namespaces of this one, on a network of their own whose links can be cut: for tests of executors.

Needs `iproute2`, and the rights of root. What runs in this process's namespace is on the network, too, at `Network.address`; so a scheduler
or a head node may be outside, and cut off from one machine alone.

    with network(3) as net:
        worker = subprocess.Popen([*net.machines[0].prefix, "dask", "worker", f"tcp://{net.address}:8786"])
        net.machines[0].cut()
        net.machines[0].mend()
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

# 10.64.0.0/24 to 10.127.255.0/24
_N_NETWORKS = 64 * 256


def why_no_network() -> str:
    """Why no such network can be made here; "" when one can."""
    if shutil.which("ip") is None:
        return "there is no `ip`: install iproute2"
    try:
        with network(1):
            return ""
    except OSError as error:
        return f"network namespaces, bridges or veth links are not permitted here: {error}"


@dataclass(frozen=True)
class Machine:
    """A network namespace.

    Attributes:
        namespace: Its name.
        address: Its own on the network.
        prefix: What a command line begins with to run there.
    """

    namespace: str
    address: str

    @property
    def prefix(self) -> tuple[str, ...]:
        return ("ip", "netns", "exec", self.namespace)

    def cut(self) -> None:
        """Nothing arrives any more, either way; nobody is told."""
        _ip("-n", self.namespace, "link", "set", "eth0", "down")

    def mend(self) -> None:
        _ip("-n", self.namespace, "link", "set", "eth0", "up")

    def processes(self) -> list[int]:
        """What runs there."""
        found = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=True)
        return [int(pid) for pid in found.stdout.split()]

    def kill(self) -> None:
        """Cut the link and end everything that runs there, as if the machine had lost its power."""
        self.cut()
        while left := self.processes():
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)


@dataclass(frozen=True)
class Network:
    """Machines on one bridge.

    Attributes:
        address: This process's own on the network.
        machines: The others.
    """

    address: str
    machines: tuple[Machine, ...]


@contextmanager
def network(n_machines: int) -> Iterator[Network]:
    """So many machines; in the end all that runs there is ended, and nothing is left of them.

    Raises:
        OSError: It is not permitted, or `ip` is missing.
    """
    with ExitStack() as stack:
        number = _bridge()
        stack.callback(_ip, "link", "del", f"asb{number}")
        net = f"10.{64 + number // 256}.{number % 256}"
        _ip("addr", "add", f"{net}.1/24", "dev", f"asb{number}")
        _ip("link", "set", f"asb{number}", "up")
        machines = []
        for n in range(n_machines):
            machine, link = Machine(f"asyncsweep-{number}-{n}", f"{net}.{n + 2}"), f"as{number}-{n}"
            _ip("netns", "add", machine.namespace)
            stack.callback(_remove, machine, link)
            _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", machine.namespace)
            _ip("link", "set", link, "master", f"asb{number}", "up")
            _ip("-n", machine.namespace, "addr", "add", f"{machine.address}/24", "dev", "eth0")
            _ip("-n", machine.namespace, "link", "set", "lo", "up")
            machine.mend()
            machines.append(machine)
        yield Network(f"{net}.1", tuple(machines))


def _bridge() -> int:
    """Make the bridge of a network that nobody has, and give the network's number. Its name is what keeps others from it."""
    for number in range(os.getpid() * 7 % _N_NETWORKS, 2 * _N_NETWORKS):
        try:
            _ip("link", "add", f"asb{number % _N_NETWORKS}", "type", "bridge")
        except OSError as error:
            if "File exists" not in str(error):
                raise
        else:
            return number % _N_NETWORKS
    raise OSError(f"all {_N_NETWORKS} networks are in use")


def _remove(machine: Machine, link: str) -> None:
    with suppress(OSError):  # it was never made
        machine.kill()
    # Sockets that still have something to send keep a namespace alive, and its end of the link with it.
    subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)
    _ip("netns", "del", machine.namespace)


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
