"""The way to a host: one SSH connection, by way of others where the configuration says so.

What is held whatever a configuration file says: host keys are checked, for jump hosts too; no agent, X11 or port is forwarded; nobody is
asked for a password.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread

from asyncsweep_ssh.faults import HostFault, of_connecting, unknown_key
from asyncsweep_ssh.hosts import Host

if TYPE_CHECKING:
    import asyncssh

_CLOSE_S = 2.0

log = logging.getLogger("asyncsweep")
_DEFAULT_KNOWN_HOSTS = ("~/.ssh/known_hosts", "~/.ssh/known_hosts2", "/etc/ssh/ssh_known_hosts")


@asynccontextmanager
async def connected(
    host: Host, config: Sequence[str] | None, patience_s: float
) -> AsyncIterator[asyncssh.SSHClientConnection]:
    """A connection to a host while the context is entered.

    Args:
        host: Where to.
        config: OpenSSH's configuration files; None for the user's own.
        patience_s: How long connecting may take.

    Raises:
        HostFault: It cannot be reached, trusted, or entered.
    """
    connections: list[asyncssh.SSHClientConnection] = []
    try:
        try:
            with anyio.fail_after(patience_s):
                await _connect(host, config, patience_s, connections)
        except Exception as error:
            raise of_connecting(host, error, patience_s) from error
        yield connections[-1]
    finally:
        with anyio.CancelScope(shield=True):
            for connection in reversed(connections):
                await _close(connection)


async def _connect(
    host: Host, config: Sequence[str] | None, patience_s: float, connections: list[asyncssh.SSHClientConnection]
) -> None:
    options = await _options(host, config, patience_s)
    tunnel = connections[-1] if connections else None
    if tunnel is None and isinstance(options.tunnel, str) and options.tunnel.lower() != "none":
        for jump in options.tunnel.split(","):
            await _connect(_jump(jump), config, patience_s, connections)
        tunnel = connections[-1]
    known_hosts = await anyio.to_thread.run_sync(_known_hosts, options.known_hosts)
    log.debug("%s: connecting", host.shown)
    connections.append(await _connect_one(host, options, known_hosts, tunnel))


async def _options(host: Host, config: Sequence[str] | None, patience_s: float) -> asyncssh.SSHClientConnectionOptions:
    # Half a second of imports, which not every sweep needs, and no loop should wait for.
    await anyio.to_thread.run_sync(_import_asyncssh)
    import asyncssh

    given: dict[str, Any] = {} if config is None else {"config": list(config)}
    if host.user is not None:
        given["username"] = host.user
    if host.port is not None:
        given["port"] = host.port
    options: asyncssh.SSHClientConnectionOptions = await asyncssh.SSHClientConnectionOptions.construct(
        None,
        host=host.name,
        agent_forwarding=False,
        x11_forwarding=False,
        password=None,
        connect_timeout=patience_s,
        login_timeout=patience_s,
        keepalive_interval=0,
        **given,
    )
    return options


def _import_asyncssh() -> None:
    import asyncssh  # noqa: F401


def _known_hosts(configured: Any) -> Any:
    """The keys that we know. `UserKnownHostsFile none` means that none is known, and not that any will do."""
    import asyncssh

    names = [os.fspath(name) for name in configured or ()]
    if configured is not None and not names:
        names = list(_DEFAULT_KNOWN_HOSTS)
    files = [path for name in names if (path := Path(name).expanduser()).is_file() and os.access(path, os.R_OK)]
    text = "\n".join(path.read_text(errors="surrogateescape") for path in files)
    return asyncssh.import_known_hosts(text)


async def _connect_one(
    host: Host,
    options: asyncssh.SSHClientConnectionOptions,
    known_hosts: Any,
    tunnel: asyncssh.SSHClientConnection | None,
) -> asyncssh.SSHClientConnection:
    import asyncssh

    refused: list[HostFault] = []

    class Client(asyncssh.SSHClient):
        """Says of a key that is not known which one it was."""

        def validate_host_public_key(self, host_name: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
            refused.append(_refused(host, known_hosts, host_name, addr, port, key))
            return False

    try:
        connection, _ = await asyncssh.create_connection(
            Client, host.name, options=options, known_hosts=known_hosts, tunnel=tunnel
        )
    except asyncssh.HostKeyNotVerifiable as error:
        raise (refused[0] if refused else error) from error
    return connection


def _refused(host: Host, known_hosts: Any, name: str, addr: str, port: int, key: asyncssh.SSHKey) -> HostFault:
    where = name if port == 22 else f"[{name}]:{port}"
    known = known_hosts.match(name, addr, None if port == 22 else port)[0]
    offered = f"{key.get_algorithm()} {key.get_fingerprint()}"
    return unknown_key(host, where, offered, len(known))


def _jump(text: str) -> Host:
    """A jump host of `ProxyJump`: "me@jump:22"."""
    user, at, name = text.strip().removeprefix("ssh://").rpartition("@")
    port = None
    if ":" in name and (name.count(":") == 1 or "]:" in name):
        name, _, number = name.rpartition(":")
        port = int(number)
    return Host(name.strip("[]"), user if at else None, port)


async def _close(connection: asyncssh.SSHClientConnection) -> None:
    connection.close()
    with anyio.move_on_after(_CLOSE_S):
        await connection.wait_closed()
        return
    connection.abort()
    with anyio.move_on_after(_CLOSE_S):
        await connection.wait_closed()
