"""`asyncsweep plugins`: what is installed, and what of it is broken."""

from __future__ import annotations

import json
import warnings

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from asyncsweep.hooks.installed import PluginWarning
from asyncsweep.hooks.registry import Registry, Row
from asyncsweep.progress.text import visible

_STYLES = {"ok": "green", "broken": "bold red", "off": "dim", "conflict": "yellow"}


@click.command(
    name="plugins",
    short_help="List what is installed, and what of it is broken.",
    epilog="""\b
Examples:
  asyncsweep plugins
  ASYNCSWEEP_PLUGINS=off asyncsweep plugins
""",
)
@click.option("--json", "as_json", is_flag=True, help="As a JSON list.")
def plugins(as_json: bool) -> None:
    """List plugins, and the samplers, pruners, executors and exporters that they offer; each is imported to see if it works."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PluginWarning)  # the table tells of the same faults
        rows = Registry().describe()
    if as_json:
        click.echo(json.dumps([row._asdict() for row in rows], indent=1))
        return
    console = Console(highlight=False, markup=False)
    console.print(_table(rows, console.encoding))
    broken = sum(row.status == "broken" for row in rows)
    if broken:
        console.print(f"\n{broken} broken", style="bold red")


def _table(rows: list[Row], encoding: str) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 2, 0, 0))
    for heading in ("kind", "name", "from", "status"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        status = Text(row.status, style=_STYLES.get(row.status, ""))
        if row.error:
            status.append(f"\n{visible(row.error, encoding)}", style="red")
        source = f"{row.distribution} {row.version}".strip()
        name = Text(visible(row.name, encoding), style="bold" if row.kind == "plugin" else "")
        table.add_row(row.kind, name, Text(visible(source, encoding)), status)
    return table
