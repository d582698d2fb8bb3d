"""A run as one HTML file that needs no network: goals, ratios, pictures, notes, and HiPlot with every repetition of every case.

Everything that is said comes from the run's JSON and is escaped. HiPlot's page is a document of its own in a frame, whose scripts
reach nothing of this one.
"""

from __future__ import annotations

import base64
import html
import io
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import workloads
from benchmarks.harness import plots
from benchmarks.harness.cases import Outcome
from benchmarks.harness.figures import Figure, Goal
from benchmarks.harness.results import Results
from benchmarks.harness.tables import marked, marks_of, setting_lines, shown

NAME = "report.html"

_STYLE = """
:root { color-scheme: light; --ink: #1c2024; --faint: #60646c; --line: #e3e6ea; --panel: #f6f7f9; --ours: #0b68cb;
  --yes: #18794e; --no: #ce2c31; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 68rem; padding: 2.5rem 1.5rem 4rem; color: var(--ink); background: #fff;
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .35rem; letter-spacing: -.01em; }
h2 { font-size: 1.3rem; margin: 3rem 0 .2rem; padding-top: 1rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: .3rem 0; max-width: 52rem; }
a { color: var(--ours); text-decoration: none; } a:hover { text-decoration: underline; }
nav { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; }
.faint { color: var(--faint); } .small { font-size: .87rem; }
.warning { border-left: 3px solid #d98e04; background: #fff8e8; padding: .5rem .9rem; border-radius: 0 6px 6px 0;
  margin: 1rem 0; max-width: none; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(10rem, 1fr)); gap: .75rem; margin: 1.5rem 0 0; }
.card { background: var(--panel); border-radius: 8px; padding: .8rem 1rem; }
.card b { display: block; font-size: 1.35rem; line-height: 1.3; font-variant-numeric: tabular-nums; }
.card span { color: var(--faint); font-size: .83rem; }
.wide { overflow-x: auto; border: 1px solid var(--line); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .87rem; }
th, td { padding: .34rem .8rem; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line); }
tbody tr:last-child > * { border-bottom: 0; }
thead th { background: var(--panel); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 400; min-width: 9rem; }
.number { text-align: right; white-space: nowrap; }
.yes { color: var(--yes); font-weight: 600; } .no { color: var(--no); font-weight: 600; } .ratio { font-weight: 600; }
figure { margin: 1.25rem 0; } img { display: block; max-width: 100%; height: auto; }
ul { margin: .3rem 0; padding-left: 1.2rem; } li { margin: .15rem 0; max-width: 52rem; }
summary { cursor: pointer; color: var(--ours); margin: 1rem 0 .5rem; }
iframe { width: 100%; height: 62rem; border: 1px solid var(--line); border-radius: 8px; }
footer { margin-top: 3rem; }
@media print { body { max-width: none; padding: 0; } h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
"""


