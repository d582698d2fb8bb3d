"""Promises S13 and S16, of a viewer's servers: what every response tells the browser, and that no path leads out of the page's files."""

from __future__ import annotations

import re
from itertools import product

import pytest

from asyncsweep.viewer.assets import LIBRARIES, PAGE, assets
from tests.viewer.doors import KINDS, Reply, opened
from tests.viewer.waiting_sweeps import waiting

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


# -- S13 ----------------------------------------------------------------------------------------------------------------

POLICY = {
    "default-src 'self'",
    "style-src 'self' 'unsafe-inline'",
    "img-src 'self' data:",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
}


def lacking(reply: Reply, host: str) -> list[str]:
    """What a response does not say of what it has to."""
    headers, found = reply.headers, []
    policy = set(headers.get("content-security-policy", "").split("; "))
    streams = {directive for directive in policy - POLICY if directive.startswith("connect-src")}
    found += [directive for directive in POLICY if directive not in policy]
    found += [f"unknown: {directive}" for directive in policy - POLICY - streams]
    found += [f"connect: {item}" for item in streams - {"connect-src 'self'", f"connect-src 'self' ws://{host}"}]
    for name, value in (
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ):
        found += [name] if headers.get(name) != value else []
    found += ["cache-control"] if headers.get("cache-control") not in ("no-store", "no-cache") else []
    found += ["content-type"] if reply.body and "charset=utf-8" not in headers.get("content-type", "") else []
    return found + sorted(set(headers) & {"set-cookie", "access-control-allow-origin", "x-powered-by"})


async def test_every_response_has_the_headers(kind: str) -> None:
    async with waiting() as run, opened(kind, run) as door:
        replies = {
            f"{method} {path}": await door.request(method, path)
            for method, path in product(("GET", "HEAD", "POST", "OPTIONS", "DELETE"), [*assets(), "stream", "none"])
        }
        replies["not changed"] = await door.request(
            "GET", "store.js", [("If-None-Match", replies["GET store.js"].headers["etag"])]
        )
        assert replies["not changed"].status == 304
        replies["compressed"] = await door.request("GET", "store.js", [("Accept-Encoding", "gzip")])
        assert replies["compressed"].headers["content-encoding"] == "gzip"
        replies["a name that is not known"] = await door.request("GET", "", host="evil.example")
        replies["no token"] = await door.upgrade()
        replies["a wrong origin"] = await door.upgrade(door.tokens(), "http://evil.example")
        replies["no form"] = await door.upgrade(door.tokens()[1:])
        replies["an upgrade elsewhere"] = await door.upgrade(door.tokens(), path="streams")
        if kind == "serve":  # which the other servers refuse before we see it
            for name, data in BROKEN.items():
                replies[name] = await door.exchange(data.replace(b"HOST", door.host.encode()))
        lacks = {name: found for name, reply in replies.items() if (found := lacking(reply, door.host))}
        assert lacks == {}
        assert {reply.status for reply in replies.values()} >= {200, 304, 400, 403, 404, 405, 426}
        page = replies["GET "].headers
        assert f"connect-src 'self' ws://{door.host};" in page["content-security-policy"]


BROKEN = {
    "no request": b"what is this\r\n\r\n",
    "another protocol": b"GET / HTTP/2\r\nHost: HOST\r\n\r\n",
    "no header": b"GET / HTTP/1.1\r\nHost: HOST\r\nno header\r\n\r\n",
    "a long address": b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: HOST\r\n\r\n",
    "a long header": b"GET / HTTP/1.1\r\nHost: HOST\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
    "many headers": b"GET / HTTP/1.1\r\nHost: HOST\r\n" + b"X: x\r\n" * 500 + b"\r\n",
    "a body": b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: 4\r\n\r\nbody",
    "a body in chunks": b"PUT / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a letter of none": "GET /é HTTP/1.1\r\nHost: HOST\r\n\r\n".encode(),
}


async def test_a_redirect_to_the_slash_stays_on_this_server(kind: str) -> None:
    async with waiting() as run, opened(kind, run) as door:
        if kind == "serve":
            return
        for query in ("", "?x=1"):
            reply = await door.ask("GET", f"/tuning{query}", [("Connection", "close")])
            assert reply.status == 307
            assert re.fullmatch(
                rf"(http://{re.escape(door.host)}/|\./)tuning/{re.escape(query)}", reply.headers["location"]
            )


