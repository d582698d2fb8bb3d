"""The words of a command line told apart: our options, parameters of the objective, the target, and what is passed on.

    asyncsweep run train.py --trials 20 --lr "log_uniform(1e-4, 1e-1)" x=1,2,3 -- --verbose
                   target   ours        a parameter                    another    passed on as it is

Every option that is not ours is a parameter, so what is meant for the objective needs no further syntax. Whoever mistypes one of
ours would make a parameter of it; that is why one that is near to ours and has a constant value is refused.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import click

from asyncsweep.errors import ConfigError

# As Hydra has them: x=1, model.lr=1, +x=1, ++x=1, db@source=1. A path such as ./a=b is none.
_OVERRIDE = re.compile(r"(\+{0,2}[A-Za-z_][\w.@/:$-]*)=(.*)", re.DOTALL)
# How alike two names are when one is taken for a slip of the other.
_NEAR = 0.8

META = "asyncsweep.words"


class Given(NamedTuple):
    """A parameter of the objective.

    Attributes:
        name: As it was written, without the dashes.
        text: Its domain.
        word: How it was written, for errors: "--lr" or "lr=".
    """

    name: str
    text: str
    word: str

    @property
    def is_override(self) -> bool:
        """Whether it was written as "name=value"."""
        return self.word.endswith("=")


class Words(NamedTuple):
    """A command line.

    Attributes:
        own: Our options with their values.
        places: What is neither an option nor a parameter: the target, say.
        parameters: The parameters of the objective.
        rest: What comes after "--"; None when there is no "--".
    """

    own: list[str]
    places: list[str]
    parameters: list[Given]
    rest: list[str] | None


class SweepCommand(click.Command):
    """A command that takes any option as a parameter of the objective; `ctx.meta[META]` has its `Words`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            words = told_apart(args, own_options(self, ctx))
        except ConfigError:
            if not ctx.resilient_parsing:
                raise
            words = Words([], args, [], None)  # a line that is still being written
        ctx.meta[META] = words
        return super().parse_args(ctx, [*words.own, "--", *words.places])

    def format_usage(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_usage(ctx.command_path, self.options_metavar or "")


def own_options(command: click.Command, ctx: click.Context) -> dict[str, int]:
    """Our options, each with the number of values that it takes."""
    return {
        text: 0 if option.is_flag or option.count else option.nargs
        for option in command.get_params(ctx)
        if isinstance(option, click.Option)
        for text in (*option.opts, *option.secondary_opts)
    }


def told_apart(args: Sequence[str], own: dict[str, int]) -> Words:
    """The words of a command line.

    Args:
        args: What follows the name of the command.
        own: Our options, each with the number of values that it takes.

    Raises:
        ConfigError: A parameter has no value.
    """
    words = Words([], [], [], list(args[args.index("--") + 1 :]) if "--" in args else None)
    left = list(args[: args.index("--")] if "--" in args else args)
    left.reverse()
    while left:
        word = left.pop()
        name, equals, value = word.partition("=")
        if name in own:
            words.own.append(word)
            for _ in range(0 if equals else own[name]):
                if left:
                    words.own.append(left.pop())
        elif word.startswith("--"):
            words.parameters.append(Given(name[2:], value if equals else _value_of(name, left), name))
        elif re.fullmatch(r"-[A-Za-z].*", word, re.DOTALL):
            raise ConfigError(
                f"{word}: parameters have two dashes, as in --lr=0.1; what the objective's program shall get as it is comes "
                f"after --: asyncsweep run TARGET ... -- {word}"
            )
        elif override := _OVERRIDE.fullmatch(word):
            words.parameters.append(Given(override[1], override[2], f"{override[1]}="))
        else:
            words.places.append(word)
    return words


def _value_of(name: str, left: list[str]) -> str:
    if not left or left[-1].startswith("--"):
        raise ConfigError(
            f"{name} has no value: a parameter has one, as in {name}=0.1; a flag that the objective's program shall get as it is "
            f"comes after --: asyncsweep run TARGET ... -- {name}"
        )
    return left.pop()


def meant(name: str, own: dict[str, int]) -> str | None:
    """Which of our options a parameter's name may be a slip of; None when it is near to none."""
    known: dict[str, Any] = {option.lstrip("-"): option for option in own if option.startswith("--")}
    near = difflib.get_close_matches(name.replace("_", "-"), known, n=1, cutoff=_NEAR)
    return known[near[0]] if near else None
