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

PLACES = ("parameters", "choices", "metrics", "objectives", "errors", "logs", "attributes", "name")
WORKER = "process-1"


def put(parent: Path, place: str, texts: Sequence[str]) -> Path:
    """A finished sweep with all the texts in one of `PLACES`: a column for each, or a trial."""
    directory = parent / "first"
    if place == "name":  # the folder's own name is short; the caller names it otherwise
        return _put(directory, spec(n_trials=3), [{"x": 0.1}, {"x": 0.5}, {"x": 0.9}])
    if place == "parameters":
        space: dict[str, Any] = {text: sw.Float(0, 1) for text in texts}
        params = [{text: (k + i) % 7 / 7 for i, text in enumerate(texts)} for k in range(3)]
        return _put(directory, spec(n_trials=3, space=space), params)
    if place == "choices":
        space = {"choice": sw.Categorical(list(texts)), "other": sw.Categorical([*reversed(texts)])}
        params = [{"choice": text, "other": text} for text in texts]
        return _put(directory, spec(n_trials=len(texts), space=space), params)
    if place == "metrics":
        more = {text: float(i) for i, text in enumerate(texts)}
        return _put(directory, spec(n_trials=3), [{"x": k / 3} for k in range(3)], metrics=more)
    if place == "objectives":
        directions: Any = {text: ("minimize", "maximize")[i % 2] for i, text in enumerate(texts)}
        settings = spec(n_trials=3, directions=directions, objective="".join(texts))
        return _put(directory, settings, [{"x": k / 3} for k in range(3)])
    return _put(
        directory, spec(n_trials=len(texts)), [{"x": i / 100} for i in range(len(texts))], texts=texts, where=place
    )


def _put(
    directory: Path,
    settings: sw.SweepSpec,
    params: Sequence[dict[str, Any]],
    *,
    metrics: dict[str, float] | None = None,
    texts: Sequence[str] = (),
    where: str = "",
) -> Path:
    worker = texts[0] if where == "attributes" else WORKER
    bench = Bench(settings, worker_joined(worker, slots=1))
    for number, found in enumerate(params):
        text = texts[number] if texts else ""
        bench.send(suggested(number, **found), started(number), reported(number, 0, 1.5), after_s=1)
        bench.send(reported(number, 1, 1.0 + number % 5), after_s=1)
        if where == "attributes":
            bench.send(attr_set(number, text, text), attr_set(number, "of", {text: [text]}))
            bench.send(constraint_set(number, text, -1.0))
        if where == "errors" and number % 4:
            bench.send(ev.Failed(number, 1, ErrorInfo(text, text, f"Traceback\n  {text}\n{text}")), after_s=1)
            continue
        values = {name: number + i / 10 for i, name in enumerate(settings.directions)}
        bench.send(ev.Finished(number, 1, {**values, **(metrics or {})}), after_s=1)
    made.put(directory, bench.journal)
    if where == "logs":
        for number, text in enumerate(texts):
            folder = directory / "trials" / str(number)
            folder.mkdir(parents=True)
            (folder / "attempt-1.log").write_text(f"{text}\nepoch 1\n{text}\n" + "".join(texts), encoding="utf-8")
    return directory
