"""Who may come in: the judgement over a request's Host, its Origin and its tokens, for every server of the viewer. No I/O.

- Every request, of whatever method, needs a Host that is known. A page elsewhere whose name was made to lead to this computer (DNS
  rebinding) sends its own. Names of the loopback interface are known with every port, so that a tunnel may end at another one: no
  name server answers for them, and the Origin has to have the same port.
- An upgrade needs an Origin: the one of the page that this server sent, which is `scheme://` and the very Host that was asked, or one
  that the server was told of. Then a token; what else it offers is looked at after that alone.
- Tokens are compared in constant time, and are in no text that is made here.
"""

from __future__ import annotations

import hmac
import ipaddress
import math
import re
import secrets
import string
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from asyncsweep.errors import ConfigError

TOKEN_PREFIX = "asyncsweep.token."
CONTROL_PREFIX = "asyncsweep.control."
# The forms of the stream, and whether their messages are text.
SUBPROTOCOLS = {"asyncsweep.v1.json": True, "asyncsweep.v1.msgpack": False}

LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})
LEAST_TOKEN_BITS = 128
LONGEST_TOKEN = 256
_FEWEST_CHARACTERS = 8

_HEX = string.hexdigits.lower()[:16]
_ALPHABETS = (
    string.digits,
    _HEX,
    _HEX.upper(),
    string.ascii_lowercase + string.digits,
    string.ascii_uppercase + string.digits,
    string.ascii_letters + string.digits + "_.~-",
)

# Such characters can be in a subprotocol and, as they are, in the fragment of a URL.
_TOKEN = re.compile(r"[A-Za-z0-9_.~-]+")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9]([a-z0-9._-]*[a-z0-9])?)(?::([0-9]{1,5}))?")
_ORIGIN = re.compile(rf"https?://{_HOST.pattern}")


class Refusal(NamedTuple):
    """Why a request is not answered with what it asks for.

    Attributes:
        status: Of the HTTP response.
        text: What to do about it, for whoever reads the response or the log.
        more: Headers that this status asks for.
    """

    status: int
    text: str
    more: tuple[tuple[str, str], ...] = ()


class Admission(NamedTuple):
    """How a viewer comes in.

    Attributes:
        subprotocol: The one that the server names in its answer.
        is_text: Its messages are text.
        may_control: It brought the second token.
    """

    subprotocol: str
    is_text: bool
    may_control: bool


UNKNOWN_HOST = Refusal(
    403, 'this server is not known by the name in "Host"; whoever runs it can add one: hosts=["lab.example:8080"]'
)
WRONG_ORIGIN = Refusal(
    403,
    'the stream is for pages of this server; whoever runs it can add another "Origin": origins=["https://lab.example"]',
)
NO_TOKEN = Refusal(
    403, "the stream needs the token of this server; open the whole link that it gave, with what follows the #"
)
NO_SUBPROTOCOL = Refusal(400, f"the stream is offered as one of the subprotocols {', '.join(SUBPROTOCOLS)}")
NO_UPGRADE = Refusal(426, "this is the stream: connect with a websocket", (("Upgrade", "websocket"),))
WRONG_METHOD = Refusal(405, "only GET and HEAD are answered here", (("Allow", "GET, HEAD"),))
NOT_FOUND = Refusal(404, "there is nothing here")
MALFORMED = Refusal(400, "that is no request that this server takes: GET or HEAD, with short headers and no body")
FULL = Refusal(503, "there are as many viewers as this server takes; close one", (("Retry-After", "10"),))
BROKEN = Refusal(500, "the viewer failed; the log of the sweep's process tells how")