def write(found: Results, folder: Path) -> Path:
    """Write the page and its pictures into a folder, which is made; gives the page.

    Raises:
        ValueError: A library of the extra `bench` is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {name: plots.pictures(name, outcome) for name, outcome in found.workloads.items()}
    for of_one in drawn.values():
        for picture in of_one:
            (folder / f"{picture.name}.png").write_bytes(picture.png)
    page = folder / NAME
    page.write_text("".join(document(found, drawn, _hiplot(rows(found)))), encoding="utf-8")
    return page


def document(found: Results, drawn: Mapping[str, Sequence[plots.Picture]], hiplot_page: str) -> Iterator[str]:
    """The parts of the page."""
    goals = [(name, goal) for name, outcome in found.workloads.items() for goal in outcome.goals]
    yield '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f'<title>asyncsweep benchmarks</title><link rel="icon" href="data:,"><style>{_STYLE}</style></head><body>\n'
    yield from _head(found, goals)
    if goals:
        yield from _goals(goals, found)
    for name, outcome in found.workloads.items():
        yield from _workload(name, outcome, drawn.get(name, ()))
    if hiplot_page:
        yield '<h2 id="runs">Every run</h2><p>Each line is one repetition of one case. Drag along an axis to select; drag an '
        yield "axis's title to move it. <i>Of median</i> is the value by the median of its case, so what strays stands out.</p>"
        yield f'<iframe title="Every run, in HiPlot" sandbox="allow-scripts" srcdoc="{html.escape(hiplot_page)}"></iframe>\n'
    yield '<h2 id="setting">Where it was measured</h2>'
    lines = (line.partition(": ") for line in setting_lines(found.setting))
    yield from _table(("", ""), ((_th(name), _td(value)) for name, _, value in lines))
    yield '<footer class="faint small">Medians of all repetitions, which were interleaved case by case; ranges span all of '
    yield "them. Measured with <code>python -m benchmarks</code>.</footer></body></html>\n"


def rows(found: Results) -> list[dict[str, Any]]:
    """One for each repetition of each case; ratios are made of them, and not among them."""
    return [
        {
            "repetition": place + 1,
            "contestant": figure.contestant,
            "workload": name,
            "measured": plots.what(figure),
            "unit": figure.unit,
            "of median": sample / figure.median if figure.median else 1.0,
            "value": sample,
        }
        for name, outcome in found.workloads.items()
        for figure in outcome.figures.values()
        if figure.contestant and figure.unit != plots.RATIO
        for place, sample in enumerate(figure.samples)
    ]


def _hiplot(made: Sequence[Mapping[str, Any]]) -> str:
    """HiPlot's own page with these rows; "" without any: it has no experiment without a datapoint."""
    if not made:
        return ""
    try:
        import hiplot
    except ImportError as error:
        raise ValueError('the report needs HiPlot: pip install "asyncsweep[bench]"') from error
    # HiPlot obeys HTML in texts: none gets a `<`.
    safe = str.maketrans("<", "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}")
    points = [{name: v.translate(safe) if isinstance(v, str) else v for name, v in row.items()} for row in made]
    names = sorted({row["contestant"] for row in made})
    kinds = {name: hiplot.ValueDef(hiplot.ValueType.CATEGORICAL) for name in ("workload", "measured", "unit")}
    kinds["contestant"] = hiplot.ValueDef(hiplot.ValueType.CATEGORICAL, colors=_rgb(plots.colours(names)))
    is_positive = all(row["value"] > 0 for row in made)
    kinds["value"] = hiplot.ValueDef(hiplot.ValueType.NUMERIC_LOG if is_positive else hiplot.ValueType.NUMERIC)
    experiment = hiplot.Experiment(
        [hiplot.Datapoint(point, uid=str(number)) for number, point in enumerate(points)], kinds
    )
    experiment.colorby = "contestant"
    hidden = [name for name in made[0] if len({row[name] for row in made}) == 1]
    order = list(made[0])[::-1]  # the first is the rightmost one
    experiment.display_data(hiplot.Displays.PARALLEL_PLOT).update(
        {"order": order, "hide": ["uid", "from_uid", *hidden]}
    )
    experiment.display_data(hiplot.Displays.TABLE).update({"hide": ["from_uid"]})
    written = io.StringIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # HiPlot leaves the file of its icon open
        experiment.to_html(written)
    return written.getvalue()


# -- parts ------------------------------------------------------------------------------------------------------------


def _head(found: Results, goals: Sequence[tuple[str, Goal]]) -> Iterator[str]:
    setting = found.setting
    n_figures = sum(
        len(figure.samples)
        for outcome in found.workloads.values()
        for figure in outcome.figures.values()
        if figure.contestant
    )
    failed = sum(len(outcome.failed) for outcome in found.workloads.values())
    contestants = dict.fromkeys(
        f.contestant for o in found.workloads.values() for f in o.figures.values() if f.contestant
    )
    yield "<header><h1>asyncsweep benchmarks</h1>"
    told = [str(setting[key]) for key in ("at", "processor", "python") if setting.get(key)]
    if setting.get("processors"):
        told.insert(2 if "processor" in setting else 1, f"{setting['processors']} processors")
    yield f'<p class="faint">{_text(" · ".join(told))}</p>'
    if setting.get("is_quick"):
        yield '<p class="warning">Measured with <code>--quick</code>: samples this small show that it works, not how fast.</p>'
    yield '<div class="cards">'
    if goals:
        yield _card(f"{sum(goal.met for _, goal in goals)} of {len(goals)}", "goals met")
    yield _card(str(len(found.workloads)), "workloads" if len(found.workloads) != 1 else "workload")
    yield _card(str(len(contestants)), "contestants")
    yield _card(f"{n_figures:,}", "single measurements")
    if failed:
        yield _card(str(failed), "failed")
    yield "</div><nav>"
    places = [
        *((f"w-{name}", name) for name in found.workloads),
        ("runs", "every run"),
        ("setting", "where it was measured"),
    ]
    yield "".join(f'<a href="#{_text(place)}">{_text(name)}</a>' for place, name in places)
    yield "</nav></header>\n"


