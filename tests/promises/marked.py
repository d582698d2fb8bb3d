"""Sweeps' folders with texts of `markup` (or others) in every place where the words of others are; nothing is run for them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import asyncsweep as sw
from asyncsweep.core import events as ev
from asyncsweep.core.records import ErrorInfo
from asyncsweep.testing.events import Bench, attr_set, constraint_set, reported, spec, started, suggested, worker_joined
from tests.cli import made

# "columns" are the names of metrics and constraints; "trials" the errors, tracebacks, logs and attributes, and the worker's name.
PLACES = ("parameters", "choices", "columns", "objectives", "trials")


def put(parent: Path, place: str, texts: Sequence[str]) -> Path:
    """A finished sweep with all the texts in one of `PLACES`: a column for each, or a trial."""
    directory = parent / "first"
    few = [{"x": k / 3} for k in range(3)]
    space: dict[str, Any]
    if place == "parameters":
        space = {text: sw.Float(0, 1) for text in texts}
        params = [{text: (k + i) % 7 / 7 for i, text in enumerate(texts)} for k in range(3)]
        return sweep(directory, spec(n_trials=3, space=space), params)
    if place == "choices":
        space = {"choice": sw.Categorical(list(texts)), "other": sw.Categorical([*reversed(texts)])}
        return sweep(directory, spec(n_trials=len(texts), space=space), [{"choice": t, "other": t} for t in texts])
    if place == "columns":
        return sweep(directory, spec(n_trials=3), few, names=texts)
    if place == "objectives":
        directions: Any = {text: ("minimize", "maximize")[i % 2] for i, text in enumerate(texts)}
        return sweep(directory, spec(n_trials=3, directions=directions, objective="".join(texts)), few)
    params = [{"x": i / 100} for i in range(len(texts) + 2)]
    sweep(directory, spec(n_trials=len(params)), params, texts=texts)
    for number, text in enumerate(texts):
        folder = directory / "trials" / str(number)
        folder.mkdir(parents=True)
        (folder / "attempt-1.log").write_text(f"{text}\nepoch 1\n{text}\n" + "".join(texts), encoding="utf-8")
    return directory


def sweep(
    directory: Path,
    settings: sw.SweepSpec,
    params: Sequence[dict[str, Any]],
    *,
    names: Sequence[str] = (),
    texts: Sequence[str] = (),
) -> Path:
    """A trial for each of `params`, with metrics and constraints of these names; each of the texts has one that fails with it."""
    bench = Bench(settings, worker_joined("".join(texts) or "w"))
    for number, found in enumerate(params):
        bench.send(suggested(number, **found), started(number), reported(number, 0, 1.5), after_s=1)
        bench.send(reported(number, 1, 1.0 + number % 5), after_s=1)
        if number < len(texts):
            text = texts[number]
            bench.send(attr_set(number, text, text), attr_set(number, "of", {text: [text]}))
            bench.send(ev.Failed(number, 1, ErrorInfo(text, text, f"Traceback\n  {text}\n{text}")), after_s=1)
            continue
        bench.send(*(constraint_set(number, name, i - 100.0) for i, name in enumerate(names)))
        values = {name: number + i / 10 for i, name in enumerate((*settings.directions, *names))}
        bench.send(ev.Finished(number, 1, values), after_s=1)
    return made.put(directory, bench.journal)
