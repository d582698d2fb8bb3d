"""Opens the websocket of a viewer, and says in a user's words why it does not open.

The tokens go to the server that was named and to nobody else: no redirect is followed, no proxy stands before loopback, and what the
library would log of a handshake is not logged.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from asyncsweep.errors import ConfigError
from asyncsweep.progress.text import visible
from asyncsweep.viewer.address import Address

if TYPE_CHECKING:
    from websockets.asyncio.client import ClientConnection

SUBPROTOCOL = "asyncsweep.v1.msgpack"
# A part of a snapshot has some hundred rows, but all the choices of a space may be 8 MiB.
LIMIT_BYTES = 64 * 2**20
_REFUSED = (401, 403)


class Unreachable(Exception):
    """No connection now, but perhaps later."""


@asynccontextmanager
async def dialled(address: Address, timeout_s: float) -> AsyncIterator[ClientConnection]:
    """A connection to a viewer's stream, closed at the end.

    Raises:
        Unreachable: Nobody answers, or not now.
        ConfigError: There is no viewer, or it lets us not in.
    """
    try:
        from websockets.asyncio import client
        from websockets.exceptions import InvalidHandshake, InvalidMessage, InvalidProxy, InvalidStatus, InvalidURI
    except ImportError as error:
        raise ConfigError('websockets is not installed: pip install "asyncsweep[viewer]"') from error

    class Connect(client.connect):
        def process_redirect(self, exc: Exception) -> Exception | str:
            return exc

    quiet = logging.getLogger("asyncsweep.viewer.websocket")
    quiet.setLevel(logging.WARNING)
    words = [SUBPROTOCOL, *(f"asyncsweep.{kind}.{text}" for kind, text in _tokens(address).items())]
    options: dict[str, Any] = {"proxy": None} if _is_loopback(address.host) else {}
    place = f"url={address.shown!r}"
    try:
        connection = await Connect(
            address.stream,
            origin=address.origin,  # type: ignore[arg-type]  # a NewType of str
            subprotocols=words,  # type: ignore[arg-type]
            compression=None,
            open_timeout=timeout_s,
            close_timeout=1.0,
            max_size=LIMIT_BYTES,
            logger=quiet,
            **options,
        )
    except InvalidStatus as error:
        status = error.response.status_code
        if status >= 500:
            raise Unreachable(f"{place}: the server answers {status}") from error
        said = visible(bytes(error.response.body or b"")[:200].decode(errors="replace").strip())
        raise ConfigError(f"{place}: {_why(status, address)}" + (f" (it says: {said})" if said else "")) from error
    except InvalidURI:
        raise ConfigError(f"{place}: no websocket has such an address") from None
    except InvalidProxy:
        raise ConfigError(f"{place}: the proxy that the environment names is none; see http_proxy, no_proxy") from None
    except InvalidMessage as error:
        if isinstance(error.__cause__, EOFError):
            raise Unreachable(f"{place}: the connection was closed at once") from error
        raise ConfigError(f"{place}: what answers there is no viewer ({error})") from error
    except InvalidHandshake as error:
        raise ConfigError(f"{place}: what answers there is no viewer ({error})") from error
    except TimeoutError as error:
        raise Unreachable(f"{place}: nobody answers within {timeout_s:g} s") from error
    except OSError as error:
        raise Unreachable(f"{place}: nobody answers ({error.strerror or error})") from error
    try:
        if connection.subprotocol != SUBPROTOCOL:
            raise ConfigError(
                f"{place}: the server does not speak {SUBPROTOCOL}; one of asyncsweep and the server is too old"
            )
        yield connection
    finally:
        async with asyncio.timeout(2.0):
            await connection.close()


def _tokens(address: Address) -> dict[str, str]:
    return {kind: text for kind, text in (("token", address.token), ("control", address.control)) if text}


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _why(status: int, address: Address) -> str:
    if status in _REFUSED and not address.token:
        return f"the server lets nobody in without a token ({status}); give the whole address, with #token=..."
    if status in _REFUSED:
        return (
            f"the server refuses the token, or does not know itself by this address ({status}); give the address as `serve` "
            "printed it last: each start has another token, unless serve(token=...) sets it"
        )
    if status == 404:
        return (
            "there is no viewer under this path (404); give the address with the whole prefix that it is mounted under"
        )
    if 300 <= status < 400:
        return f"the server wants to send us elsewhere ({status}), where the token shall not go; give that address"
    return f"the server answers {status}, which no viewer does"
