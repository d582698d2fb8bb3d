"""`asyncsweep resume`: a sweep that was interrupted goes on."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click

from asyncsweep.cli import words as told
from asyncsweep.cli.again import env_again
from asyncsweep.cli.modules import find_modules
from asyncsweep.cli.options import direction_of, pairs, settings_of, sweep_options
from asyncsweep.cli.words import SweepCommand, Words, meant, own_options
from asyncsweep.errors import ConfigError

_EPILOG = """\b
Examples:
  asyncsweep resume sweeps/train-1
  asyncsweep resume sweeps/train-1 --trials 300 --parallel 4
  asyncsweep resume sweeps/train-1 train.py            a sweep that was not started by this user's command line
  asyncsweep resume sweeps/train-1 -- ./train.sh --lr={lr}
"""


@click.command(
    cls=SweepCommand,
    name="resume",
    short_help="Go on with a sweep.",
    epilog=_EPILOG,
    options_metavar="DIR [TARGET] [OPTIONS] [-- ARGUMENT...]",
)
@click.argument("directory", nargs=-1, type=click.Path())
@sweep_options
@click.pass_context
def resume(ctx: click.Context, /, **options: Any) -> None:
    """Go on with the sweep in DIR, as it was started by asyncsweep run, or with TARGET; options replace its settings."""
    words: Words = ctx.meta[told.META]
    if not words.places:
        raise ConfigError("name the directory of the sweep: asyncsweep resume sweeps/train-1")
    if words.parameters:
        word = words.parameters[0].word
        near = meant(words.parameters[0].name, own_options(ctx.command, ctx))
        hint = f" (did you mean {near}?)" if near else ""
        raise ConfigError(
            f"{word}: there is no such option{hint}, and the space of a sweep that has begun cannot be changed"
        )
    go_on(Path(words.places[0]), words._replace(places=words.places[1:]), options)


def go_on(directory: Path, words: Words, options: dict[str, Any]) -> None:
    """Resume a sweep.

    Args:
        directory: Where it lives.
        words: The command line; its first place is the target. Without one the recorded objective is taken.
        options: Our options by their names.

    Raises:
        AsyncSweepError: It cannot go on, or failed.
        click.exceptions.Exit: It was interrupted, or no trial completed.
    """
    from asyncsweep import reopening, specfile
    from asyncsweep.cli.carry_out import carry_out
    from asyncsweep.cli.view_options import look_again_by, view_of
    from asyncsweep.sweep import Sweep

    if len(words.places) > 1:
        raise ConfigError(f"{words.places[1]}: there is a target already, {words.places[0]}")
    shown = str(directory)
    directory = directory.absolute()
    spec = reopening.read(directory).spec  # also tells whether there is a sweep at all
    base = {
        kind: {"name": part.name, **part.options}
        for kind in ("sampler", "pruner", "executor")
        if not (part := getattr(spec, kind)).given
    }
    changes = settings_of(options, {**base, "retries": spec.retries})
    if options.get("directions"):
        changes["direction"] = direction_of(options["directions"])
    if words.places or words.rest:
        objective, hooks, again = _named(words, options)
    else:
        objective, hooks, again = _recorded(directory, options)
    changes = {**{name: specfile.FIELDS[name](value, name, Path.cwd()) for name, value in hooks.items()}, **changes}
    view = view_of(options)
    sweep = Sweep.open(directory, objective, **changes)
    carry_out(
        sweep,
        plain=options["plain"],
        as_json=options["as_json"],
        resume_by=f"Go on with: asyncsweep resume {_quoted(shown)}{again}",
        bears_failures=(
            spec.max_failures is not None
            or spec.retries.times > 0
            or not {"max_failures", "retries"}.isdisjoint(changes)
        ),
        view=view,
    )
    if view is not None:
        click.echo(look_again_by(Path(shown), by_view=True), err=options["as_json"])


def _named(words: Words, options: dict[str, Any]) -> tuple[Any, dict[str, Any], str]:
    """The objective that the command line names, hooks that come with it, and how it is named again."""
    from asyncsweep import specfile
    from asyncsweep.cli.target import target_of
    from asyncsweep.spec_objective import objective_of

    target = target_of(words, options)
    again = f" {_quoted(words.places[0])}" if words.places else ""
    again += env_again(pairs("--env", options["env"], lambda text, name: text), ())
    again += "".join(f" {_quoted(word)}" for word in ("--", *(words.rest or ()))) if words.rest else ""
    if target.spec is None:
        find_modules(target.objective, {}, Path.cwd())
        return objective_of(target.objective, "objective", Path.cwd()), {}, again
    fields = specfile.parsed(target.spec)
    folder = target.spec.absolute().parent
    if "objective" not in fields:
        raise ConfigError(f"{target.spec}: objective is missing")
    find_modules(fields["objective"], fields, Path.cwd(), folder)
    hooks = {name: value for name, value in fields.items() if name in specfile.HOOKS}
    return objective_of(fields["objective"], "objective", folder), hooks, again


def _recorded(directory: Path, options: dict[str, Any]) -> tuple[Any, dict[str, Any], str]:
    """The objective that was recorded, in the folder where it was started, the hooks that came with it, and what is given again."""
    from asyncsweep.cli import record
    from asyncsweep.cli.options import PROGRAM_NAMES
    from asyncsweep.spec_objective import objective_of

    for name in PROGRAM_NAMES:
        if name != "env" and options[name] not in (None, ()):
            raise ConfigError(f"--{name.replace('_', '-')}: name the TARGET too, for which it is")
    found = record.read(directory)
    objective = found.objective
    given = pairs("--env", options["env"], lambda text, name: text)
    for name in found.secret_env:
        value = given.get(name, os.environ.get(name))
        if value is None:
            raise ConfigError(
                f"{name} was given by --env when the sweep was started, and is not recorded; give --env {name}=..."
            )
        given[name] = value
    if given:
        if isinstance(objective, str):
            raise ConfigError(f"--env: {objective} is a function, and that is for scripts and programs; leave it out")
        objective = {**objective, "env": {**objective.get("env", {}), **given}}
    try:
        os.chdir(found.folder)
    except OSError as error:
        raise ConfigError(
            f"{directory}: it was started in {found.folder}, which is not there any more ({error.strerror}); name the objective: "
            f"asyncsweep resume {directory} train.py, say"
        ) from error
    find_modules(objective, found.hooks, found.folder, found.paths_from)
    again = env_again(given, found.secret_env)
    return objective_of(objective, "objective", Path(found.paths_from)), found.hooks, again


def _quoted(text: str) -> str:
    import shlex

    return shlex.quote(text)
