"""The page of a sweep: whole for every kind of sweep, and nothing in it for a browser to obey."""

from __future__ import annotations

import base64
import hashlib
import math
from html.parser import HTMLParser
from typing import Any

import pytest

import asyncsweep as sw
from asyncsweep.core.records import ErrorInfo
from asyncsweep.html_page import Facts, page
from asyncsweep.progress.text import visible
from asyncsweep.space import Constant
from asyncsweep.testing.events import spec

FACTS = Facts("title", "Ended: enough.", {"objective": "train:objective"}, "Made now.")
# What a page of ours is made of; none of them loads or runs anything.
TAGS = {
    "html",
    "head",
    "meta",
    "title",
    "style",
    "body",
    "h1",
    "h2",
    "p",
    "span",
    "section",
    "div",
    "table",
    "caption",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "footer",
    "svg",
    "path",
    "text",
    "circle",
}
ATTRIBUTES = {
    "lang",
    "charset",
    "http-equiv",
    "content",
    "name",
    "class",
    "scope",
    "viewbox",
    "role",
    "aria-label",
    "d",
    "x",
    "y",
    "cx",
    "cy",
    "r",
    "text-anchor",
}
PAYLOADS = [
    "<script>alert(1)</script>",
    "</style><script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "<!--",
    "]]>",
    "&lt;script&gt;",
    "javascript:alert(1)",
    "\x00\x1b[31m\x9b\u202e",
    "\ud800",
    "{{7*7}}",
    "<" * 1000,
]


