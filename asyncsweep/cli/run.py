"""`asyncsweep run`: a sweep from the command line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from asyncsweep.cli import words as told
from asyncsweep.cli.modules import find_modules
from asyncsweep.cli.options import as_in, direction_of, enqueued, pairs, settings_of, sweep_options
from asyncsweep.cli.target import OVERRIDES, Target, target_of
from asyncsweep.cli.words import Given, SweepCommand, Words, meant, own_options
from asyncsweep.errors import ConfigError
from asyncsweep.space import Domain, parse_domain
from asyncsweep.space.choices import Constant

_EPILOG = """\b
TARGET is one of these:
  train.py              a script; it gets --lr=0.1 ..., or lr=0.1 ... where parameters are given as lr=DOMAIN
  package.train:main    a function; the module is also looked for in the current folder
  sweep.toml            a file of a sweep (asyncsweep init writes one); options given beside it replace its fields
  -- ./train.sh {lr}    any program

\b
Every option that is not below is a parameter; --space NAME=DOMAIN is for names that are. After TARGET, what follows
-- is passed to the script as it is: asyncsweep run train.py --lr "uniform(0, 1)" -- --verbose

\b
Domains:
  uniform(-10, 10)      uniform(0, 1, step=0.25)    log_uniform(1e-5, 1e-1)
  int_uniform(3, 15)    int_log_uniform(1, 1000)    categorical(sgd, adam)
  [32, 64]              1,2,3                       choice(a, b)
  range(1, 10)          interval(0, 1)              int(interval(1, 10))
  tag(log, interval(1e-4, 1e-1))                    anything else is a constant

\b
Examples:
  asyncsweep run train.py --lr "log_uniform(1e-4, 1e-1)" --trials 20 --parallel 2
  asyncsweep run train.py lr="tag(log, interval(1e-4, 1e-1))" model=resnet18,resnet34
  asyncsweep run train:objective --x "uniform(0, 1)" --pruner median --sampler-option n_startup_trials=20 --sampler tpe
  asyncsweep run --lr "log_uniform(1e-4, 1e-1)" -- ./train.sh --lr={lr}
  asyncsweep run sweep.toml --trials 50

