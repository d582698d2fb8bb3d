"""A workload as pictures: bars of the contestants, with the range of their repetitions; needs the extra `bench`.

One picture for each unit, one group of bars for each thing that was measured. The scale is logarithmic where the largest is many
times the smallest. A hatched bar does less than the others: its letter is the one in the tables. A line across a bar is the goal.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.harness.cases import Outcome
from benchmarks.harness.figures import OURS, Figure
from benchmarks.harness.tables import marks_of, shown

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOGARITHMIC_FROM = 20.0
"""How many times the smallest bar the largest one is, for a logarithmic scale."""

RATIO = "x"
_SHARED_UNITS = {"trips/s": "trials/s"}  # the limit stands beside what it limits

MOST_GROUPS = 14
"""A picture with more is cut into several."""

_OUR_COLOUR = "#0b68cb"
_LIMIT_COLOUR = "#9aa1ab"
_COLOURS = ("#e07b39", "#3a9d78", "#8a63c9", "#c2a32d", "#c9506f", "#5ba0b5", "#8c6d54")
_INK, _FAINT, _LINE = "#1c2024", "#60646c", "#dcdfe4"
_GOAL_COLOUR = "#ce2c31"
_BAR_INCHES, _GROUP_GAP_INCHES = 0.21, 0.34
_WIDTH_INCHES = 9.0


class MissingLibrary(ValueError):
    """There is no matplotlib."""


class Picture(NamedTuple):
    """One picture.

    Attributes:
        name: For its file: the workload, and what it is about where there are several.
        about: What it shows, for those who cannot see it.
        png: Its bytes.
    """

    name: str
    about: str
    png: bytes


class Group(NamedTuple):
    """What contestants are held against each other in."""

    label: str
    figures: Sequence[Figure]


def pictures(name: str, outcome: Outcome) -> list[Picture]:
    """The pictures of a workload: none when nothing was measured.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    marks = marks_of(outcome.figures.values())
    found: list[Picture] = []
    for unit, groups in by_unit(outcome.figures.values()).items():
        for part in _cut(groups):
            place = f"-{len(found) + 1}" if found else ""
            about = f"{name}: medians and ranges in {unit}: " + "; ".join(
                f"{group.label}: " + ", ".join(f"{f.contestant} {shown(f.median)}" for f in group.figures)
                for group in part
            )
            found.append(Picture(f"{name}{place}", about, _drawn(unit, part, outcome, marks)))
    return found


def by_unit(figures: Iterable[Figure]) -> dict[str, list[Group]]:
    """Unit to groups; ratios are in tables. A group's figures have labels that differ in the contestant alone."""
    found: dict[str, dict[str, list[Figure]]] = {}
    for figure in figures:
        if figure.contestant and figure.unit != RATIO and figure.samples:
            found.setdefault(_SHARED_UNITS.get(figure.unit, figure.unit), {}).setdefault(what(figure), []).append(
                figure
            )
    return {unit: [Group(label, of_one) for label, of_one in groups.items()] for unit, groups in found.items()}


def what(figure: Figure) -> str:
    """What a figure measures, without whose it is: labels begin or end with that, or not."""
    names = {figure.contestant, figure.contestant.replace("_", " "), figure.contestant.replace("_", "-")}
    parts = figure.label.split(", ")
    return ", ".join(part for part in parts if part.lower() not in names) or figure.unit


def is_logarithmic(figures: Sequence[Figure]) -> bool:
    """Whether a bar would hide beside another one. Nothing that is 0 or less has a place on such a scale."""
    lows, highs = [figure.low for figure in figures], [figure.median for figure in figures]
    return min(lows) > 0 and max(highs) / min(highs) >= LOGARITHMIC_FROM


def colours(contestants: Iterable[str]) -> dict[str, str]:
    """A colour for each contestant, the same whoever else takes part."""
    known = {OURS: _OUR_COLOUR, "raw": _LIMIT_COLOUR}
    order = ("by_hand", "optuna", "ray", "syne_tune", "dask", "smac", "hyperopt")
    known |= dict(zip(order, _COLOURS, strict=True))
    return {name: known.get(name, _COLOURS[sum(name.encode()) % len(_COLOURS)]) for name in contestants}


def _cut(groups: Sequence[Group]) -> Iterator[Sequence[Group]]:
    for start in range(0, len(groups), MOST_GROUPS):
        yield groups[start : start + MOST_GROUPS]


