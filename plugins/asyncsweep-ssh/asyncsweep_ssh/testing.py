"""Real OpenSSH servers for tests and benchmarks: on loopback, and in network namespaces whose links can be cut.

Needs Debian's `openssh-server`, and for namespaces `iproute2` and the rights of root.

    with Keys(folder) as keys, three_hosts(keys) as hosts:
        executor = SshExecutor(hosts=[f"{host.name}:2" for host in hosts], config=keys.config)
        hosts[0].cut()
        hosts[0].mend()
"""

from __future__ import annotations

import getpass
import itertools
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
# What runs us, without the packages of a virtual environment: as on a host that nobody has prepared.
BARE_PYTHON = os.path.realpath(sys.executable)
_START_S = 10.0
_numbers = itertools.count(1)


def why_no_sshd() -> str:
    """Why no server can be started here; "" when one can."""
    if not os.access(SSHD, os.X_OK):
        return "there is no sshd: install openssh-server"
    if shutil.which("ssh-keygen") is None:
        return "there is no ssh-keygen: install openssh-client"
    return ""


def why_no_namespaces() -> str:
    """Why no network namespaces can be made here; "" when they can."""
    if shutil.which("ip") is None:
        return "there is no `ip`: install iproute2"
    name = f"asyncsweep-probe-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"network namespaces are not permitted here: {made.stderr.strip()}"
    try:
        linked = subprocess.run(
            ["ip", "link", "add", _link_name(), "type", "veth", "peer", "name", "eth0", "netns", name],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return "" if linked.returncode == 0 else f"veth links are not permitted here: {linked.stderr.strip()}"
    finally:
        subprocess.run(["ip", "netns", "del", name], check=False)


class Keys:
    """A key of the user's, a configuration file, and a file of known hosts, in a folder of their own.

    Attributes:
        config: To be given as `SshExecutor(config=...)`.
        known_hosts: The file of known hosts.
        temporary: Where hosts make their private folders.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "ssh_config"
        self.known_hosts = folder / "known_hosts"
        self.user_key = folder / "id_ed25519"
        make_key(self.user_key)
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.known_hosts.touch()
        self.config.write_text("")

    def add(self, name: str, address: str, port: int, host_key: Path | None, *more: str) -> None:
        """Tell the configuration of a host; with `host_key` it is known."""
        if host_key is not None:
            public = host_key.with_suffix(".pub").read_text().rsplit(" ", 1)[0]
            with self.known_hosts.open("a") as known:
                known.write(f"{address if port == 22 else f'[{address}]:{port}'} {public}\n")
        lines = [
            f"Host {name}",
            f"  HostName {address}",
            f"  Port {port}",
            f"  User {getpass.getuser()}",
            f"  IdentityFile {self.user_key}",
            f"  UserKnownHostsFile {self.known_hosts}",
            *(f"  {line}" for line in more),
        ]
        with self.config.open("a") as config:
            config.write("\n".join(lines) + "\n")


class Server:
    """An sshd of our own.

    Attributes:
        name: Its name in the configuration.
        address: Where it listens.
        port: The same.
        pid: Its process.
    """

    def __init__(
        self, keys: Keys, name: str, address: str = "127.0.0.1", *, prefix: Sequence[str] = (), environment: str = ""
    ) -> None:
        self.name = name
        self.address = address
        self.port = free_port() if not prefix else 22
        self._prefix = list(prefix)
        self._folder = keys.folder / f"sshd-{name}"
        self._folder.mkdir()
        self.host_key = self._folder / "host_key"
        make_key(self.host_key)
        self.log = self._folder / "log"
        authorized = self._folder / "authorized_keys"
        authorized.write_text(keys.user_key.with_suffix(".pub").read_text())
        config = self._folder / "sshd_config"
        lines = [
            f"ListenAddress {address}:{self.port}",
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {authorized}",
            "PidFile none",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
            "MaxStartups 100",
            f"SetEnv PATH={os.environ['PATH']} TMPDIR={keys.temporary} {environment}",
        ]
        config.write_text("\n".join(lines) + "\n")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self._command = [*self._prefix, SSHD, "-D", "-e", "-f", str(config)]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _wait_for(lambda: "Server listening" in self.log.read_text(errors="replace"), self)

    def stop(self) -> None:
        """End the server, and all connections to it."""
        if self._process is None:
            return
        end_family(self._process.pid)
        self._process.wait()
        self._process = None
        self.log.unlink()
        self.log.touch()

    def __str__(self) -> str:
        return f"sshd {self.name}: {self.log.read_text(errors='replace')}"


class NamespacedHost:
    """A server in a network namespace of its own.

    Attributes:
        name: Its name in the configuration.
        namespace: That of the namespace.
        server: The server.
    """

    def __init__(self, keys: Keys, name: str, number: int, environment: str = "") -> None:
        self.name = name
        self.namespace = f"asyncsweep-{os.getpid()}-{next(_numbers)}"
        self._link = _link_name()
        self._keys = keys
        at = os.getpid() * 4 + number  # processes that test at the same time have networks of their own
        net = f"10.{128 + at // 256 % 128}.{at % 256}"
        _ip("netns", "add", self.namespace)
        try:
            _ip("link", "add", self._link, "type", "veth", "peer", "name", "eth0", "netns", self.namespace)
            _ip("addr", "add", f"{net}.1/30", "dev", self._link)
            _ip("link", "set", self._link, "up")
            self._ip_there("addr", "add", f"{net}.2/30", "dev", "eth0")
            self._ip_there("link", "set", "eth0", "up")
            self._ip_there("link", "set", "lo", "up")
            self.server = Server(
                keys, name, f"{net}.2", prefix=("ip", "netns", "exec", self.namespace), environment=environment
            )
            _wait_for(lambda: _answers(self.server.address, self.server.port), self.server)
        except BaseException:
            self.close()
            raise

    def cut(self) -> None:
        """Nothing arrives any more, either way; nobody is told."""
        self._ip_there("link", "set", "eth0", "down")

    def mend(self) -> None:
        self._ip_there("link", "set", "eth0", "up")

    def kill(self) -> list[int]:
        """End everything in the namespace at once, as if the machine had lost its power; gives what was ended."""
        pids = self.processes()
        self.cut()
        for pid in pids:
            end(pid)
        return pids

    def processes(self) -> list[int]:
        found = subprocess.run(["ip", "netns", "pids", self.namespace], capture_output=True, text=True, check=True)
        return [int(pid) for pid in found.stdout.split()]

    def close(self) -> None:
        """End the server and what runs there, and remove the namespace."""
        if hasattr(self, "server"):
            self.server.stop()
        for pid in self.processes():
            end(pid)
        # Sockets that still have something to send keep a namespace alive, and its end of the link with it.
        subprocess.run(["ip", "link", "del", self._link], capture_output=True, check=False)
        _ip("netns", "del", self.namespace)

    def _ip_there(self, *arguments: str) -> None:
        _ip("-n", self.namespace, *arguments)


class Relay:
    """A TCP relay on loopback that holds every byte back for a while, either way; a process of its own.

    Attributes:
        port: Where it listens.
    """

    def __init__(self, address: str, port: int, delay_s: float) -> None:
        command = [sys.executable, "-m", "asyncsweep_ssh.relay", address, str(port), str(delay_s)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())

    def close(self) -> None:
        self._process.terminate()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()


@contextmanager
def loopback(keys: Keys, name: str = "near", *more: str, environment: str = "") -> Iterator[Server]:
    """A server on loopback that is known and lets us in."""
    server = Server(keys, name, environment=environment)
    try:
        keys.add(name, server.address, server.port, server.host_key, *more)
        yield server
    finally:
        server.stop()


@contextmanager
def three_hosts(
    keys: Keys, round_trip_s: float = 0.0, names: Sequence[str] = ("gpu1", "gpu2", "gpu3")
) -> Iterator[list[NamespacedHost]]:
    """Hosts in namespaces of their own, each at the other end of a veth link.

    Args:
        keys: Where they are to be known.
        round_trip_s: With more than 0 a relay stands between, which delays every byte by half of it.
        names: What they are called.
    """
    with ExitStack() as stack:
        hosts = []
        for number, name in enumerate(names, 1):
            host = NamespacedHost(keys, name, number)
            stack.callback(host.close)
            address, port = host.server.address, host.server.port
            if round_trip_s:
                relay = Relay(address, port, round_trip_s / 2)
                stack.callback(relay.close)
                address, port = "127.0.0.1", relay.port
            keys.add(name, address, port, host.server.host_key)
            hosts.append(host)
        yield hosts


def _answers(address: str, port: int) -> bool:
    try:
        socket.create_connection((address, port), 0.2).close()
    except OSError:  # a new link takes a moment
        return False
    return True


def make_key(path: Path) -> None:
    """A new key without a passphrase."""
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "test", "-f", str(path)], check=True)


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def end_family(pid: int) -> None:
    """End a process and all that descends from it by force."""
    from asyncsweep.worker import tree

    tree.end(pid)
    end(pid)


def end(pid: int) -> None:
    """End a process by force."""
    try:
        os.kill(pid, 9)
    except ProcessLookupError:
        return


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def _link_name() -> str:
    return f"as{os.getpid() % 100_000}x{next(_numbers)}"  # at most 15 characters


def _wait_for(is_so: object, what: object) -> None:
    assert callable(is_so)
    until = time.monotonic() + _START_S
    while not is_so():
        if time.monotonic() > until:
            raise TimeoutError(f"it did not begin: {what}")
        time.sleep(0.01)