def test_the_page_names_no_other_server_and_has_no_script_in_it() -> None:
    page = (PAGE / "index.html").read_text()
    assert re.findall(r"<script(?![^>]*\bsrc=)[^>]*>", page) == []
    assert re.findall(r"\son\w+\s*=|javascript:", page, re.IGNORECASE) == []
    addresses = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)""", page)
    assert [
        item for item in addresses if not re.match(r"(?:[\w.-]+(?:/[\w.-]+)*|#[\w-]*|data:image/svg\+xml,.*)$", item)
    ] == []
    for file in PAGE.rglob("*.js"):
        text = file.read_text()
        assert re.findall(r"""^import\b.*["'](?!\./)[^"']*["'];?$|\bimport\(""", text, re.MULTILINE) == [], file.name
    for file in PAGE.rglob("*.css"):
        assert re.findall(r"@import|url\(\s*[\"']?(?!data:|#)", file.read_text()) == [], file.name


# -- S16 ----------------------------------------------------------------------------------------------------------------

UPS = [
    "..",
    "%2e%2e",
    "%2E%2e",
    ".%2e",
    "%252e%252e",
    "..;",
    "\\..",
    "..%5c",
    "..%00",
    "%c0%ae%c0%ae",
    "....",
    "..%2f..",
    "%u002e%u002e",
]
TARGETS = [
    "guard.py",
    "viewer/guard.py",
    "../../../etc/passwd",
    "etc/passwd",
    "page/index.html",
    "asyncsweep/__init__.py",
]
OTHERS = [
    "/",
    "//",
    "//etc/passwd",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "file:///etc/passwd",
    "./index.html",
    "index.html/",
    "index.html/.",
    "index.html%00",
    "index.html%20",
    "index.html.",
    "INDEX.HTML",
    "index.html::$DATA",
    "index.html;x",
    "%69ndex.html/..",
    ".",
    "..",
    "...",
    "%2e",
    "%00",
    "%0d%0aSet-Cookie:%20x=1",
    "assets",
    "assets/",
    "assets/..",
    "assets/../index.html",
    "assets/%2e%2e/index.html",
    "assets/hiplot.bundle.js/",
    "assets/hiplot.bundle.js.map",
    "assets//plotly.min.js",
    "assets\\plotly.min.js",
    "assets%5cplotly.min.js",
    "assets%2fplotly.min.js%00",
    "__init__.py",
    "guard.py",
    "page",
    "page/index.html",
    "store.js~",
    "store.js.gz",
    ".git/config",
    ".env",
    "C:/windows/win.ini",
    "C:%5cwindows",
    "*",
    "stream/",
    "stream/..",
    "Stream",
    "x" * 4000,
    "a/" * 500,
]


async def test_no_path_leads_out_of_the_files_of_the_page(kind: str) -> None:
    paths = [f"{up}/{target}" for up, target in product(UPS, TARGETS)]
    paths += [f"{up}/" * 6 + "etc/passwd" for up in UPS] + OTHERS
    paths += [f"assets/{up}/{up}/guard.py" for up in UPS] + [f"assets/{up}/index.html" for up in UPS]
    known = {asset.content for asset in assets().values()}
    found = []
    async with waiting() as run, opened(kind, run) as door:
        for path in paths:
            reply = await door.request("GET", path)
            # A slash that is encoded is one to a server around ours, and what it names is a file of the page or none.
            if reply.status not in (404, 400) and (kind == "serve" or reply.body not in known):
                found.append((path, reply.status))
            assert not any(word in reply.body for word in (b"root:", b"compare_digest", b"[core]"))
            assert path[:40].encode() not in reply.body or len(path) < 8 or reply.status == 200
        assert found == []
        assert len(paths) >= 150
        # Targets that are no path at all.
        for target in (
            "index.html",
            "http://evil.example/",
            f"http://{door.host}/",
            "*",
            "?",
            "",
            f"{door.host}:443",
            "/\x00",
            "/ /x",
        ):
            reply = await door.ask("GET", target, [("Connection", "close")])
            assert reply.status in (0, 307, 400, 404), target
            assert reply.body not in known


def test_libraries_are_named_one_by_one() -> None:
    assert set(LIBRARIES) == {"assets/hiplot.bundle.js", "assets/plotly.min.js"}
