"""`--view` of the commands that run a sweep: what the options mean, and what the user is told."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import click

from asyncsweep.errors import ConfigError
from asyncsweep.journal.files import reason

HOST = "127.0.0.1"

VIEW_OPTIONS = (
    click.option("--view", is_flag=True, help="Show the sweep in a browser while it runs."),
    click.option(
        "--view-port",
        type=click.IntRange(0, 65535),
        metavar="N",
        help="With --view: the port of its page. Default: a free one.",
    ),
    click.option("--no-browser", is_flag=True, help="With --view: open no browser, only print the link."),
)


class View(NamedTuple):
    """How a run is shown in a browser.

    Attributes:
        port: Of the page; 0 for a free one.
        opens: Whether a browser is opened; None: where it is likely seen.
    """

    port: int
    opens: bool | None


def view_of(options: Mapping[str, Any]) -> View | None:
    """What the options of a command line say; None where the run is not to be shown.

    Raises:
        ConfigError: They contradict each other, or the viewer is not installed.
    """
    if not options["view"]:
        for given, option in (
            (options["view_port"] is not None, "--view-port"),
            (options["no_browser"], "--no-browser"),
        ):
            if given:
                raise ConfigError(f"{option}: it is for the page of a run; say --view too, or leave it out")
        return None
    port = options["view_port"] or 0
    _check(port)
    return View(port, False if options["no_browser"] else None)


def _check(port: int) -> None:
    """See that a page can be served, before a sweep has begun for nothing.

    Raises:
        ConfigError: It cannot.
    """
    from asyncsweep.viewer.assets import assets, check_installed

    check_installed("websockets")
    assets()
    with socket.socket() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # of connections that are over already
        try:
            sock.bind((HOST, port))
        except OSError as error:
            raise ConfigError(
                f"--view-port {port}: the page cannot be served there: {reason(error)}; take another port, or leave it out"
            ) from error


def look_again_by(directory: Path, *, by_view: bool) -> str:
    """What the user of a sweep that has ended is told."""
    return f"Look at it with: asyncsweep {'view' if by_view else 'show'} {shlex.quote(str(directory))}"
