"""The page: what a sweep was, how it went, its best trials, and a table of all.

Whatever is of others (names, values, errors) goes through `_text`, which leaves nothing for a browser to obey: control
characters are escaped as on a terminal, then what means something in HTML. There is no script, and the policy in the page's
head forbids any, with everything else that could be loaded.
"""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from asyncsweep.columns import Columns
from asyncsweep.core.records import State, TrialRecord
from asyncsweep.html_page.chart import history
from asyncsweep.html_page.style import POLICY, STYLE
from asyncsweep.progress.text import duration_text, value_text, visible
from asyncsweep.result import Result
from asyncsweep.space import Constant

_LONGEST = 300
# Beyond this a browser takes its time.
_MOST_CELLS = 60_000
_MOST_BEST = 20
_MOST_ERRORS = 20


class Facts(NamedTuple):
    """What the trials do not tell.

    Attributes:
        title: What the sweep is called.
        status: How it stands, in words.
        settings: What it was made with, by name.
        made: When and by what the page was made.
    """

    title: str
    status: str
    settings: Mapping[str, str]
    made: str


def page(result: Result, facts: Facts, *, limit: int) -> str:
    """One HTML document.

    Args:
        result: The trials.
        facts: What else there is to say.
        limit: The first so many trials are in the table, or fewer where there are very many columns; 0 for as many as
            a browser can well show.
    """
    body = [
        f"<h1>{_text(facts.title)}</h1>",
        f"<p>{_text(facts.status)}</p>",
        f'<p class="faint">{_counts(result)}</p>',
        *_section(_best_title(result), _best(result)),
        *_section("History", _history(result)),
        *_section("Trials", _trials(result, limit)),
        *_section("Errors", _errors(result.trials)),
        *_section("Space", _pairs((name, domain.expected) for name, domain in result.space.items())),
        *_section("Settings", _pairs(facts.settings.items())),
        f"<footer>{_text(facts.made)}</footer>",
    ]
    head = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="referrer" content="no-referrer">'
        f"<title>{_text(facts.title)}</title><style>{STYLE}</style></head>"
    )
    return f"{head}\n<body>\n" + "\n".join(body) + "\n</body></html>\n"


def _text(value: str) -> str:
    """Text of others, which may be anything, in one line of at most some hundred characters."""
    short = value if len(value) <= _LONGEST else f"{value[:_LONGEST]}\N{HORIZONTAL ELLIPSIS}"
    return html.escape(visible(short))


def _section(title: str, content: str) -> Iterable[str]:
    return (f"<section><h2>{title}</h2>", content, "</section>") if content else ()


def _counts(result: Result) -> str:
    parts = [
        f'<span class="{state.value}">{state.value.lower()} {count}</span>'
        for state, count in result.counts.items()
        if count
    ]
    return " \N{MIDDLE DOT} ".join(parts) or "no trials"


def _best_title(result: Result) -> str:
    return "Best trial" if len(result.directions) == 1 else "Best trials (Pareto front)"


def _best(result: Result) -> str:
    if len(result.directions) == 1:
        best = result.best
        if best is None:
            return ""
        direction = next(iter(result.directions.values()))
        metrics = [(name, value_text(value)) for name, value in best.metrics.items()]
        params = [(name, value_text(value)) for name, value in best.params.items()]
        return _pairs([("trial", str(best.number)), *metrics, ("direction", direction), *params])
    found = result.best_trials
    return _table(result, found[:_MOST_BEST], len(found)) if found else ""


def _history(result: Result) -> str:
    if len(result.directions) > 1:
        return ""
    return history(result.trials, next(iter(result.directions.values())))


def _trials(result: Result, limit: int) -> str:
    trials = result.trials[:limit] if limit > 0 else result.trials
    return _table(result, trials, len(result.trials)) if trials else ""


def _table(result: Result, trials: Sequence[TrialRecord], n_all: int) -> str:
    """A row for each trial, as far as a browser can well show them."""
    constants = {name for name, domain in result.space.items() if isinstance(domain, Constant)}
    columns = Columns(result.space, result.directions, result.trials)
    params = {name: column for name, column in columns.params.items() if name not in constants}
    heads = [
        "trial",
        "state",
        *columns.metrics.values(),
        *columns.constraints.values(),
        *params.values(),
        "time",
        "error",
    ]
    shown = trials[: max(1, _MOST_CELLS // len(heads))]
    rows = "\n".join(
        "<tr>" + "".join(_cells(trial, columns.metrics, columns.constraints, params)) + "</tr>" for trial in shown
    )
    head = "".join(f'<th scope="col">{_text(name)}</th>' for name in heads)
    caption = "" if len(shown) == n_all else f"<caption>{len(shown)} of {n_all} trials shown</caption>"
    return f'<div class="wide"><table>{caption}<thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody></table></div>'


def _cells(
    trial: TrialRecord, metrics: Iterable[str], constraints: Iterable[str], params: Iterable[str]
) -> Iterable[str]:
    yield f'<td class="number">{trial.number}</td>'
    yield f'<td class="{trial.state.value}">{trial.state.value}</td>'
    for values, names in ((trial.metrics, metrics), (trial.constraints or {}, constraints), (trial.params, params)):
        yield from (_value(values[name]) if name in values else "<td></td>" for name in names)
    seconds = trial.duration_s
    duration = "" if seconds is None else f"{seconds:.3g} s" if seconds < 60 else duration_text(seconds)
    yield f'<td class="number">{duration}</td>'
    yield f'<td class="text">{_text(str(trial.error))}</td>' if trial.error is not None else "<td></td>"


def _value(value: Any) -> str:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    text = value if isinstance(value, str) else value_text(value, exact=False)
    return f'<td class="number">{_text(text)}</td>' if is_number else f"<td>{_text(text)}</td>"


def _errors(trials: Iterable[TrialRecord]) -> str:
    """Which errors there were, the most frequent ones first."""
    counts = Counter(str(trial.error) for trial in trials if trial.error is not None and trial.state is State.FAILED)
    if len(counts) < 2 and sum(counts.values()) < 2:
        return ""  # the one is in its row
    pairs = [(f"{count} \N{MULTIPLICATION SIGN}", error) for error, count in counts.most_common(_MOST_ERRORS)]
    return _pairs(pairs)


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    rows = "".join(f'<tr><th scope="row">{_text(name)}</th><td>{_text(text)}</td></tr>' for name, text in pairs)
    return f'<div class="wide"><table><tbody>{rows}</tbody></table></div>' if rows else ""
