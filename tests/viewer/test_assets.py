"""The files that a browser gets, and how they are answered over HTTP."""

from __future__ import annotations

import functools
import gzip
import hashlib
import importlib.util
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from asyncsweep.errors import ConfigError
from asyncsweep.viewer import assets as module
from asyncsweep.viewer.answers import accepts_gzip, answer, single
from asyncsweep.viewer.assets import HIPLOT_SHA256, HIPLOT_VERSION, Asset, assets, check_installed, library

BUNDLE = "assets/hiplot.bundle.js"
PLOTLY = "assets/plotly.min.js"


@pytest.fixture(autouse=True)
def nothing_is_known_before() -> None:
    module._library.cache_clear()


def test_there_are_the_files_of_the_page_and_two_libraries() -> None:
    found = assets()
    page = {file.relative_to(module.PAGE).as_posix() for file in module.PAGE.rglob("*") if file.is_file()}
    assert set(found) == page | {"", BUNDLE, PLOTLY}
    assert found[""] is found["index.html"]
    assert found["store.js"].type == "text/javascript; charset=utf-8"
    assert hashlib.sha256(found[BUNDLE].content).hexdigest() == HIPLOT_SHA256
    assert library(BUNDLE).encode() == found[BUNDLE].content


def test_a_file_of_another_kind_is_not_among_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("index.html", "views/one.js", "notes.txt", ".env", "main.py", "main.js.orig"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x")
    monkeypatch.setattr(module, "PAGE", tmp_path)
    assert set(assets()) == {"", "index.html", "views/one.js", BUNDLE, PLOTLY}


def test_the_pinned_version_is_the_one_that_the_extra_asks_for() -> None:
    assert f"hiplot=={HIPLOT_VERSION}" in [
        need.partition(";")[0].strip() for need in metadata.requires("asyncsweep") or ()
    ]


def test_neither_the_viewer_nor_its_files_import_a_library() -> None:
    code = (
        "import sys; from asyncsweep.viewer import serving, assets; assets.assets(); "
        "print([name for name in ('hiplot', 'plotly', 'websockets', 'starlette', 'uvicorn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")


@pytest.mark.parametrize("package", ["hiplot", "plotly", "websockets"])
def test_a_package_that_is_missing_is_named_with_how_to_get_it(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else found(name))
    call = functools.partial(check_installed, package) if package == "websockets" else assets
    with pytest.raises(ConfigError, match=rf'^the viewer needs {package}: pip install "asyncsweep\[viewer\]"$'):
        call()


def test_another_version_of_hiplot_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metadata, "version", lambda name: "0.2.0")
    with pytest.raises(
        ConfigError, match=r"hiplot 0\.2\.0 is installed, and the page works with 0\.1\.33: pip install"
    ):
        assets()


def test_a_bundle_that_was_changed_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(
        Path, "read_bytes", lambda file: read(file) + (b" " if file.name == "hiplot.bundle.js" else b"")
    )
    with pytest.raises(ConfigError, match=r"not the one of its release; .*hiplot==0\.1\.33"):
        assets()


def test_a_package_without_its_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.LIBRARIES, PLOTLY, ("plotly", "package_data/none.js"))
    with pytest.raises(ConfigError, match=r"plotly as it is installed has no package_data/none\.js: pip install"):
        assets()


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        ("gzip", True),
        ("gzip, deflate, br, zstd", True),
        ("br;q=1.0, GZIP;q=0.8, *;q=0.1", True),
        ("*", True),
        ("", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, identity", False),
        ("x-gzipped", False),
    ],
)
def test_what_a_browser_accepts(header: str, accepted: bool) -> None:
    assert accepts_gzip(header) is accepted


FILES = {
    "": Asset(b"<p>" * 1000, "text/html; charset=utf-8"),
    "x.js": Asset(b"small", "text/javascript; charset=utf-8"),
}


@pytest.mark.anyio
async def test_what_accepts_gzip_gets_it_and_what_does_not_gets_the_same_as_it_is() -> None:
    plain = await answer(FILES, "GET", "", {}, host="localhost", is_encrypted=False)
    packed = await answer(FILES, "GET", "", {"accept-encoding": "gzip"}, host="localhost", is_encrypted=False)
    assert (plain.status, plain.body) == (200, FILES[""].content)
    assert gzip.decompress(packed.body) == plain.body
    assert len(packed.body) < 200
    assert [dict(found.headers).get("Content-Encoding") for found in (plain, packed)] == [None, "gzip"]
    assert [int(dict(found.headers)["Content-Length"]) for found in (plain, packed)] == [3000, len(packed.body)]
    assert dict(plain.headers)["ETag"] != dict(packed.headers)["ETag"]
    assert await FILES[""].packed() is packed.body  # once for all
    small = await answer(FILES, "GET", "x.js", {"accept-encoding": "gzip"}, host="localhost", is_encrypted=False)
    assert small.body == b"small"


@pytest.mark.anyio
async def test_head_says_what_get_would_without_the_body() -> None:
    head = await answer(FILES, "HEAD", "x.js", {}, host="localhost", is_encrypted=False)
    get = await answer(FILES, "GET", "x.js", {}, host="localhost", is_encrypted=False)
    assert head == get._replace(body=b"")


@pytest.mark.anyio
async def test_what_a_browser_has_already_is_not_sent_again() -> None:
    first = await answer(FILES, "GET", "x.js", {}, host="localhost", is_encrypted=False)
    etag = dict(first.headers)["ETag"]
    for header in (etag, f"W/{etag}", f'"other", {etag}'):
        again = await answer(FILES, "GET", "x.js", {"if-none-match": header}, host="localhost", is_encrypted=False)
        assert (again.status, again.body, dict(again.headers)["ETag"]) == (304, b"", etag)
    other = await answer(FILES, "GET", "x.js", {"if-none-match": '"other"'}, host="localhost", is_encrypted=False)
    assert other.status == 200


def test_headers_of_one_name_are_put_together() -> None:
    assert single([("Accept-Encoding", "br"), ("accept-encoding", "gzip"), ("X", "1")]) == {
        "accept-encoding": "br, gzip",
        "x": "1",
    }
