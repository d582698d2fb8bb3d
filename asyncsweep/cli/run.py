"""`asyncsweep run`: a sweep from the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from asyncsweep.errors import ConfigError
from asyncsweep.space import Categorical
from asyncsweep.space.choices import Constant
from asyncsweep.space.parse import parse_domain

_EPILOG = """\b
Domains:
  uniform(-10, 10)      uniform(0, 1, step=0.25)    log_uniform(1e-5, 1e-1)
  int_uniform(3, 15)    int_log_uniform(1, 1000)    categorical(sgd, adam)
  [32, 64]              anything else is a constant

\b
Examples:
  asyncsweep run train:objective --space lr="log_uniform(1e-5, 1e-1)" --space opt="categorical(sgd, adam)"
  asyncsweep run train:objective --space x="uniform(0, 1)" --n-trials 200 --concurrency 4 --pruner median \\
      --sampler tpe --sampler-option n_startup_trials=20 --seed 1 --directory sweeps/first
  asyncsweep run train:objective --directory sweeps/first --resume --n-trials 300
"""


@click.command(name="run", short_help="Run a sweep of a function.", epilog=_EPILOG)
@click.argument("objective", metavar="MODULE:FUNCTION")
@click.option("--space", "spaces", multiple=True, metavar="NAME=DOMAIN", help="A parameter; once for each.")
@click.option(
    "--direction",
    "directions",
    multiple=True,
    metavar="[METRIC=]minimize|maximize",
    help="What is better; once for each metric. Default: minimize.",
)
@click.option("--n-trials", type=int, metavar="N", help="How many trials there will be. Default: 100.")
@click.option("--concurrency", type=int, metavar="N", help="How many run at a time. Default: 1.")
@click.option("--sampler", metavar="NAME", help="Who suggests parameters. Default: tpe.")
@click.option("--sampler-option", "sampler_options", multiple=True, metavar="NAME=VALUE")
@click.option("--pruner", metavar="NAME", help="Who ends hopeless trials. Default: nobody.")
@click.option("--pruner-option", "pruner_options", multiple=True, metavar="NAME=VALUE")
@click.option("--executor", metavar="NAME", help="Where trials run. Default: process.")
@click.option("--executor-option", "executor_options", multiple=True, metavar="NAME=VALUE")
@click.option("--seed", type=int, metavar="N", help="Default: a random one.")
@click.option("--timeout", type=float, metavar="SECONDS", help="Stop the sweep after this time.")
@click.option("--trial-timeout", type=float, metavar="SECONDS", help="End an attempt after this time.")
@click.option("--retries", type=int, metavar="N", help="Try a failed trial again so often. Default: 0.")
@click.option("--retry-on", "retry_on", multiple=True, metavar="ERROR", help="Only after this error; once for each.")
@click.option(
    "--backoff",
    type=(float, float),
    metavar="LEAST MOST",
    help="Seconds before a trial is tried again: LEAST, then twice as long each time, up to MOST. Default: at once.",
)
@click.option("--max-failures", type=int, metavar="N", help="End the sweep when more trials failed.")
@click.option("--target", type=float, metavar="VALUE", help="Stop at a value that is as good.")
@click.option("--patience", type=int, metavar="N", help="Stop after so many trials without a better value.")
@click.option("--directory", metavar="DIR", help="Where the journal and the logs of trials go. Default: nowhere.")
@click.option("--fsync", metavar="always|batch|never", help="When the journal survives a power loss. Default: batch.")
@click.option("--keep", metavar="all|failed|best", help="Of which trials logs and checkpoints are kept. Default: all.")
@click.option("--resume", is_flag=True, help="Go on with the sweep in --directory; options given now replace its own.")
@click.option("--plain", is_flag=True, help="Lines alone, also on a terminal.")
@click.option("--json", "as_json", is_flag=True, help="Write the result as JSON; everything else goes to stderr.")
def run(
    objective: str,
    spaces: tuple[str, ...],
    directions: tuple[str, ...],
    sampler_options: tuple[str, ...],
    pruner_options: tuple[str, ...],
    executor_options: tuple[str, ...],
    retry_on: tuple[str, ...],
    backoff: tuple[float, float] | None,
    directory: str | None,
    resume: bool,
    plain: bool,
    as_json: bool,
    **settings: Any,
) -> None:
    """Run a sweep of the objective MODULE:FUNCTION; MODULE is also looked for in the current folder."""
    from asyncsweep.cli.carry_out import carry_out
    from asyncsweep.core.records import Retry
    from asyncsweep.sweep import Sweep

    sys.path.insert(0, str(Path.cwd()))
    chosen = {name: value for name, value in settings.items() if value is not None}
    for kind, texts in (("sampler", sampler_options), ("pruner", pruner_options), ("executor", executor_options)):
        if texts:
            if kind not in chosen:
                raise ConfigError(f"--{kind}-option {texts[0]!r}: say which {kind} by --{kind}")
            chosen[kind] = {"name": chosen[kind], **_pairs(f"--{kind}-option", texts, _value)}
    if retry_on or backoff:
        if "retries" not in chosen:
            raise ConfigError(f"{'--retry-on' if retry_on else '--backoff'}: say how often by --retries N")
        chosen["retries"] = Retry(chosen["retries"], retry_on, backoff or (0.0, 0.0))
    if directions:
        chosen["direction"] = _directions(directions)
    if resume:
        if directory is None or spaces:
            raise ConfigError(
                "--resume: name the sweep by --directory"
                if directory is None
                else "--resume: the space cannot be changed; leave --space out"
            )
        sweep = Sweep.open(directory, objective, **chosen)
    else:
        sweep = Sweep(objective, _pairs("--space", spaces, parse_domain), directory=directory, **chosen)
    if directory is None:
        resume_by = "Nothing was kept; with --directory a sweep can be resumed."
    else:
        resume_by = f"Go on with: asyncsweep run {objective} --directory {directory} --resume"
    carry_out(sweep, plain=plain, as_json=as_json, resume_by=resume_by)


def _pairs(option: str, texts: Iterable[str], read: Callable[[str, str], Any]) -> dict[str, Any]:
    """What several NAME=TEXT say."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise ConfigError(f"{option} {text!r}: expected NAME=..., such as {_SAMPLES[option]}")
        if name in found:
            raise ConfigError(f"{option} {text!r}: {name!r} is given twice")
        found[name] = read(value, name)
    return found


_SAMPLES = {
    "--direction": "loss=minimize",
    "--space": "lr='log_uniform(1e-5, 1e-1)'",
    "--sampler-option": "n_startup_trials=20",
    "--pruner-option": "n_warmup_steps=5",
    "--executor-option": "fresh=true",
}


def _value(text: str, name: str) -> Any:
    """A value of an option, read as constants of a space are; a JSON list is a list."""
    domain = parse_domain(text, name)
    if isinstance(domain, Constant):
        return domain.value
    if isinstance(domain, Categorical) and text.lstrip().startswith("["):
        return list(domain.choices)
    raise ConfigError(f"option {name}={text!r}: expected a value, not a domain; quote it if it is text")


def _directions(texts: tuple[str, ...]) -> Any:
    """A direction, or metric names with directions; which words are directions is checked by the sweep."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    return _pairs("--direction", texts, lambda text, metric: text)