def _drawn(unit: str, groups: Sequence[Group], outcome: Outcome, marks: Mapping[str, str]) -> bytes:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
    except ImportError as error:
        raise MissingLibrary('plots need matplotlib: pip install "asyncsweep[bench]"') from error
    figures = [figure for group in groups for figure in group.figures]
    height = len(figures) * _BAR_INCHES + len(groups) * _GROUP_GAP_INCHES + 0.9
    canvas = Canvas(figsize=(_WIDTH_INCHES, height), dpi=144, layout="constrained")
    FigureCanvasAgg(canvas)
    axes = canvas.add_subplot()
    is_log = is_logarithmic(figures)
    if is_log:
        axes.set_xscale("log")
        axes.set_xlim(min(figure.low for figure in figures) / 2, max(figure.high for figure in figures) * 4)
    else:
        axes.set_xlim(0, max(figure.high for figure in figures) * 1.25 or 1.0)
    _bars(axes, groups, marks, {goal.figure.key: goal.limit for goal in outcome.goals})
    _dressed(axes, unit + (", logarithmic" if is_log else ""))
    _legend(axes, figures)
    written = io.BytesIO()
    canvas.savefig(written, format="png", metadata={"Software": None})
    return written.getvalue()


def _bars(axes: Axes, groups: Sequence[Group], marks: Mapping[str, str], limits: Mapping[str, float]) -> None:
    colour = colours(figure.contestant for group in groups for figure in group.figures)
    y, ticks = 0.0, []
    for group in groups:
        y += _GROUP_GAP_INCHES
        axes.annotate(
            group.label,
            (0, y - 0.35 * _BAR_INCHES),
            xycoords=("axes fraction", "data"),
            xytext=(4, 0),
            textcoords="offset points",
            fontsize=8.5,
            fontweight="bold",
            color=_INK,
            va="center",
        )
        y += 0.2 * _BAR_INCHES
        for figure in group.figures:
            y += _BAR_INCHES
            at = y - _BAR_INCHES / 2
            _bar(axes, figure, at, colour[figure.contestant], marks, limits.get(figure.key))
            ticks.append((at, figure.contestant))
    axes.set_ylim(y + 0.5 * _BAR_INCHES, 0)
    axes.set_yticks([at for at, _ in ticks], [name for _, name in ticks])


def _bar(axes: Axes, figure: Figure, at: float, colour: str, marks: Mapping[str, str], limit: float | None) -> None:
    style: dict[str, Any] = {"color": colour, "edgecolor": colour}
    if figure.does_less:
        style = {"color": "white", "edgecolor": colour, "hatch": "////"}
    axes.barh(at, figure.median, height=0.8 * _BAR_INCHES, linewidth=1, **style)
    axes.plot([figure.low, figure.high], [at, at], color=_INK, linewidth=1.1, solid_capstyle="butt")
    if limit is not None:
        half = 0.5 * _BAR_INCHES
        axes.plot([limit, limit], [at - half, at + half], color=_GOAL_COLOUR, linewidth=2)
    mark = f" [{marks[figure.does_less]}]" if figure.does_less else ""
    goal = "" if limit is None else f" (goal {shown(limit)})"
    axes.annotate(
        f"{shown(figure.median)}{mark}{goal}",
        (max(figure.high, limit or 0.0), at),
        xytext=(5, 0),
        textcoords="offset points",
        fontsize=8,
        color=_INK,
        va="center_baseline",
        annotation_clip=False,
    )


def _dressed(axes: Axes, unit: str) -> None:
    axes.set_xlabel(unit, fontsize=8.5, color=_FAINT)
    axes.tick_params(axis="y", length=0, labelsize=8, labelcolor=_FAINT)
    axes.tick_params(axis="x", which="both", labelsize=8, labelcolor=_FAINT, color=_LINE)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    axes.grid(axis="x", color=_LINE, linewidth=0.6)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side == "left")
        spine.set_color(_LINE)


def _legend(axes: Axes, figures: Sequence[Figure]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    shown_here: list[Any] = [Line2D([], [], color=_INK, linewidth=1.1, label="range of all repetitions")]
    if any(line.get_color() == _GOAL_COLOUR for line in axes.lines):
        shown_here.append(Line2D([], [], color=_GOAL_COLOUR, linewidth=2, label="goal"))
    if any(figure.does_less for figure in figures):
        shown_here.append(Patch(facecolor="white", edgecolor=_FAINT, hatch="////", label="does less: see the letter"))
    axes.legend(
        handles=shown_here,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=3,
        fontsize=7.5,
        frameon=False,
        labelcolor=_FAINT,
    )