def _goals(goals: Sequence[tuple[str, Goal]], found: Results) -> Iterator[str]:
    marks = {name: marks_of(outcome.figures.values()) for name, outcome in found.workloads.items()}
    yield '<h2 id="goals">Goals</h2>'
    yield from _table(
        ("goal", "workload", "#limit", "#median", "#range", "met"),
        (
            (
                _th(marked(goal.figure, marks[name])),
                f'<td><a href="#w-{_text(name)}">{_text(name)}</a></td>',
                _number(f"{'≤' if goal.at_most else '≥'} {shown(goal.limit)} {goal.figure.unit}"),
                _number(f"{shown(goal.figure.median)} {goal.figure.unit}"),
                _number(_range(goal.figure)),
                f'<td class="{"yes" if goal.met else "no"}">{"yes" if goal.met else "no"}</td>',
            )
            for name, goal in goals
        ),
    )


def _workload(name: str, outcome: Outcome, pictures: Sequence[plots.Picture]) -> Iterator[str]:
    marks = marks_of(outcome.figures.values())
    yield f'<h2 id="w-{_text(name)}">{_text(name)}</h2><p class="faint">{_text(_about(name))}</p>'
    for picture in pictures:
        data = base64.b64encode(picture.png).decode()
        yield f'<figure><img alt="{_text(picture.about)}" src="data:image/png;base64,{data}"></figure>\n'
    ratios = [figure for figure in outcome.figures.values() if figure.unit == plots.RATIO]
    if ratios:
        yield "<h3>Ratios, taken within each repetition</h3>"
        yield from _table(
            ("ratio", "#median", "#range"),
            (
                (
                    _th(marked(figure, marks)),
                    f'<td class="number ratio">{shown(figure.median)}x</td>',
                    _number(_range(figure)),
                )
                for figure in ratios
            ),
        )
    yield from _small_print(outcome, marks)
    others = [figure for figure in outcome.figures.values() if figure.unit != plots.RATIO]
    if others:
        yield "<details><summary>All figures</summary>"
        yield from _table(
            ("measured", "contestant", "#median", "#range", "unit", "#samples"),
            (
                (
                    _th(marked(figure, marks)),
                    _td(figure.contestant),
                    _number(shown(figure.median)),
                    _number(_range(figure)),
                    _td(figure.unit),
                    _number(str(len(figure.samples))),
                )
                for figure in others
            ),
        )
        yield "</details>\n"


def _small_print(outcome: Outcome, marks: Mapping[str, str]) -> Iterator[str]:
    yield '<ul class="small">'
    for less, mark in marks.items():
        yield f"<li>[{mark}] {_text(less)}</li>"
    for key, why in outcome.failed.items():
        yield f'<li><span class="no">failed</span>: {_text(key)}: {_text(why)}</li>'
    for key, why in outcome.skipped.items():
        yield f"<li>not measured: {_text(key)}: {_text(why)}</li>"
    for note in outcome.notes:
        yield f"<li>{_text(note)}</li>"
    yield f"<li>Noise: {_text(outcome.noise_line)}.</li></ul>"


def _about(name: str) -> str:
    """What a workload is; "" for one that is not here any more, or cannot be loaded here."""
    try:
        return workloads.named(name).about
    except (ImportError, KeyError, ValueError):
        return ""


def _table(head: Sequence[str], body: Iterable[Iterable[str]]) -> Iterator[str]:
    """A table; a column whose name begins with # has numbers."""
    yield '<div class="wide"><table>'
    if any(head):
        cells = "".join(
            f'<th class="number">{name[1:]}</th>' if name[:1] == "#" else f"<th>{name}</th>" for name in head
        )
        yield f"<thead><tr>{cells}</tr></thead>"
    yield "<tbody>"
    for row in body:
        yield f"<tr>{''.join(row)}</tr>\n"
    yield "</tbody></table></div>\n"


def _card(what: str, of: str) -> str:
    return f'<div class="card"><b>{_text(what)}</b><span>{_text(of)}</span></div>'


def _rgb(colours: Mapping[str, str]) -> dict[str, str]:
    """The only form in which HiPlot takes colours."""
    return {
        name: f"rgb({', '.join(str(byte) for byte in bytes.fromhex(colour[1:]))})" for name, colour in colours.items()
    }


def _range(figure: Figure) -> str:
    return f"{shown(figure.low)} .. {shown(figure.high)}"


def _th(text: str) -> str:
    return f'<th scope="row">{_text(text)}</th>'


def _td(text: str) -> str:
    return f"<td>{_text(text)}</td>"


def _number(text: str) -> str:
    return f'<td class="number">{_text(text)}</td>'


def _text(text: str) -> str:
    return html.escape(text)
