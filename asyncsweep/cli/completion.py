"""`asyncsweep completion`: the script that has a shell complete commands, options, and directories of sweeps."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from asyncsweep.journal import journal

SHELLS = ("bash", "zsh", "fish")
PROGRAM = "asyncsweep"
# What click looks for in the environment to answer a shell.
VARIABLE = "_ASYNCSWEEP_COMPLETE"
# Where `run` puts sweeps.
_LIKELY = ("sweeps",)
_MOST = 1000


@click.command(
    name="completion",
    short_help="Print a script for your shell's completion.",
    epilog="""\b
Examples:
  eval "$(asyncsweep completion bash)"            in ~/.bashrc
  eval "$(asyncsweep completion zsh)"             in ~/.zshrc
  asyncsweep completion fish > ~/.config/fish/completions/asyncsweep.fish
""",
)
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that has SHELL complete what asyncsweep takes."""
    kind = get_completion_class(shell)
    assert kind is not None  # click has all three
    click.echo(kind(ctx.find_root().command, {}, PROGRAM, VARIABLE).source())


def complete_directories(command: click.Command) -> click.Command:
    """The command, with arguments named `directory` completed with sweeps."""
    for param in command.params:
        if isinstance(param, click.Argument) and param.name in ("directory", "directories"):
            param.type = SweepDirectory()
    return command


class SweepDirectory(click.ParamType[Any]):
    """The directory of a sweep, for completion alone: whether there is a sweep in it is seen by the command."""

    name = "directory"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        found = [CompletionItem(path) for path in _sweeps(incomplete)]
        return found or [CompletionItem(incomplete, type="dir")]


def _sweeps(incomplete: str) -> list[str]:
    """Directories of sweeps whose paths begin so: in the folder that is named, here, and where `run` puts them."""
    head, _, start = incomplete.rpartition("/")
    if head or incomplete.startswith("/"):
        return _in(f"{head}/", start)
    return [
        path for folder in ("", *(f"{name}/" for name in _LIKELY)) for path in _in(folder, "") if path.startswith(start)
    ]


def _in(folder: str, start: str) -> list[str]:
    try:
        with os.scandir(folder or ".") as entries:
            names = [
                entry.name for entry, _ in zip(entries, range(_MOST), strict=False) if entry.name.startswith(start)
            ]
    except OSError:
        return []
    return [f"{folder}{name}" for name in sorted(names) if (Path(folder) / name / journal.NAME).is_file()]
