"""The page that is one file: nothing but its own scripts in it, and all of the live page's views."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.cli.export_html import interactive
from asyncsweep.cli.show import read
from asyncsweep.core import events as ev
from asyncsweep.core.records import Direction, ErrorInfo
from asyncsweep.space import Constant
from asyncsweep.testing.events import Bench, pruned, reported, spec, started, suggested, worker_joined
from asyncsweep.viewer.assets import LIBRARIES, library
from asyncsweep.viewer.export import as_json, page, policy
from tests.cli import made
from tests.promises import markup
from tests.viewer.browser import PHONE, Pages, Sync, expect, screenshot
from tests.viewer.scripted import Scripted, column, snapshot, status

N_TRIALS = 60


class Parsed(HTMLParser):
    """The elements of a page, and the texts of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._is_script = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._is_script = tag == "script" and not dict(attrs).get("type")
        if self._is_script:
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self._is_script:
            self.scripts[-1] += data

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False


def sweep(directory: Path) -> Path:
    """One like a real one: two kinds of parameters, learning curves, trials in all states that a finished sweep has."""
    space: dict[str, Any] = {
        "lr": sw.Float(1e-5, 0.1, log=True),
        "depth": sw.Int(1, 8),
        "optimizer": sw.Categorical(["sgd", "adam", "rmsprop"]),
        "epochs": Constant(30),
    }
    directions: dict[str, Direction] = {"loss": "minimize"}
    settings = spec(n_trials=N_TRIALS, space=space, directions=directions, concurrency=4, objective="train.py")
    bench = Bench(settings, worker_joined(slots=4))
    for k in range(N_TRIALS):
        lr, depth, place = 10 ** (-5 + k * 7 % 41 / 10), 1 + k * 5 % 8, k * 11 % 3
        loss = 0.2 + abs(math.log10(lr) + 2.6) / 4 + 1 / (3 + depth) + place / 10
        params = {"lr": lr, "depth": depth, "optimizer": ["adam", "rmsprop", "sgd"][place], "epochs": 30}
        bench.send(suggested(k, **params), started(k), after_s=1 if k else 1.7638e9)
        n_steps = 3 if k % 5 == 4 and k > 8 else 12
        for step in range(n_steps):
            bench.send(reported(k, step, loss + 1.5 * math.exp(-step / 4)), after_s=2)
        if n_steps == 3:
            bench.send(pruned(k))
        elif k % 13 == 7:
            error = ErrorInfo("FloatingPointError", "the loss is NaN", "Traceback (most recent call last):\n  ...")
            bench.send(ev.Failed(k, 1, error))
        else:
            bench.send(ev.Finished(k, 1, {"loss": loss, "accuracy": 1 - loss / 3}))
    made.put(directory, bench.journal)
    (directory / "trials" / "20").mkdir(parents=True)
    (directory / "trials" / "20" / "attempt-1.log").write_text("epoch 1 loss 0.9\nepoch 2 loss nan\n")
    return directory


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a sweep, beside its folder."""
    folder = tmp_path_factory.mktemp("exported")
    file = folder / "page.html"
    file.write_text(interactive(sweep(folder / "image-classifier"), None, None), encoding="utf-8")
    return file


def made_of(recording: Any, title: str) -> Parsed:
    return Parsed(page(json.dumps(recording, ensure_ascii=False), title, ["var library = 1;"]))


def test_only_the_scripts_that_were_put_there_may_run(exported: Path) -> None:
    parsed = Parsed(exported.read_text(encoding="utf-8"))
    content = next(a["content"] for tag, a in parsed.tags if a.get("http-equiv") == "Content-Security-Policy")
    digests = [base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in parsed.scripts]
    hashes = " ".join(f"'sha256-{digest}'" for digest in digests)
    assert content == (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    assert len(digests) == len(LIBRARIES) + 1
    assert [tag for tag, _ in parsed.tags[:4]] == ["html", "head", "meta", "meta"]  # before anything that it is about


def test_the_libraries_are_inside_as_they_are_installed(exported: Path) -> None:
    assert Parsed(exported.read_text(encoding="utf-8")).scripts[:-1] == [library(path) for path in LIBRARIES]


def test_nothing_in_the_page_leads_out_of_it(exported: Path) -> None:
    for tag, attributes in Parsed(exported.read_text(encoding="utf-8")).tags:
        assert not [name for name in attributes if name.startswith("on")], tag
        for name in ("src", "href", "action", "data"):
            assert (attributes.get(name) or "#").startswith(("#", "data:")), (tag, attributes)


def test_no_text_changes_what_the_page_is_made_of() -> None:
    harmless = made_of({"messages": []}, "x")
    for title in markup.ALL[::6]:
        parsed = made_of({"messages": [{text: text} for text in markup.ALL]}, title)
        assert (parsed.tags, parsed.scripts) == (harmless.tags, harmless.scripts)


def test_json_that_was_made_inert_means_the_same() -> None:
    for text in (*markup.ALL, "\u2028\u2029&amp;", '"\\u003c\\', "\x00\x1f", "\N{CRAB}"):
        written = as_json(json.dumps({text: [text]}, ensure_ascii=False))
        assert json.loads(written) == {text: [text]}
        assert not re.search("[<>&\u2028\u2029]", written)


def test_a_policy_without_scripts_lets_none_run() -> None:
    assert "script-src ;" in policy([]) and "default-src 'none'" in policy([])


# -- in a browser ---------------------------------------------------------------------------------------------------------


def opened(pages: Pages, exported: Path, **options: Any) -> tuple[Sync, list[str]]:
    """The page, with all that is drawn in it drawn; and what it has asked for."""
    requests: list[str] = []
    shown = pages("", **options)
    shown.on("request", lambda request: requests.append(request.url))
    shown.goto(exported.as_uri(), timeout=30_000)
    expect(shown.locator("table.trials tbody tr").first).to_be_visible()
    for chart in ("#history", "#curves"):
        shown.locator(chart).scroll_into_view_if_needed()
        expect(shown.locator(f"{chart} .main-svg").first).to_be_visible()
    expect(shown.locator("#parallel .label-name").first).to_be_visible()
    shown.evaluate("scrollTo(0, 0)")
    return shown, requests


def test_a_file_shows_everything_without_asking_anybody(page_at: Pages, exported: Path) -> None:
    shown, requests = opened(page_at, exported)
    expect(shown.get_by_role("heading", level=1)).to_have_text("image-classifier")
    expect(shown.locator("#link")).to_contain_text(re.compile(r"recorded \d"))
    expect(shown.locator("#shown")).to_have_text("60 of 60 shown")
    expect(shown.locator("#parallel .label-name")).to_have_count(6)
    screenshot(shown, "exported-light", full_page=True)
    assert [url for url in requests if not url.startswith("data:")] == [exported.as_uri()]
    assert shown.evaluate("typeof $modules") == "undefined"


def test_a_file_answers_from_what_is_in_it(page_at: Pages, exported: Path, tmp_path: Path) -> None:
    shown, _ = opened(page_at, exported)
    with shown.expect_download() as download:
        shown.locator("#trials").get_by_role("button", name="CSV").click()
    read(exported.parent / "image-classifier").result.to_csv(tmp_path / "trials.csv")
    assert Path(download.value.path()).read_bytes() == (tmp_path / "trials.csv").read_bytes()
    shown.locator("tr[data-number='20'] button").click()
    expect(shown.locator("#detail .message")).to_have_text("FloatingPointError: the loss is NaN")
    expect(shown.locator("#detail pre[role=log]")).to_contain_text("epoch 2 loss nan")
    shown.locator("#detail").get_by_role("button", name="Next trial").click()
    expect(shown.locator("#detail-title")).to_have_text("Trial 19")
    expect(shown.locator("#detail")).to_contain_text("This file has the ends of failed trials' logs alone")


_FROM_ROW = """async (messages) => {
  const [{ recording }, { Store }] = await Promise.all([import("./recorded.js"), import("./store.js")]);
  const recorded = recording({ getElementById: () => ({ textContent: JSON.stringify({ messages }) }) });
  recorded.start(new Store());
  return [(await recorded.ask("trial", { trial: 0 })).detail.params, (await recorded.ask("csv")).text];
}"""


def test_of_a_trial_without_details_the_table_tells(page_at: Pages, scripted: Scripted) -> None:
    columns = [
        column("opt", type="category", choices=["3", '"3"']),
        column("epochs", type="constant", choices=["30"]),
        column("seed", type="any"),
    ]
    cells = [1, None, "7"]
    messages = [snapshot([[0, "COMPLETE", 1, None, None, None, None, None, *cells]], columns=columns), status()]
    scripted.leave_charts_out()
    params, csv = page_at(scripted.url).evaluate(_FROM_ROW, messages)
    assert params == [["opt", '"3"', '"3"'], ["epochs", "30", "30"], ["seed", "7", '"7"']]
    assert csv.splitlines()[1] == '0,COMPLETE,"""3""",30,7,1,,,'


def test_a_file_is_dark_where_the_system_is(page_at: Pages, exported: Path) -> None:
    shown, _ = opened(page_at, exported, color_scheme="dark")
    screenshot(shown, "exported-dark", full_page=True)
    assert shown.evaluate("document.documentElement.dataset.theme") == "dark"


def test_a_file_fits_on_a_phone(page_at: Pages, exported: Path) -> None:
    shown, _ = opened(page_at, exported, viewport=PHONE)
    screenshot(shown, "exported-phone", full_page=True)
    assert shown.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
