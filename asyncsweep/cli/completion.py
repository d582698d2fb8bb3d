"""`asyncsweep completion`: the script that has a shell complete commands, options, sweeps, and names of what is installed."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable
from copy import copy
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem, get_completion_class

from asyncsweep import checks
from asyncsweep.cli.options import ALGORITHMS
from asyncsweep.hooks.installed import PluginWarning
from asyncsweep.hooks.registry import Registry
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


def complete_values(command: click.Command) -> click.Command:
    """A copy of the command, with the values of its arguments and options completed."""
    completed = copy(command)
    completed.params = [_with_values(param) for param in command.params]
    return completed


def _with_values(param: click.Parameter) -> click.Parameter:
    completed = copy(param)
    if isinstance(param, click.Argument) and param.name in ("directory", "directories"):
        completed.type = SweepDirectory()
    elif isinstance(param, click.Argument) and param.name == "number":
        completed.type = OneOf(_trials)
    elif isinstance(param, click.Option) and param.name in _VALUES:
        completed.type = OneOf(_VALUES[param.name])
    return completed


class OneOf(click.ParamType[Any]):
    """One of some words, for completion alone: whether it is one is seen by the command.

    Args:
        words: Gives them for the context of a command line.
    """

    name = "word"

    def __init__(self, words: Callable[[click.Context], Iterable[str]]) -> None:
        self._words = words

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(word) for word in self._words(ctx) if word.startswith(incomplete)]


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


def _trials(ctx: click.Context) -> list[str]:
    """The trials of the sweep that is named which have a folder."""
    try:
        with os.scandir(Path(str(ctx.params.get("directory") or "")) / "trials") as entries:
            names = [entry.name for entry, _ in zip(entries, range(_MOST), strict=False) if entry.name.isdecimal()]
    except (OSError, ValueError):
        return []
    return sorted(names, key=int)


def _installed(kind: Any) -> Callable[[click.Context], list[str]]:
    def names(ctx: click.Context) -> list[str]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PluginWarning)  # the line that is typed is no place for it
            return Registry().names(kind)

    return names


_VALUES: dict[str | None, Callable[[click.Context], Iterable[str]]] = {
    "algorithm": lambda ctx: ALGORITHMS,
    "executor": _installed("executor"),
    "exporters": _installed("exporter"),
    "fsync": lambda ctx: checks.FSYNCS,
    "keep": lambda ctx: checks.KEEPS,
    "pruner": _installed("pruner"),
    "sampler": _installed("sampler"),
}
