"""`asyncsweep import`: a sweep's directory made of an Optuna study, a CSV file or another sweep."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import Any

import click

from asyncsweep import checks
from asyncsweep.errors import ConfigError
from asyncsweep.progress.text import visible
from asyncsweep.space import Domain


@click.command(
    name="import",
    short_help="Make a sweep of an Optuna study, a CSV file or another sweep.",
    epilog="""\b
Examples:
  asyncsweep import sqlite:///study.db sweeps/first
  asyncsweep import trials.csv sweeps/first --direction loss=minimize --space lr="log_uniform(1e-5, 1e-1)"
  asyncsweep import sweeps/old sweeps/new
""",
)
@click.argument("source", metavar="SOURCE")
@click.argument("directory", metavar="DIR")
@click.option("--study", metavar="NAME", help="Which study of a storage, where there are several.")
@click.option("--space", "spaces", multiple=True, metavar="NAME=DOMAIN", help="A parameter; once for each.")
@click.option(
    "--direction",
    "directions",
    multiple=True,
    metavar="[METRIC=]minimize|maximize",
    help="What is better; once for each metric. A study tells it.",
)
@click.option("--ignore", multiple=True, metavar="NAME", help="A parameter or column to pass over; once for each.")
@click.option("--objective", default="", metavar="NAME", help="What the objective is called, such as train:objective.")
@click.option("--seed", type=int, metavar="N", help="Of the sweep that goes on. Default: a random one.")
@click.option("--json", "as_json", is_flag=True, help="Tell what was imported as JSON.")
def import_(
    source: str,
    directory: str,
    study: str | None,
    spaces: tuple[str, ...],
    directions: tuple[str, ...],
    ignore: tuple[str, ...],
    objective: str,
    seed: int | None,
    as_json: bool,
) -> None:
    """Make the new sweep DIR of SOURCE: the URL of an Optuna storage, a CSV file, or another sweep's folder.

    Its trials are the sweep's own, numbered from 0: what has not ended is left out. DIR can be listed, shown and exported,
    and goes on with more trials as every sweep does. SOURCE is not changed.
    """
    from asyncsweep.importing import import_search

    done = import_search(
        source,
        Path(directory),
        study=study,
        space=_space(spaces),
        directions=checks.directions(_directions(directions)) if directions else None,
        ignore=frozenset(ignore),
        objective=objective,
        seed=None if seed is None else checks.count("--seed", seed, least=0, most=2**32 - 1),
    )
    n_trials = sum(done.counts.values())
    if as_json:
        document = {
            "directory": str(Path(directory).absolute()),
            "source": done.source,
            "trials": n_trials,
            "counts": {state.value: count for state, count in done.counts.items()},
            "left_out": done.n_left_out,
            "directions": dict(done.spec.directions),
            "space": {name: domain.expected for name, domain in done.spec.space.items()},
            "notes": list(done.notes),
        }
        json.dump(document, sys.stdout, allow_nan=False)
        sys.stdout.write("\n")
        return
    counts = ", ".join(f"{count} {state.value}" for state, count in done.counts.items() if count)
    _say(f"{n_trials} trials imported into {directory}: {counts}.")
    if done.n_left_out:
        _say(f"{done.n_left_out} left out that had not ended by themselves.")
    for note in done.notes:
        _say(f"note: {note}.")
    named = shlex.quote(objective) if objective else "TARGET"
    _say(f"Go on with: asyncsweep resume {shlex.quote(directory)} {named} --trials {n_trials + 100}")


def _space(texts: tuple[str, ...]) -> dict[str, Domain]:
    from asyncsweep.space.parse import parse_domain

    return {name: parse_domain(text, name) for name, text in _pairs("--space", texts, "lr='log_uniform(1e-5, 1e-1)'")}


def _directions(texts: tuple[str, ...]) -> Any:
    """A direction, or metric names with directions; which words are directions is checked."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    return dict(_pairs("--direction", texts, "loss=minimize"))


def _pairs(option: str, texts: tuple[str, ...], sample: str) -> list[tuple[str, str]]:
    found: dict[str, str] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{option} {text!r}: expected NAME=..., such as {sample}")
        if name in found:
            raise ConfigError(f"{option} {text!r}: {name!r} is given twice")
        found[name] = value
    return list(found.items())


def _say(line: str) -> None:
    click.echo(visible(line, sys.stdout.encoding or "utf-8"))
