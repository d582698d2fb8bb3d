"""`serve`: the viewer on a port of its own, beside the sweep, for as long as a context is entered."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio
import anyio.to_thread

from asyncsweep import checks
from asyncsweep.errors import ConfigError
from asyncsweep.viewer.assets import assets, check_installed
from asyncsweep.viewer.guard import Guard, guard_of, is_loopback, texts
from asyncsweep.viewer.served import Served, followed

# How long viewers may hold up the end of the context, when the sweeps have ended, to see the rest.
LAST_S = 1.0

log = logging.getLogger("asyncsweep")


class Viewer:
    """A page that is being served.

    Attributes:
        url: The whole link, with the tokens behind the #: who has it may look and, with `control=True`, steer.
        port: Of the listening socket.
    """

    def __init__(self, url: str, port: int) -> None:
        self.url = url
        self.port = port

    def __repr__(self) -> str:
        return f"Viewer({self.url.partition('#')[0]})"


@asynccontextmanager
async def serve(
    runs: Served,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    token: str | None = None,
    control: bool = False,
    control_token: str | None = None,
    allow_remote: bool = False,
    hosts: Iterable[str] = (),
    origins: Iterable[str] = (),
) -> AsyncIterator[Viewer]:
    """Show sweeps in a browser, live, while the context is entered. Nothing that happens to the viewer ends a sweep.

        async with sweep.start() as run, sw.serve(run) as viewer:
            print(viewer.url)
            result = await run.result()

    Args:
        runs: A run that has started, a sweep's directory, or several of them in a list or by names of your choice.
        host: The address to listen at. One that other computers reach needs `allow_remote`.
        port: 0 for a free one.
        token: Who has it may look; made where it is left out. At least 128 bits, in letters, digits and `_.~-`.
        control: Whether who has the second token may pause, stop, cancel and enqueue.
        control_token: The second token; made where it is left out.
        allow_remote: Listen at an address that other computers reach. Traffic is not encrypted, tokens included: an SSH tunnel, or a
            proxy that speaks TLS, is better.
        hosts: Names besides localhost under which the server is visited, for a proxy or `allow_remote`: "lab.example:8080".
        origins: What pages have as `Origin` behind a proxy: "https://lab.example".

    Yields:
        The `Viewer`: its `url` is the link to open.

    Raises:
        ConfigError: An argument is wrong, a run has not started, a directory has no sweep, the port is taken, the extra
            `asyncsweep[viewer]` is not installed, or the event loop is not asyncio.
        JournalError: The journal in a directory cannot be read.
    """
    _check_loop()
    checks.count("port", port, least=0, most=65535)
    hosts = texts("hosts", hosts)
    asked = guard_of(token, control, control_token, hosts, origins)
    address = await _address(host, port, hosts, allow_remote=checks.flag("allow_remote", allow_remote))
    own = () if _is_any(address[0]) else (_in_url(host), _in_url(address[0]))
    guard = Guard(asked.token, asked.control_token, [*hosts, *own], asked.origins)
    check_installed("websockets")
    from asyncsweep.viewer.hub import Hub
    from asyncsweep.viewer.server import Server
    from asyncsweep.viewer.visits import Visits

    found = await anyio.to_thread.run_sync(assets)
    async with followed(runs) as sources:
        hubs = {name: Hub(source) for name, source in sources.items()}
        sock = _bound(host, address)
        try:
            bound_port = sock.getsockname()[1]
            visits = Visits(hubs)
            server = Server(guard, found, visits)
            await server.start(sock)
        except BaseException:
            sock.close()
            raise
        is_hurried = True
        try:
            try:
                yield Viewer(_url(host, hosts, address, bound_port, guard), bound_port)
                is_hurried = False
            except Exception:  # but no cancellation
                is_hurried = False
                raise
            finally:
                if not is_hurried and not any(source.is_live for source in sources.values()):
                    with anyio.move_on_after(LAST_S):
                        await visits.seen_to_the_end()
        finally:
            await server.close(now=is_hurried)


def _check_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise ConfigError(
            "serve(): it runs on asyncio alone; on trio, mount sw.viewer.asgi(...) in a server for it, such as hypercorn"
        ) from None


async def _address(host: Any, port: int, hosts: Sequence[str], *, allow_remote: bool) -> tuple[Any, ...]:
    """What to bind to: a numeric address with a port, of the shape that its family has.

    Raises:
        ConfigError: The name leads nowhere, or other computers reach it and that is not wanted.
    """
    if not isinstance(host, str) or not host:
        raise ConfigError(f"host={host!r}: expected an address of this computer, such as '127.0.0.1'")
    try:
        infos = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"host={host!r}: there is no address for it: {error}; take '127.0.0.1'") from None
    address: tuple[Any, ...] = min(infos, key=lambda info: info[0] != socket.AF_INET)[4]
    if is_loopback(address[0]):
        return address
    if not allow_remote:
        raise ConfigError(
            f"host={host!r}: other computers reach that, and what they are sent is not encrypted. Leave host out and come by a "
            "tunnel (ssh -L 8080:127.0.0.1:PORT THIS_COMPUTER), or say allow_remote=True"
        )
    if _is_any(address[0]) and not hosts:
        raise ConfigError(
            f"host={host!r} is every address of this computer: say by which names it is visited, hosts=['192.168.1.5', 'lab.example']"
        )
    return address


def _bound(host: str, address: tuple[Any, ...]) -> socket.socket:
    """A socket that is bound, and does not listen yet.

    Raises:
        ConfigError: It cannot be.
    """
    port = address[1]
    sock = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of connections that are over already
        sock.bind(address)
    except OSError as error:
        sock.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port={port}: something else at {host} has it; take another one, or 0 for a free one"
            ) from error
        if error.errno == errno.EACCES:
            raise ConfigError(
                f"port={port}: this user may not have it; take one above 1023, or 0 for a free one"
            ) from error
        raise ConfigError(f"host={host!r}: it cannot be listened at: {error.strerror}; take '127.0.0.1'") from error
    if not is_loopback(address[0]):
        log.warning(
            "the viewer listens at %s, port %d, for other computers too, and nothing that it sends or gets is encrypted",
            address[0],
            sock.getsockname()[1],
        )
    return sock


def _url(host: str, hosts: Sequence[str], address: tuple[Any, ...], port: int, guard: Guard) -> str:
    if is_loopback(address[0]):
        name = _in_url(address[0])  # a name may lead to another loopback address too, where somebody else listens
    else:
        name = hosts[0] if _is_any(address[0]) else _in_url(host)
    has_port = ":" in name.rpartition("]")[2]
    return f"http://{name if has_port else f'{name}:{port}'}/{guard.fragment}"


def _is_any(address: str) -> bool:
    return address in ("0.0.0.0", "::")


def _in_url(host: str) -> str:
    host = host.partition("%")[0]
    return f"[{host}]" if ":" in host else host