class Parsed(HTMLParser):
    """What a browser finds in a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.others: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)


def trial(number: int, value: float | None = 1.0, state: str = "COMPLETE", **params: Any) -> sw.TrialRecord:
    record = sw.TrialRecord(number, sw.State(state), attempt=1, started_at=10.0, finished_at=12.0)
    record.param_names, record.param_values = tuple(params), tuple(params.values())
    if value is not None:
        record.metric_names, record.metric_values = ("value",), (value,)
    return record


def result(*trials: sw.TrialRecord, **settings: Any) -> sw.Result:
    return sw.Result(spec(space={"x": sw.Float(0, 1)}, **settings), trials, "enough")


def shown(found: sw.Result, facts: Facts = FACTS, limit: int = 0) -> Parsed:
    """The page, seen to be harmless."""
    text = page(found, facts, limit=limit)
    parsed = Parsed(text)
    assert {tag for tag, _ in parsed.tags} <= TAGS
    assert {name for _, attributes in parsed.tags for name in attributes} <= ATTRIBUTES
    assert parsed.others == []
    assert all(character.isprintable() or character == "\n" for character in text)
    text.encode()
    return parsed


def cells(parsed: Parsed) -> list[str]:
    return [text for text in parsed.texts if text.strip()]


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_text_of_others_is_text_wherever_it_comes_from(payload: str) -> None:
    failed = trial(1, None, "FAILED", x=0.5)
    failed.error = ErrorInfo("ValueError", payload)
    found = sw.Result(
        spec(space={payload: sw.Categorical([payload, "b"])}, directions={payload + "m": "minimize"}),
        [trial(0, **{payload: payload}), failed, failed],
    )
    first = found.trials[0]
    first.metric_names, first.constraints = (payload + "m",), {payload: 1.0}
    parsed = shown(found, Facts(payload, payload, {payload: payload}, payload))
    short = visible(payload if len(payload) <= 300 else payload[:300] + "\N{HORIZONTAL ELLIPSIS}")
    assert cells(parsed).count(short) >= 8


def test_the_policy_lets_this_style_be_used_and_nothing_else() -> None:
    text = page(result(trial(0)), FACTS, limit=0)
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = next(attributes["content"] for _, attributes in shown(result()).tags if "http-equiv" in attributes)
    assert policy == f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    assert text.index("Content-Security-Policy") < text.index("<title>")
    assert "url(" not in style and "@import" not in style


def test_the_page_tells_status_counts_best_settings_and_trials() -> None:
    found = cells(shown(result(trial(0, 2.0, x=0.25), trial(1, 1.5, x=0.5), trial(2, None, "CANCELLED", x=0.75))))
    for text in (
        "Ended: enough.",
        "complete 2",
        "cancelled 1",
        "train:objective",
        "a number from 0 to 1",
        "Made now.",
    ):
        assert text in found
    best = found.index("Best trial")
    assert found[best + 1 : best + 9] == ["trial", "1", "value", "1.5", "direction", "minimize", "x", "0.5"]
    table = found.index("Trials")
    assert found[table + 1 : table + 7] == ["trial", "state", "value", "x", "time", "error"]
    assert found[table + 7 : table + 12] == ["0", "COMPLETE", "2", "0.25", "2 s"]


@pytest.mark.parametrize(
    "trials",
    [
        [],
        [trial(0, None, "FAILED"), trial(1, None, "FAILED")],
        [trial(0, math.nan), trial(1, math.inf), trial(2, -math.inf)],
        [trial(0, 1e308), trial(1, -1e308), trial(2, 5e-324)],
        [trial(0, 1.0), trial(1, 1.0)],
        [trial(0, None, "RUNNING", x=0.5), trial(1, None, "WAITING")],
        [trial(0, 1.0, x=None), trial(1, 2.0, x=b"\xff"), trial(2, 3.0, x={"a": [1, math.nan]}), trial(3, 1.0, x="")],
    ],
    ids=["none", "all failed", "not finite", "far apart", "equal", "open", "odd values"],
)
def test_every_kind_of_sweep_has_a_page(trials: list[sw.TrialRecord]) -> None:
    parsed = shown(result(*trials))
    assert "nan" not in "".join(str(attributes) for tag, attributes in parsed.tags if tag in ("circle", "path"))
    assert len([tag for tag, _ in parsed.tags if tag == "circle"]) in (0, 2, 3, 4)


def test_several_directions_have_a_table_of_the_front_and_no_drawing() -> None:
    records = [trial(0, x=0.1), trial(1, x=0.2), trial(2, x=0.3)]
    for record, values in zip(records, [(1.0, 2.0), (2.0, 1.0), (3.0, 3.0)], strict=True):
        record.metric_names, record.metric_values = ("a", "b"), values
    parsed = shown(result(*records, directions={"a": "minimize", "b": "minimize"}))
    found = cells(parsed)
    front = found[found.index("Best trials (Pareto front)") : found.index("Trials")]
    assert [text for text in front if text in ("0.1", "0.2", "0.3")] == ["0.1", "0.2"]
    assert "svg" not in {tag for tag, _ in parsed.tags}


def test_the_first_trials_are_shown_and_the_others_counted() -> None:
    parsed = shown(result(*(trial(number, float(number), x=0.5) for number in range(10))), limit=3)
    assert "3 of 10 trials shown" in parsed.texts
    assert len([1 for tag, _ in parsed.tags if tag == "tr"]) == 1 + 3 + 4 + 1 + 1


def test_a_great_many_parameters_make_the_table_shorter_not_the_page_endless() -> None:
    names = [f"p{number}" for number in range(200)]
    space = {name: sw.Float(0, 1) for name in names}
    records = [trial(number, **dict.fromkeys(names, 0.5)) for number in range(400)]
    text = page(sw.Result(spec(space=space), records), FACTS, limit=0)
    assert "292 of 400 trials shown" in text
    assert len(text) < 3_000_000


def test_the_best_so_far_goes_down_in_steps_and_misses_infeasible_trials() -> None:
    records = [trial(number, value) for number, value in enumerate([3.0, 1.0, 2.0, 0.0, 0.5])]
    records[3].constraints = {"c": 1.0}
    records[4].state = sw.State.PRUNED
    path = next(
        attributes["d"] for tag, attributes in shown(result(*records)).tags if attributes.get("class") == "best"
    )
    # From 3.0 at the top, at trial 1 to a third of the height above the floor, and on to the last trial.
    assert path == "M70.0 10.0H275.0V158.0H890.0"


def test_maximizing_the_best_so_far_goes_up() -> None:
    records = [trial(number, value) for number, value in enumerate([1.0, 3.0, 2.0])]
    parsed = shown(result(*records, directions={"value": "maximize"}))
    path = next(attributes["d"] for _, attributes in parsed.tags if attributes.get("class") == "best")
    assert path == "M70.0 232.0H480.0V10.0H890.0"


def test_a_long_sweep_is_drawn_with_fewer_points() -> None:
    parsed = shown(result(*(trial(number, float(number % 7)) for number in range(5000))), limit=1)
    assert len([tag for tag, _ in parsed.tags if tag == "circle"]) == 2000


def test_errors_are_counted_the_most_frequent_first() -> None:
    records = [trial(number, None, "FAILED") for number in range(3)]
    for record, message in zip(records, ("rare", "often", "often"), strict=True):
        record.error = ErrorInfo("ValueError", message)
    found = cells(shown(result(*records)))
    assert found[found.index("Errors") + 1 :][:4] == [
        "2 \N{MULTIPLICATION SIGN}",
        "ValueError: often",
        "1 \N{MULTIPLICATION SIGN}",
        "ValueError: rare",
    ]


def test_constants_are_in_the_space_and_have_no_column() -> None:
    space = {"x": sw.Float(0, 1), "epochs": Constant(30)}
    found = cells(shown(sw.Result(spec(space=space), [trial(0, x=0.5, epochs=30)])))
    table = found[found.index("Trials") : found.index("Space")]
    assert "epochs" not in table
    assert found[found.index("Space") :][3:5] == ["epochs", "the constant 30"]
