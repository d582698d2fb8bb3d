"""The values of a sweep with one direction over its trials, and the best so far, as a drawing in the page."""

from __future__ import annotations

import math
from collections.abc import Sequence

from asyncsweep.core.policy import is_better
from asyncsweep.core.records import Direction, State, TrialRecord

_WIDTH, _HEIGHT = 900, 260
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 10, 10, 28
_MOST_POINTS = 2000


def history(trials: Sequence[TrialRecord], direction: Direction) -> str:
    """The drawing as SVG; "" when fewer than two trials have a finite value."""
    points = [
        (trial.number, trial.metric_values[0], trial)
        for trial in trials
        if trial.state in (State.COMPLETE, State.PRUNED)
        and trial.metric_values
        and math.isfinite(trial.metric_values[0])
    ]
    if len(points) < 2:
        return ""
    last = points[-1][0] or 1
    low, high = min(value for _, value, _ in points), max(value for _, value, _ in points)
    # Halves, for the difference of two floats may be beyond all floats.
    span = high / 2 - low / 2

    def x(number: int) -> str:
        return f"{_LEFT + (_WIDTH - _LEFT - _RIGHT) * number / last:.1f}"

    def y(value: float) -> str:
        share = (value / 2 - low / 2) / span if span else 0.5
        return f"{_TOP + (_HEIGHT - _TOP - _BOTTOM) * (1 - share):.1f}"

    path, best = "", math.nan
    for number, value, trial in points:
        counts = trial.state is State.COMPLETE and trial.is_feasible
        if counts and (math.isnan(best) or is_better(direction, value, best)):
            path += f"M{x(number)} {y(value)}" if math.isnan(best) else f"H{x(number)}V{y(value)}"
            best = value
    path += f"H{x(last)}" if path else ""
    step = len(points) / min(len(points), _MOST_POINTS)
    drawn = [points[int(place * step)] for place in range(min(len(points), _MOST_POINTS))]
    floor, right = _HEIGHT - _BOTTOM, _WIDTH - _RIGHT
    return "".join(
        (
            f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="Values over trials, and the best so far">',
            f'<path class="axis" d="M{_LEFT} {_TOP}V{floor}H{right}"/>',
            f'<text x="{_LEFT - 6}" y="{_TOP + 8}" text-anchor="end">{high:.4g}</text>',
            f'<text x="{_LEFT - 6}" y="{floor}" text-anchor="end">{low:.4g}</text>',
            f'<text x="{_LEFT}" y="{floor + 16}">0</text>',
            f'<text x="{right}" y="{floor + 16}" text-anchor="end">trial {last}</text>',
            *(f'<circle class="{t.state.value}" cx="{x(n)}" cy="{y(v)}" r="2.5"/>' for n, v, t in drawn),
            f'<path class="best" d="{path}"/>' if path else "",
            "</svg>",
        )
    )