class Guard:
    """Knows the tokens, and the names of its server.

    Args:
        token: Who has it may look.
        control_token: Who has this one too may steer; None where nobody may.
        hosts: Names under which the server is visited besides those of the loopback interface: "lab.example" with any port, or
            "lab.example:8080".
        origins: What pages of other servers have as Origin, such as "https://lab.example" where a proxy speaks TLS.

    Raises:
        ConfigError: One of them is no such thing, or a token can be guessed.
    """

    def __init__(
        self, token: str, control_token: str | None = None, hosts: Iterable[str] = (), origins: Iterable[str] = ()
    ) -> None:
        self.token = checked_token("token", token)
        self.control_token = None if control_token is None else checked_token("control_token", control_token)
        if self.control_token == self.token:
            raise ConfigError("control_token: it is the same as token; whoever may look could steer. Leave one out")
        self.hosts = LOOPBACK | {_checked("hosts", host, _HOST, "lab.example:8080") for host in texts("hosts", hosts)}
        self.origins = frozenset(
            _without_default_port(_checked("origins", origin, _ORIGIN, "https://lab.example"))
            for origin in texts("origins", origins)
        )

    def host(self, hosts: Sequence[str]) -> str | None:
        """The name that a request asks for, in lower case; None where it has another number than one, or it is not known.

        Args:
            hosts: Every Host header of the request.
        """
        found = _HOST.fullmatch(hosts[0].lower()) if len(hosts) == 1 else None
        return None if found is None or not self.hosts & {found[0], found[1]} else found[0]

    def upgrade(
        self, host: str, origins: Sequence[str], offered: Sequence[str], *, is_encrypted: bool
    ) -> Admission | Refusal:
        """Whether a request to connect comes in.

        Args:
            host: What `host` said.
            origins: Every Origin header of the request.
            offered: The subprotocols that it offers.
            is_encrypted: It came over TLS.
        """
        own = f"{'https' if is_encrypted else 'http'}://{host}"
        if len(origins) != 1 or not (origins[0] == own or origins[0] in self.origins):
            return WRONG_ORIGIN
        if not _is_offered(TOKEN_PREFIX, self.token, offered):
            return NO_TOKEN
        for subprotocol in offered:
            if subprotocol in SUBPROTOCOLS:
                may_control = self.control_token is not None and _is_offered(
                    CONTROL_PREFIX, self.control_token, offered
                )
                return Admission(subprotocol, SUBPROTOCOLS[subprotocol], may_control)
        return NO_SUBPROTOCOL

    @property
    def fragment(self) -> str:
        """What belongs behind the address of the page, so that the page has the tokens: a browser sends it to nobody."""
        control = "" if self.control_token is None else f"&control={self.control_token}"
        return f"#token={self.token}{control}"


def guard_of(token: Any, control: Any, control_token: Any, hosts: Iterable[str], origins: Iterable[str]) -> Guard:
    """The guard for the arguments that each server of the viewer has: tokens that are not given are made.

    Raises:
        ConfigError: One of them is wrong.
    """
    if not isinstance(control, bool):
        raise ConfigError(f"control={control!r}: expected True or False")
    if control_token is not None and not control:
        raise ConfigError("control_token: nobody may steer without control=True; give both or none")
    if control and control_token is None:
        control_token = secrets.token_urlsafe(32)
    return Guard(secrets.token_urlsafe(32) if token is None else token, control_token, hosts, origins)


def offered_in(headers: Iterable[str]) -> list[str]:
    """The subprotocols of a request's `Sec-WebSocket-Protocol` headers."""
    return [item for header in headers for part in header.split(",") if (item := part.strip())]


def checked_token(name: str, token: Any) -> str:
    """A token that cannot be guessed. No error has a part of it.

    Raises:
        ConfigError: It is none.
    """
    mend = "leave it out, and one is made; or take secrets.token_urlsafe(32)"
    if not isinstance(token, str):
        raise ConfigError(f"{name}: a {type(token).__name__}; expected a text: {mend}")
    if not _TOKEN.fullmatch(token):
        raise ConfigError(f"{name}: it may have letters, digits and _ . ~ - alone: {mend}")
    if len(token) > LONGEST_TOKEN:
        raise ConfigError(f"{name}: it has {len(token)} characters, at most {LONGEST_TOKEN} are accepted: {mend}")
    if _bits(token) < LEAST_TOKEN_BITS:
        raise ConfigError(
            f"{name}: its {len(token)} characters can hold {_bits(token):.0f} bits, {LEAST_TOKEN_BITS} are needed: {mend}"
        )
    return token


def is_loopback(address: str) -> bool:
    """Whether only this computer reaches a numeric address."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _bits(token: str) -> float:
    """The most that a random text of such characters can hold; one that has few of them is held to be made of these alone."""
    used = set(token)
    alphabet = next(found for found in _ALPHABETS if used <= set(found))
    return len(token) * math.log2(len(alphabet) if len(used) >= _FEWEST_CHARACTERS else len(used))


def _is_offered(prefix: str, token: str, offered: Sequence[str]) -> bool:
    """Whether a token is the one that is offered; several are none."""
    found = [item[len(prefix) :] for item in offered if item.startswith(prefix)]
    return len(found) == 1 and hmac.compare_digest(found[0].encode("utf-8", "surrogatepass"), token.encode())


def texts(name: str, values: Any) -> list[str]:
    """A list of what may be texts, and no text itself.

    Raises:
        ConfigError: It is none.
    """
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ConfigError(f"{name}={values!r}: expected a list of texts")
    return list(values)


def _without_default_port(origin: str) -> str:
    """As browsers send it."""
    return origin.removesuffix(":443" if origin.startswith("https:") else ":80")


def _checked(name: str, value: Any, shape: re.Pattern[str], example: str) -> str:
    if not isinstance(value, str) or not shape.fullmatch(value.lower()):
        raise ConfigError(f"{name}: {value!r}: expected such as {example!r}, as a browser sends it")
    return value.lower()
