"""The address of a viewer, as `serve` prints it: `http://127.0.0.1:8080/#token=...`, perhaps with a prefix, perhaps with `&control=...`.

The tokens are in the fragment, which no browser sends. Nothing here puts them into a text that is shown.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

from asyncsweep.errors import ConfigError

_SCHEMES = {"http": "ws", "https": "wss"}
_PORTS = {"http": 80, "https": 443}
# What a server takes for a token, and a subprotocol's name may have.
_TOKEN = re.compile(r"[A-Za-z0-9_.~-]+")
_EXPECTED = "the address that `serve` prints, such as http://127.0.0.1:8080/#token=..."


class Address(NamedTuple):
    """Where a viewer is, and what lets one in.

    Attributes:
        shown: The address without tokens, for messages.
        stream: The websocket's.
        origin: What a page of that server gives as its own.
        host: Without the port.
        token: "" for none.
        control: The second token; "" for none.
    """

    shown: str
    stream: str
    origin: str
    host: str
    token: str
    control: str


def parsed(url: str) -> Address:
    """What an address says.

    Raises:
        ConfigError: It is none of a viewer.
    """
    if not isinstance(url, str):
        raise ConfigError(f"url={url!r}: expected {_EXPECTED}")
    bare = url.partition("#")[0][:500]
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"url={bare!r}: {error}; expected {_EXPECTED}") from None
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise ConfigError(f"url={bare!r}: expected {_EXPECTED}")
    tokens = dict(parse_qsl(parts.fragment))
    for name in ("token", "control"):
        if not _TOKEN.fullmatch(tokens.get(name, "none")):
            raise ConfigError(f"url={bare!r}: the {name} after # has characters that none has; copy the whole address")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    own = host if port in (None, _PORTS[parts.scheme]) else f"{host}:{port}"
    base = _base(parts)
    at = "" if parts.username is None else f"{parts.netloc.rpartition('@')[0]}@"
    return Address(
        shown=f"{parts.scheme}://{own}{base}",
        stream=f"{_SCHEMES[parts.scheme]}://{at}{own}{base}stream",
        origin=f"{parts.scheme}://{own}",
        host=parts.hostname,
        token=tokens.get("token", ""),
        control=tokens.get("control", ""),
    )


def _base(parts: SplitResult) -> str:
    """The path that the page is under, with a slash at its end."""
    path = parts.path.removesuffix("index.html")
    return path if path.endswith("/") else f"{path}/"
