"""`asyncsweep view`: sweeps in a browser, from their journals, also while they run."""

from __future__ import annotations

import os
import signal
from collections import Counter
from typing import Any

import anyio
import click

from asyncsweep.cli.group import EXIT_INTERRUPTED
from asyncsweep.cli.interrupts import heeded


@click.command(
    name="view",
    short_help="Show sweeps in a browser, also while they run.",
    epilog="""\b
Examples:
  asyncsweep view sweeps/first
  asyncsweep view sweeps/*                        all of them on one page
  asyncsweep view sweeps/first --control          with buttons to pause, stop and cancel
  asyncsweep view sweeps/first --port 8080        on another computer, then from here:
  ssh -L 8080:127.0.0.1:8080 THERE                and open the link that it printed
""",
)
@click.argument("directories", metavar="DIR...", nargs=-1, required=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="N", help="Default: a free one.")
@click.option("--control", is_flag=True, help="Who has the link may also pause, stop, cancel and enqueue.")
@click.option(
    "--browser/--no-browser",
    "browser",
    default=None,
    help="Open the link. Default: on a terminal of a computer with a display.",
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option("--allow-remote", is_flag=True, help="With --host: one that other computers reach. Nothing is encrypted.")
@click.option(
    "--known-as", multiple=True, metavar="NAME[:PORT]", help="With --allow-remote: by which name they visit this one."
)
def view(
    directories: tuple[str, ...],
    port: int,
    control: bool,
    browser: bool | None,
    host: str,
    allow_remote: bool,
    known_as: tuple[str, ...],
) -> None:
    """Show the sweep in each DIR on one page in a browser, until Ctrl-C, which ends the page and no sweep.

    The link has a token: who has it may look. What happens to a sweep is shown as it happens, also when it is interrupted and resumed.
    Nothing of a sweep is executed or changed. With --control, one that `asyncsweep run` runs can be steered from the page.
    """
    places = _named(directories)
    options = {"port": port, "control": control, "host": host, "allow_remote": allow_remote, "hosts": known_as}
    anyio.run(_serve, places, options, browser)
    click.echo("Interrupted: the page is not served any more.", err=True)
    raise click.exceptions.Exit(EXIT_INTERRUPTED)


async def _serve(places: dict[str, str], options: dict[str, Any], browser: bool | None) -> None:
    from asyncsweep.cli.browser import opened
    from asyncsweep.viewer.serving import serve

    async with serve(places, **options) as viewer:
        with opened(viewer.url, browser), anyio.open_signal_receiver(*heeded()) as signals:
            click.echo(f"Viewer: {viewer.url}")
            click.echo("Ctrl-C ends it.", err=True)
            await anext(signals)
        for number in heeded():  # while those who watch are told
            signal.signal(number, _end_at_once)


def _end_at_once(number: int, frame: object) -> None:
    os._exit(EXIT_INTERRUPTED)


def _named(directories: tuple[str, ...]) -> dict[str, str]:
    """Each directory once, by its name; where several are called alike, by the path that was given."""
    found = {os.path.realpath(directory): directory for directory in reversed(directories)}
    given = [directory for path, directory in reversed(found.items())]
    names = [os.path.basename(os.path.abspath(directory)) for directory in given]
    count = Counter(names)
    return {
        directory if count[name] > 1 or not name else name: directory
        for name, directory in zip(names, given, strict=True)
    }
