"""Promises S12, S13, S14 and S26: nothing that is in a sweep is executed by its page, live or exported."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal

import asyncsweep as sw
from asyncsweep.cli import export_html, show
from asyncsweep.testing.events import spec
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
# Breaks the page: writes texts into it as HTML.
BREAK = """
if (window === top) addEventListener("DOMContentLoaded", () => {
  for (const text of %s) {
    const box = document.createElement("div");
    document.body.append(box);
    box.innerHTML = text;
  }
});
"""
EXPORTED = pytest.param("exported", marks=pytest.mark.deep)
EDITIONS = ["live", "exported"]
# What is exported is one JSON text in the page, whatever place of the sweep a text is from: here the place with the most kinds of names.
PLACES_OF_EDITIONS = [
    pytest.param(place, edition, marks=[pytest.mark.deep] if edition == "exported" and place != "columns" else [])
    for place in marked.PLACES
    for edition in EDITIONS
]
NAME = "".join(markup.ALL)
# No policy keeps a document from being left for another address. It runs nothing here.
LEAVES = "http-equiv=refresh"

At = Callable[..., Sync]


@pytest.fixture
def shown(page_at: Pages, portal: BlockingPortal, tmp_path: Path) -> Iterator[Callable[..., Sync]]:
    """The page of a sweep, live or exported; it is watched for dialogs and for requests to others."""
    stack = ExitStack()
    requests: list[Any] = []
    dialogs: list[str] = []
    bases: list[str] = []

    def open_page(directory: Path, edition: str, name: str = "first", **options: Any) -> Sync:
        if edition == "live":
            viewer = stack.enter_context(portal.wrap_async_context_manager(_served({name: directory})))
            url, base = viewer.url, f"//127.0.0.1:{viewer.port}/"
        else:
            file = tmp_path / "page.html"
            file.write_text(export_html.interactive(directory, None, name), encoding="utf-8")
            url = file.as_uri()
            base = url.removesuffix("page.html").removeprefix("file:")
        bases.append(base)
        page = page_at("", init_script=options.pop("init_script", WATCH), **options)
        page.on("request", lambda request: requests.append(request))
        page.on("dialog", lambda dialog: dialogs.append(dialog.message))
        page.goto(url, timeout=30_000)
        return page

    yield open_page
    stack.close()
    # What the policy refused did not leave the browser.
    left = [request.url for request in requests if request.failure != "csp"]
    own = ("data:", "blob:", "about:", *(f"{scheme}:{base}" for base in bases for scheme in ("http", "ws", "file")))
    assert [url for url in left if not url.startswith(own)] == []
    assert dialogs == []


def _served(directories: dict[str, Path]) -> Any:
    return sw.serve(directories)


def seen(found: str, text: str) -> bool:
    """Whether a text was shown, whatever became of its invisible characters."""
    parts = [part for part in "".join(c if c.isprintable() else "\0" for c in text).split("\0") if part]
    return max(parts, key=len)[:40] in found


@pytest.mark.parametrize(("place", "edition"), PLACES_OF_EDITIONS)
def test_nothing_in_a_sweep_is_executed(place: str, edition: str, shown: At, tmp_path: Path) -> None:
    texts = markup.FOR_CHARTS if place == "objectives" else markup.ALL
    name = NAME if place == "columns" else "first"
    page = shown(marked.put(tmp_path, place, texts), edition, name)
    many = len(texts) if place == "trials" else 4
    choices = 4 if place in ("columns", "objectives") else 1
    found = page.evaluate(LOOK_AROUND, {"hasLogs": place == "trials", "mostTrials": many, "mostChoices": choices})
    history = page.locator("#history")
    history.locator(".points path").first.hover(force=True)
    expect(history.locator(".chart-tip")).to_contain_text("Trial")
    assert history.locator(".chart-tip :not(strong, dl, dt, dd)").count() == 0
    assert found["become"] == []
    assert page.evaluate("[window.__ran, window.__refused]") == [0, []]
    assert name[:40] in found["texts"]
    assert [text for text in texts if not seen(found["texts"], text)] == []


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_policy_alone_lets_nothing_run(edition: str, shown: At, page_at: Pages, tmp_path: Path) -> None:
    page_at.expect_fault("Content Security Policy|Failed to load resource")
    texts = [text for text in markup.ALL if LEAVES not in text]
    directory = marked.put(tmp_path, "parameters", ["x"])
    page = shown(directory, edition, init_script=WATCH + BREAK % json.dumps(texts))
    page.wait_for_function("many => window.__refused.length >= many", arg=len(markup.RUNNING))
    refused = page.evaluate("window.__refused")
    assert {"script-src-attr", "script-src-elem", "base-uri"} <= set(refused)
    assert page.evaluate("window.__ran") == 0
    expect(page.locator("table.trials tbody tr")).to_have_count(3)


@pytest.mark.parametrize("edition", ["live", EXPORTED])
def test_without_the_policy_a_page_that_was_broken_runs_them(
    edition: str, shown: At, page_at: Pages, tmp_path: Path
) -> None:
    """What the other tests look for can happen, and they would see it."""
    page_at.expect_fault("Failed to load resource|ERR_")
    directory = marked.put(tmp_path, "parameters", ["x"])
    script = WATCH + BREAK % json.dumps(markup.RUNNING)
    page = shown(directory, edition, init_script=script, bypass_csp=True)
    page.wait_for_function("many => window.__ran >= many", arg=len(markup.RUNNING))
    assert page.evaluate("window.__refused") == []
    found = page.evaluate(LOOK_AROUND, {"hasLogs": False, "mostTrials": 1, "mostChoices": 1})
    assert len(found["become"]) >= len(markup.RUNNING) // 2


@pytest.mark.parametrize("edition", ["live", EXPORTED])
def test_names_that_every_object_has_stay_data(edition: str, shown: At, tmp_path: Path) -> None:
    keys = markup.KEYS
    directions: Any = {"__proto__": "minimize", "constructor": "maximize"}
    settings = spec(n_trials=len(keys), directions=directions, space={key: sw.Categorical(list(keys)) for key in keys})
    params = [{key: keys[(k + i) % len(keys)] for i, key in enumerate(keys)} for k in range(len(keys))]
    directory = marked.sweep(tmp_path / "first", settings, params, names=keys[2:])
    page = shown(directory, edition)
    table = page.locator("table.trials")
    expect(table.locator("tbody tr")).to_have_count(len(keys))
    heads = [text.strip(" \u25be\u25b4") for text in table.locator("th").all_inner_texts()]
    # A parameter of each name; and a metric, which may be optimised, and a constraint.
    assert {key: heads.count(key) for key in keys} == dict.fromkeys(keys, 1)
    assert {f"{kind}:{key}" for kind in ("metric", "constraint") for key in keys[2:]} <= set(heads)
    assert {"metric:__proto__ min", "metric:constructor max"} <= set(heads)
    table.locator("tr[data-number='0'] button").click()
    rows = {tuple(text.split()) for text in page.locator("#detail tr").all_inner_texts()}
    assert {(key, params[0][key]) for key in keys} <= rows
    expect(page.locator("#parallel .label-name").first).to_be_visible()
    with page.expect_download() as download:
        page.locator("#trials").get_by_role("button", name="CSV").click()
    show.read(directory).result.to_csv(tmp_path / "trials.csv")
    assert Path(download.value.path()).read_bytes() == (tmp_path / "trials.csv").read_bytes()
    assert page.evaluate("[window.__before === Reflect.ownKeys(Object.prototype).join(), window.__refused]") == [
        True,
        [],
    ]
