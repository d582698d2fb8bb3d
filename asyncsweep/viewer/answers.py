"""What a viewer's server answers over HTTP, whoever carries it: files of the page, and refusals. All data goes over the stream.

Every answer, whatever its status, has the headers that tell a browser what the page may do: run scripts of this server alone, connect
to it alone, be in no frame, and tell nobody where it came from. There are no cookies: they would be shared with whatever else runs on
this computer, on any port.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from asyncsweep.viewer.assets import Asset
from asyncsweep.viewer.guard import NOT_FOUND, WRONG_METHOD, Refusal

# The stream's path below the viewer's base.
STREAM = "stream"

Headers = tuple[tuple[str, str], ...]

_POLICY = (
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'{stream}; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_ALWAYS = (
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
)


class Answer(NamedTuple):
    """An HTTP response. `body` is empty where the method or the status want it so; `Content-Length` is among the headers."""

    status: int
    headers: Headers
    body: bytes


async def answer(
    assets: Mapping[str, Asset], method: str, path: str, headers: Mapping[str, str], *, host: str, is_encrypted: bool
) -> Answer:
    """The answer to a request for a file.

    Args:
        assets: What there is.
        method: Of the request.
        path: Below the viewer's base, without a slash at its head.
        headers: Of the request, by their names in lower case.
        host: What the guard knows the server by.
        is_encrypted: It came over TLS.
    """
    if method not in ("GET", "HEAD"):
        return refused(WRONG_METHOD)
    asset = assets.get(path)
    if asset is None:
        return refused(NOT_FOUND)
    body = await asset.packed() if accepts_gzip(headers.get("accept-encoding", "")) else None
    etag = f'"{asset.etag}"' if body is None else f'"{asset.etag}-gzip"'
    found: Headers = (
        ("Content-Type", asset.type),
        (
            "Cache-Control",
            "no-cache",
        ),  # kept, and asked about each time: the page of another version is never mixed with this one
        ("ETag", etag),
        ("Vary", "Accept-Encoding"),
        *(() if body is None else (("Content-Encoding", "gzip"),)),
        *_policy(f" {'wss' if is_encrypted else 'ws'}://{host}"),
    )
    if etag in [item.strip().removeprefix("W/") for item in headers.get("if-none-match", "").split(",")]:
        return Answer(304, found, b"")
    body = asset.content if body is None else body
    return Answer(200, (*found, ("Content-Length", str(len(body)))), b"" if method == "HEAD" else body)


def refused(refusal: Refusal) -> Answer:
    """A refusal as a response."""
    body = f"{refusal.text}\n".encode()
    return Answer(
        refusal.status,
        (
            ("Content-Type", "text/plain; charset=utf-8"),
            ("Cache-Control", "no-store"),
            *refusal.more,
            *_policy(""),
            ("Content-Length", str(len(body))),
        ),
        body,
    )


def moved(to: str) -> Answer:
    """A redirect to another address."""
    return Answer(307, (("Location", to), ("Cache-Control", "no-store"), *_policy(""), ("Content-Length", "0")), b"")


def accepts_gzip(header: str) -> bool:
    """Whether an `Accept-Encoding` has gzip, and not with a weight of nothing."""
    for item in header.lower().split(","):
        name, _, weight = item.partition(";")
        if name.strip() in ("gzip", "*"):
            return weight.strip().replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def single(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Headers by their names in lower case, the values of one name put together."""
    found: dict[str, str] = {}
    for name, value in headers:
        key = name.lower()
        found[key] = f"{found[key]}, {value}" if key in found else value
    return found


def _policy(stream: str) -> Headers:
    return (("Content-Security-Policy", _POLICY.format(stream=stream)), *_ALWAYS)
