"""Results and running sweeps as a notebook shows them: a small table instead of a line of text.

Whatever is of others (names, values, reasons) goes through `_text`, which leaves nothing for a browser to obey. Colours are such as can be
read on white and on black, for a notebook's theme is not told to what it shows; where a notebook that is not trusted takes the style
away, tables are left.
"""

from __future__ import annotations

import heapq
import html
import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from asyncsweep.columns import Columns
from asyncsweep.core.records import FINAL_STATES, State, TrialRecord
from asyncsweep.progress.text import value_text, visible
from asyncsweep.space import Constant

if TYPE_CHECKING:
    from asyncsweep.result import Result
    from asyncsweep.run import SweepRun

MOST_ROWS = 5
MOST_PARAMS = 12
MOST_METRICS = 8
LONGEST = 60

_COLOURS = {
    State.WAITING: "#7d7d85",
    State.RUNNING: "#2f80c8",
    State.COMPLETE: "#2c9a63",
    State.PRUNED: "#b87514",
    State.FAILED: "#d94a4f",
    State.CANCELLED: "#9a62c4",
}
_LINE = "border-bottom:1px solid rgba(128,128,128,.3)"
_CELL = f"padding:.2em .7em;{_LINE};max-width:22em;overflow:hidden;text-overflow:ellipsis;white-space:nowrap"


def result_html(result: Result) -> str:
    """What a result shows: its counts, why it ended, and the best trials."""
    n_trials = len(result.trials)
    heading = f"<b>{n_trials} trial{'s' * (n_trials != 1)}</b> {_counts(result.counts)}"
    reason = f" &middot; {_text(result.reason)}" if result.reason else ""
    return _page(f"{heading}{reason}", _best_table(result))


def run_html(run: SweepRun) -> str:
    """What a running sweep shows: how it stands, its counts, and the best trials so far."""
    result = run.snapshot()
    n_final = sum(result.counts[state] for state in FINAL_STATES)
    standing = "ended" if run.is_over else "stopping" if run.is_stopping else "paused" if run.is_paused else "running"
    of = "" if run.n_trials is None else f" of {run.n_trials}"
    bar = "" if run.n_trials is None else f' <progress value="{n_final}" max="{run.n_trials}"></progress>'
    reason = f" &middot; {_text(result.reason)}" if result.reason else ""
    return _page(
        f"<b>Sweep {standing}</b>: {n_final}{of} trials{bar} {_counts(result.counts)}{reason}", _best_table(result)
    )


def _page(heading: str, table: str) -> str:
    return f'<div style="line-height:1.5"><div>{heading}</div>{table}</div>'


def _counts(counts: Mapping[State, int]) -> str:
    parts = [
        f'<span style="color:{_COLOURS[state]}">{state.value.lower()} {count}</span>'
        for state, count in counts.items()
        if count
    ]
    return f"&middot; {' &middot; '.join(parts)}" if parts else ""


def _best_table(result: Result) -> str:
    """The best trials, the best one first; of several directions, the first trials of the front."""
    if len(result.directions) > 1:
        found = result.best_trials
        best, title = found[:MOST_ROWS], f"Pareto front: {len(found)} trials"
    else:
        ((name, direction),) = result.directions.items()
        sign = 1 if direction == "minimize" else -1
        complete = (
            trial
            for trial in result.trials
            if trial.state is State.COMPLETE and trial.is_feasible and not math.isnan(trial.metric_values[0])
        )
        best = heapq.nsmallest(MOST_ROWS, complete, key=lambda trial: (sign * trial.metric_values[0], trial.number))
        title = f"Best trials ({direction} {_text(name)})"
    if not best:
        return ""
    columns = Columns(result.space, result.directions, best)
    varying = [name for name in columns.params if not isinstance(result.space.get(name), Constant)]
    params = {name: columns.params[name] for name in varying[:MOST_PARAMS]}
    metrics = dict(list(columns.metrics.items())[:MOST_METRICS])
    heads = ["trial", *metrics.values(), *params.values(), "time"]
    cells = [list(_values(trial, metrics, params)) for trial in best]
    head = "".join(_cell(name, like, "th") for name, like in zip(heads, cells[0], strict=True))
    rows = "".join(f"<tr>{''.join(_cell(value, value) for value in row)}</tr>" for row in cells)
    hidden = len(varying) - len(params)
    more = f'<div style="opacity:.7">{hidden} more parameters are not shown</div>' if hidden else ""
    return (
        f'<div style="margin-top:.4em;opacity:.7">{title}</div><div style="overflow-x:auto">'
        f'<table style="border-collapse:collapse;margin:.2em 0;color:inherit"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{more}'
    )


def _values(trial: TrialRecord, metrics: Iterable[str], params: Iterable[str]) -> Iterable[Any]:
    yield trial.number
    for values, names in ((trial.metrics, metrics), (trial.params, params)):
        yield from (values.get(name, "") for name in names)
    yield "" if trial.duration_s is None else f"{trial.duration_s:.3g} s"


def _cell(value: Any, like: Any, tag: str = "td") -> str:
    """A cell, aligned as its column."""
    is_number = isinstance(like, int | float) and not isinstance(like, bool)
    text = value if isinstance(value, str) else value_text(value, exact=False)
    return f'<{tag} style="{_CELL};text-align:{"right" if is_number else "left"}">{_text(text)}</{tag}>'


def _text(value: str) -> str:
    """Text of others, which may be anything, in one line."""
    short = value if len(value) <= LONGEST else f"{value[:LONGEST]}\N{HORIZONTAL ELLIPSIS}"
    return html.escape(visible(short))
