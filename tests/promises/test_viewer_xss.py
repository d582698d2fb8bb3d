"""Promises S12, S13, S14 and S26: nothing that is in a sweep is executed by its page, live or exported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal

import asyncsweep as sw
from asyncsweep.cli import export_html
from tests.promises import marked, markup
from tests.viewer.browser import Pages, Sync, expect
from tests.viewer.conftest import chromium, page_at, portal

__all__ = ["chromium", "page_at", "portal"]

LOOK_AROUND = (Path(__file__).parent / "look_around.js").read_text()
# What a payload does is counted, in whatever document of the page it does it; so is what the policy forbids.
WATCH = """
if (window === top) {
  window.__ran = 0;
  window.__refused = [];
  Object.defineProperty(window, "__xss", { set() { window.__ran += 1; }, get() { return undefined; } });
  document.addEventListener("securitypolicyviolation", (event) => window.__refused.push(event.effectiveDirective));
  window.__before = Reflect.ownKeys(Object.prototype).join();
}
"""
EDITIONS = ["live", "exported"]
NAME = "".join(markup.ALL)

At = Callable[..., Sync]


@pytest.fixture
def shown(page_at: Pages, portal: BlockingPortal, tmp_path: Path) -> Iterator[Callable[..., Sync]]:
    """The page of a sweep, live or exported; it is watched for dialogs and for requests to others."""
    stack = ExitStack()
    others: list[str] = []

    def open_page(directory: Path, edition: str, name: str = "first", **options: Any) -> Sync:
        if edition == "live":
            viewer = stack.enter_context(portal.wrap_async_context_manager(_served({name: directory})))
            url, own = viewer.url, f"http://127.0.0.1:{viewer.port}/"
        else:
            file = tmp_path / "page.html"
            file.write_text(export_html.interactive(directory, None, name), encoding="utf-8")
            url = own = file.as_uri()
        page = page_at("", init_script=options.pop("init_script", WATCH), **options)

        def note(request: Any) -> None:
            if not request.url.startswith((own, own.replace("http", "ws", 1), "data:", "blob:", "about:")):
                others.append(request.url)

        page.on("request", note)
        page.on("dialog", lambda dialog: others.append(f"dialog: {dialog.message}"))
        page.goto(url)
        return page

    yield open_page
    stack.close()
    assert others == []


def _served(directories: dict[str, Path]) -> Any:
    return sw.serve(directories)


def seen(found: str, text: str) -> bool:
    """Whether a text was shown, whatever became of its invisible characters."""
    parts = [part for part in "".join(c if c.isprintable() else "\0" for c in text).split("\0") if part]
    return max(parts, key=len)[:40] in found


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("place", marked.PLACES)
def test_nothing_in_a_sweep_is_executed(place: str, edition: str, shown: At, tmp_path: Path) -> None:
    texts = markup.FOR_CHARTS if place == "objectives" else markup.ALL
    name = NAME if place == "columns" else "first"
    page = shown(marked.put(tmp_path, place, texts), edition, name)
    expect(page.locator("#views")).to_be_visible()
    found = page.evaluate(LOOK_AROUND, {"hasLogs": place == "trials", "mostChoices": 4})
    for chart in ("#history", "#curves"):
        points = page.locator(f"{chart} .points path")
        if points.count():
            points.first.hover(force=True)
    assert found["become"] == []
    assert page.evaluate("[window.__ran, window.__refused]") == [0, []]
    assert name[:40] in found["texts"]
    assert [text for text in texts if not seen(found["texts"], text)] == []
