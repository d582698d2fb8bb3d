"""What `asyncsweep export html` writes: the live page with a recording in it, or a page without any script (`--plain`)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asyncsweep import __version__
from asyncsweep.cli.show import Story, read
from asyncsweep.errors import ConfigError
from asyncsweep.html_page import Facts
from asyncsweep.progress.text import duration_text
from asyncsweep.result import Result

_PLAIN_ROWS = 1000


def interactive(directory: Path, rows: int | None, title: str | None) -> str:
    """The page of the viewer.

    Args:
        directory: The sweep's.
        rows: So many trials at most, evenly over the sweep; None or 0 for as many as a page can well have.
        title: What it is called; None for the name of the folder.

    Raises:
        ConfigError: There is no sweep, or what the page is made of is not installed.
        JournalError: The journal cannot be read.
    """
    from asyncsweep.viewer.assets import LIBRARIES, library
    from asyncsweep.viewer.export import page
    from asyncsweep.viewer.recording import MOST_TRIALS, of_directory

    try:
        libraries = [library(path) for path in LIBRARIES]
    except ConfigError as error:
        raise ConfigError(f"{error}; or --plain, for a page without scripts") from error
    recorded = of_directory(directory, title or "", most_trials=min(rows or MOST_TRIALS, MOST_TRIALS))
    return page(recorded.text, recorded.name, libraries)


def plain(directory: Path, rows: int | None, title: str | None) -> str:
    """The page that a mail program shows too; `rows` are the first trials in its table, 0 for as many as a browser can well show.

    Raises:
        ConfigError: There is no sweep.
        JournalError: The journal is damaged.
    """
    from asyncsweep.html_page import page

    story = read(directory)
    name = directory.absolute().name if title is None else title
    return page(story.result, _facts(story, name or str(directory)), limit=_PLAIN_ROWS if rows is None else rows)


def _facts(story: Story, title: str) -> Facts:
    spec = story.spec
    if story.finish is not None:
        status = f"Ended: {story.finish.error or story.finish.reason}."
    else:
        ago = duration_text(time.time() - story.at)
        status = f"Not ended: it ran, or was interrupted. The last event was {ago} before this page was made."
    settings = {
        "objective": spec.objective,
        "direction": ", ".join(f"{name}: {direction}" for name, direction in spec.directions.items()),
        "sampler": _plugin(spec.sampler),
        "pruner": _plugin(spec.pruner),
        "executor": _plugin(spec.executor),
        "n_trials": str(spec.n_trials),
        "concurrency": str(spec.concurrency or "all slots"),
        "seed": str(spec.seed),
        "started": _started(story.result),
    }
    made = f"Made by asyncsweep {__version__} at {datetime.now(UTC):%Y-%m-%d %H:%M} UTC."
    return Facts(title, status, {name: text for name, text in settings.items() if text}, made)


def _plugin(spec: Any) -> str:
    options = ", ".join(f"{name}={value!r}" for name, value in spec.options.items())
    return f"{spec.name}({options})" if options else str(spec.name)


def _started(result: Result) -> str:
    first = min((trial.started_at for trial in result.trials if trial.started_at), default=0.0)
    try:
        return f"{datetime.fromtimestamp(first, UTC):%Y-%m-%d %H:%M:%S} UTC" if first else ""
    except (OverflowError, OSError, ValueError):
        return repr(first)