\b
Ctrl-C lets running trials end and begins no more; once more stops them now. asyncsweep resume DIR goes on.
"""


@click.command(
    cls=SweepCommand,
    name="run",
    short_help="Run a sweep of a script, a program or a function.",
    epilog=_EPILOG,
    options_metavar="[TARGET] [OPTIONS] [--NAME DOMAIN]... [NAME=DOMAIN]... [-- ARGUMENT...]",
)
@click.argument("places", nargs=-1, type=click.Path())
@click.option("--space", "spaces", multiple=True, metavar="NAME=DOMAIN", help="A parameter, whatever its name.")
@click.option(
    "--direction",
    "directions",
    multiple=True,
    metavar="[METRIC=]minimize|maximize",
    help="What is better; once for each metric. Default: minimize.",
)
@click.option("--directory", metavar="DIR", help="Where the journal and the trials go. Default: sweeps/NAME-K.")
@click.option("--in-memory", is_flag=True, help="Keep nothing on disk.")
@click.option("--seed", type=int, metavar="N", help="Default: a random one.")
@click.option("--enqueue", "enqueue", multiple=True, metavar="JSON", help="Parameters to try first: '{\"lr\": 0.1}'.")
@click.option("--history", metavar="SOURCE", help="A sweep's DIR, a CSV file or an Optuna URL to learn from.")
@click.option("--reproducible", is_flag=True, default=None, help="The same sweep again for the same seed.")
@click.option("--resume", is_flag=True, help="As asyncsweep resume DIR TARGET, with --directory DIR.")
@sweep_options
@click.pass_context
def run(ctx: click.Context, /, **options: Any) -> None:
    """Run a sweep of TARGET: a script, a function, or a program after --."""
    words: Words = ctx.meta[told.META]
    if options["resume"]:
        from asyncsweep.cli.resume import go_on

        if options["directory"] is None:
            raise ConfigError("--resume: name the sweep by --directory")
        if options["spaces"] or words.parameters:
            raise ConfigError("--resume: the space cannot be changed; leave --space and parameters out")
        go_on(_named(options["directory"]), words, _for_resume(options))
        return
    _refuse_places(words)
    target = target_of(words, options)
    own = own_options(ctx.command, ctx)
    begin(target, parameters(words, options["spaces"], own, for_program=_reads_arguments(target)), options)


def begin(target: Target, space: dict[str, Domain], options: dict[str, Any]) -> None:
    """Run a new sweep.

    Raises:
        AsyncSweepError: It cannot begin, or failed.
        click.exceptions.Exit: It was interrupted, or no trial completed.
    """
    from asyncsweep import specfile
    from asyncsweep.cli import record
    from asyncsweep.cli.again import env_again
    from asyncsweep.cli.carry_out import Say, carry_out
    from asyncsweep.cli.directories import new_directory, unmake
    from asyncsweep.cli.signing import NoKey
    from asyncsweep.cli.view_options import look_again_by, view_of
    from asyncsweep.spec_objective import objective_of
    from asyncsweep.sweep import Sweep

    fields: dict[str, Any] = {} if target.spec is None else specfile.parsed(target.spec)
    folder = Path.cwd() if target.spec is None else target.spec.absolute().parent
    find_modules(target.objective if target.spec is None else fields.get("objective"), fields, Path.cwd(), folder)
    if target.spec is None:
        settings: dict[str, Any] = {"objective": objective_of(target.objective, "objective", folder)}
        raw = target.objective
    else:
        settings = specfile.built(fields, target.spec)
        raw = fields["objective"]
    if isinstance(raw, str):  # a function has no parameter with a dash in its name
        space = {name.replace("-", "_"): domain for name, domain in space.items()}
    settings["space"] = {**settings.get("space", {}), **space}
    settings |= _of_new(options, settings["space"]) | settings_of(options, settings)
    view = view_of(options)
    recorded = record.record_of(raw, folder, {name: value for name, value in fields.items() if name in specfile.HOOKS})
    secrets = {name: raw["env"][name] for name in recorded.secret_env}
    directory, is_ours = _directory(options, settings, target.name, new_directory)
    resume_by = (
        "Nothing was kept; without --in-memory a sweep can be resumed."
        if directory is None
        else f"Go on with: asyncsweep resume {_quoted(directory)}{env_again(secrets, secrets)}"
    )

    def begun(say: Say) -> None:
        if directory is None:
            return
        if is_ours:
            say(f"Sweep in {directory}")
        try:
            record.write(directory, recorded)
        except (NoKey, OSError) as error:
            click.echo(f"warning: to resume this sweep, its TARGET must be given again: {error}", err=True)

    try:
        sweep = Sweep(**{**settings, "directory": directory})
        carry_out(
            sweep,
            plain=options["plain"],
            as_json=options["as_json"],
            resume_by=resume_by,
            begin=begun,
            bears_failures=not {"max_failures", "retries"}.isdisjoint(settings),
            view=view,
        )
    finally:
        if directory is not None:
            unmake(directory, whole=is_ours)
    if directory is not None and (is_ours or view is not None):
        click.echo(look_again_by(directory, by_view=view is not None), err=options["as_json"])


def _reads_arguments(target: Target) -> bool:
    """Whether a program reads the parameters from its arguments: neither a function gets them, nor Hydra, which knows values."""
    objective = target.objective
    if target.spec is not None:
        from asyncsweep import specfile

        objective = specfile.parsed(target.spec).get("objective")
    return isinstance(objective, dict) and "objective" not in objective and objective.get("style") != OVERRIDES


def parameters(
    words: Words, spaces: Iterable[str], own: dict[str, int], *, for_program: bool = False
) -> dict[str, Domain]:
    """The parameters of a command line, in their order.

    Args:
        words: The command line.
        spaces: What was given by --space.
        own: Our options.
        for_program: As in `parse_domain`.

    Raises:
        ConfigError: One is given twice, is no domain, or looks like a slip of one of our options.
    """
    found = pairs("--space", spaces, lambda text, name: parse_domain(text, name, for_program=for_program))
    for given in words.parameters:
        if given.name in found:
            raise ConfigError(f"{given.word} {given.text!r}: {given.name!r} is given twice")
        if not given.name:
            raise ConfigError(f"{given.word}: the name of a parameter is missing")
        domain = parse_domain(given.text, given.name, for_program=for_program)
        _refuse_slip(given, domain, own)
        found[given.name] = domain
    return found


def _refuse_slip(given: Given, domain: Domain, own: dict[str, int]) -> None:
    near = None if given.is_override or not isinstance(domain, Constant) else meant(given.name, own)
    if near is not None:
        raise ConfigError(
            f"{given.word} {given.text}: there is no such option (did you mean {near}?); if it is a parameter of the objective "
            f"with this one value: --space {given.name}={given.text}"
        )


def _refuse_places(words: Words) -> None:
    if len(words.places) > 1:
        raise ConfigError(
            f"{words.places[1]}: there is a target already, {words.places[0]}; what it shall get as it is comes after --"
        )


def _of_new(options: dict[str, Any], space: Mapping[str, Any]) -> dict[str, Any]:
    """What can be said of a new sweep alone."""
    found: dict[str, Any] = {}
    if options["directions"]:
        found["direction"] = direction_of(options["directions"])
    if options["enqueue"]:
        found["enqueue"] = [as_in(space, params) for params in enqueued(options["enqueue"])]
    if options["history"] is not None:
        found["history"] = options["history"]
    return found


def _directory(options: dict[str, Any], settings: dict[str, Any], name: str, new: Any) -> tuple[Path | None, bool]:
    """Where the sweep lives, and whether that was made for it just now."""
    if options["in_memory"]:
        if options["directory"] is not None:
            raise ConfigError("--in-memory and --directory exclude each other; leave one out")
        return None, False
    given = options["directory"] if options["directory"] is not None else settings.get("directory")
    if given is not None:
        return _named(given), False
    return new(name), True


def _named(directory: str) -> Path:
    """The folder that --directory names; "~" is not always expanded by the shell."""
    if not directory:
        raise ConfigError("--directory '': that is no path; name a folder, or leave it out")
    return Path(os.path.expanduser(directory))


def _for_resume(options: dict[str, Any]) -> dict[str, Any]:
    """The options, when the sweep goes on: what cannot be changed then is told by the sweep."""
    for name, option in (("in_memory", "--in-memory"), ("enqueue", "--enqueue"), ("history", "--history")):
        if options[name]:
            raise ConfigError(f"{option}: it is for a new sweep; leave it out")
    return options


def _quoted(path: Path | None) -> str:
    import shlex

    return shlex.quote(str(path))
