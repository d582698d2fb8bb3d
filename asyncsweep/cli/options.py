"""The settings of a sweep as options of the command line, which `run` and `resume` share, and what is made of them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

import click

from asyncsweep.cli.view_options import VIEW_OPTIONS
from asyncsweep.core.records import Retry
from asyncsweep.errors import ConfigError
from asyncsweep.hooks.nearest import did_you_mean
from asyncsweep.settings import choose
from asyncsweep.space import Categorical, parse_domain
from asyncsweep.space.choices import Constant
from asyncsweep.space.reading import value_of as read
from asyncsweep.space.values import same
from asyncsweep.specfile import PATHS_OF_EXPORTERS

F = TypeVar("F", bound=Callable[..., Any])

NONE = "none"
_LABELS = "labels"
# Names of Lightning's sweeps.
ALGORITHMS = {"grid_search": "grid", "random_search": "random", "optuna": "tpe"}


class OrNone(click.ParamType[Any]):
    """A number, or the word "none" for no limit."""

    def __init__(self, inner: click.ParamType[Any]) -> None:
        self._inner = inner
        self.name = inner.name

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return NONE if value == NONE else self._inner.convert(value, param, ctx)


_COUNT, _SECONDS, _NUMBER = OrNone(click.INT), OrNone(click.FLOAT), OrNone(click.FLOAT)

# What may be different when a sweep goes on.
_CHANGEABLE = (
    click.option("--n-trials", "--trials", "n_trials", type=_COUNT, metavar="N", help="How many trials. Default: 100."),
    click.option("--concurrency", "--parallel", "concurrency", type=int, metavar="N", help="How many run at a time."),
    click.option("--sampler", metavar="NAME", help="Who suggests parameters. Default: tpe."),
    click.option("--sampler-option", "sampler_options", multiple=True, metavar="NAME=VALUE"),
    click.option("--algorithm", metavar="|".join(ALGORITHMS), help="The sampler, by the names of Lightning's sweeps."),
    click.option("--pruner", metavar="NAME", help="Who ends hopeless trials. Default: nobody."),
    click.option("--pruner-option", "pruner_options", multiple=True, metavar="NAME=VALUE"),
    click.option("--executor", metavar="NAME", help="Where trials run. Default: process."),
    click.option("--executor-option", "executor_options", multiple=True, metavar="NAME=VALUE"),
    click.option("--pass-env", "pass_env", multiple=True, metavar="NAME", help="A variable that trials get from here."),
    click.option(
        "--needs", multiple=True, metavar="NAME=AMOUNT,...", help="What each trial needs: gpus=1, memory_gib=8, host=H."
    ),
    click.option("--timeout", type=_SECONDS, metavar="SECONDS", help="Stop the sweep after this time."),
    click.option("--trial-timeout", type=_SECONDS, metavar="SECONDS", help="End an attempt after this time."),
    click.option("--retries", type=int, metavar="N", help="Try a failed trial again so often. Default: 0."),
    click.option("--retry-on", "retry_on", multiple=True, metavar="ERROR", help="Only after this error."),
    click.option(
        "--backoff",
        type=(float, float),
        metavar="LEAST MOST",
        help="Seconds before a trial is tried again: LEAST, then twice as long each time, up to MOST. Default: at once.",
    ),
    click.option(
        "--max-failures",
        type=_COUNT,
        metavar="N",
        help="End the sweep when more trials failed. Default: when the first 5 all did, unless --retries is given.",
    ),
    click.option("--target", type=_NUMBER, metavar="VALUE", help="Stop at a value that is as good."),
    click.option("--patience", type=_COUNT, metavar="N", help="Stop after so many trials without a better value."),
    click.option("--fsync", metavar="always|batch|never", help="When the journal survives a power loss."),
    click.option("--keep", metavar="all|failed|best", help="Of which trials logs, checkpoints, artifacts are kept."),
    click.option("--exporter", "exporters", multiple=True, metavar="NAME", help="Who else gets what happens."),
    click.option("--exporter-option", "exporter_options", multiple=True, metavar="EXPORTER.NAME=VALUE"),
)
# What belongs to a script or program.
_PROGRAM = (
    click.option(
        "--style", metavar="STYLE", help="How a script gets parameters: --name=value, '--name value', name=value."
    ),
    click.option("--objective", metavar="NAME", help="A function of the script whose result counts."),
    click.option(
        "--metric", "metrics", multiple=True, metavar="[METRIC=]NAME", help="A global of the script that counts."
    ),
    click.option("--result-file", metavar="FILE", help="A file with the result: .json, .jsonl, .csv."),
    click.option("--cwd", metavar="FOLDER", help="Where a script or program runs. Default: here."),
    click.option("--env", "env", multiple=True, metavar="NAME=VALUE", help="A variable for a script or program."),
    click.option("--preload", multiple=True, metavar="MODULE", help="What a script imports once for all trials."),
    click.option("--reports", metavar="stdout|stderr|both|none|FILE", help="Where a program prints its metrics."),
    click.option("--pattern", metavar="REGEX", help="What a program's metrics look like. Default: JSON in lines."),
)
_SHOWN = (
    click.option("--plain", is_flag=True, help="Lines alone, also on a terminal."),
    click.option("--json", "as_json", is_flag=True, help="Write the result as JSON; everything else goes to stderr."),
)
PROGRAM_NAMES = ("style", "objective", "metrics", "result_file", "cwd", "env", "preload", "reports", "pattern")


def sweep_options(function: F) -> F:
    """The options of a command that runs a sweep."""
    for option in reversed((*_CHANGEABLE, *_PROGRAM, *_SHOWN, *VIEW_OPTIONS)):
        function = option(function)
    return function


def settings_of(given: Mapping[str, Any], base: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The arguments of a `Sweep` that options of the command line mean; those that were not given are missing.

    Args:
        given: The options by their names.
        base: Settings that hold where nothing is given: options of a part are added to its own there.

    Raises:
        ConfigError: Options contradict each other, or have no value.
    """
    base = base or {}
    found = {
        name: None if value == NONE else value for name, value in given.items() if name in _PLAIN and value is not None
    }
    if given["algorithm"] is not None:
        found["sampler"] = _algorithm(given["algorithm"], given["sampler"])
    for kind in ("sampler", "pruner", "executor"):
        options = pairs(f"--{kind}-option", given[f"{kind}_options"], value_of)
        if kind == "executor" and given["pass_env"]:
            options["pass_env"] = list(given["pass_env"])
        if options:
            found[kind] = _with_options(kind, found.get(kind), options, base.get(kind))
    if given["retry_on"] or given["backoff"]:
        found["retries"] = _retries(given, base.get("retries"))
    if given["needs"]:
        found["needs"] = _needs(given["needs"])
    if given["exporters"] or given["exporter_options"]:
        found["exporters"] = _exporters(given["exporters"], given["exporter_options"])
    return found


_PLAIN = (
    *(
        "n_trials",
        "concurrency",
        "sampler",
        "pruner",
        "executor",
        "timeout",
        "trial_timeout",
        "retries",
        "max_failures",
    ),
    *("target", "patience", "fsync", "keep", "seed", "reproducible"),
)


def pairs(option: str, texts: Iterable[str], read: Callable[[str, str], Any]) -> dict[str, Any]:
    """What several NAME=TEXT say.

    Raises:
        ConfigError: One has another form, or is there twice.
    """
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
    "--env": "OMP_NUM_THREADS=1",
    "--executor-option": "fresh=true",
    "--exporter-option": "jsonl.path=updates.jsonl",
    "--metric": "loss=best_loss",
    "--needs": "gpus=1",
    "--pruner-option": "n_warmup_steps=5",
    "--sampler-option": "n_startup_trials=20",
    "--space": "lr='log_uniform(1e-5, 1e-1)'",
}


def value_of(text: str, name: str) -> Any:
    """A value of an option, read as constants of a space are; a list is a list.

    Raises:
        ConfigError: It is a domain.
    """
    domain = parse_domain(text, name)
    if isinstance(domain, Constant):
        return domain.value
    if isinstance(domain, Categorical) and text.lstrip().startswith("["):
        return list(domain.choices)
    raise ConfigError(f"option {name}={text!r}: expected a value, not a domain; quote it if it is text")


def direction_of(texts: tuple[str, ...]) -> Any:
    """A direction, or metric names with directions; which words are directions is checked by the sweep."""
    if len(texts) == 1 and "=" not in texts[0]:
        return texts[0]
    return pairs("--direction", texts, lambda text, metric: text)


def enqueued(texts: tuple[str, ...]) -> list[Any]:
    """Parameters to be tried first, each a JSON object.

    Raises:
        ConfigError: One is something else.
    """
    found = []
    for text in texts:
        try:
            params = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"--enqueue {text!r}: it is not valid JSON: {error}; give '{{\"lr\": 0.1}}', say"
            ) from error
        if not isinstance(params, dict):
            raise ConfigError(f"--enqueue {text!r}: expected parameters with values, such as '{{\"lr\": 0.1}}'")
        found.append(params)
    return found


def as_in(space: Mapping[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with the choices of programs as these have been written: 0.001 is 1e-3 where that is the choice."""
    return {name: _spelled(space.get(name), value) for name, value in params.items()}


def _spelled(domain: Any, value: Any) -> Any:
    choices = domain.choices if isinstance(domain, Categorical) else ()
    choices = (domain.value,) if isinstance(domain, Constant) else choices
    for text in () if isinstance(value, str) or value in choices else choices:
        with suppress(ConfigError):  # it is no value
            if isinstance(text, str) and text and same(read(text), value):
                return text
    return value


def _algorithm(name: str, sampler: str | None) -> str:
    if sampler is not None:
        raise ConfigError(f"--algorithm {name} and --sampler {sampler}: they say the same; leave one out")
    if name not in ALGORITHMS:
        raise ConfigError(
            f"--algorithm {name!r}: expected one of {', '.join(ALGORITHMS)}{did_you_mean(name, ALGORITHMS)}"
        )
    return ALGORITHMS[name]


def _with_options(kind: Any, name: str | None, options: dict[str, Any], base: Any) -> dict[str, Any]:
    if isinstance(base, list) and name is None:
        raise ConfigError(
            f"--executor-option, --pass-env: there are {len(base)} executors; say it in the file, or choose one by --executor"
        )
    before = None if base is None or isinstance(base, list) else choose(kind, base)
    if before is not None and name in (None, before.name):
        where = {"host": before.host} if before.host else {}
        return {"name": before.name, **before.options, **where, **options}
    if name is None and kind != "executor":
        raise ConfigError(f"--{kind}-option {next(iter(options))!r}: say which {kind} by --{kind}")
    return {"name": name or "process", **options}


def _needs(texts: tuple[str, ...]) -> dict[str, Any] | None:
    """What a trial needs, of texts such as "gpus=1,labels.zone=a"."""
    if texts == (NONE,):
        return None
    labels = f"{_LABELS}."
    parts = [part for text in texts for part in text.split(",")]
    told = pairs("--needs", parts, lambda text, name: text)
    found: dict[str, Any] = {name: _amount(name, text) for name, text in told.items() if not name.startswith(labels)}
    words = {name.removeprefix(labels): text for name, text in told.items() if name.startswith(labels)}
    return {**found, _LABELS: words} if words else found


def _amount(name: str, text: str) -> Any:
    if name == "host":
        return text
    try:
        return float(text)
    except ValueError as error:
        hint = f"; a label is given as {_LABELS}.NAME=TEXT" if name == _LABELS else ""
        raise ConfigError(f"--needs {name}={text}: expected a number{hint}") from error


def _retries(given: Mapping[str, Any], base: Any) -> Retry:
    times = given["retries"]
    if times is None and base is not None:
        times = base.times if isinstance(base, Retry) else base
    if times is None:
        raise ConfigError(f"{'--retry-on' if given['retry_on'] else '--backoff'}: say how often by --retries N")
    return Retry(times, given["retry_on"], given["backoff"] or (0.0, 0.0))


def _exporters(names: tuple[str, ...], texts: tuple[str, ...]) -> list[dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {name: {"name": name} for name in names}
    for key, value in pairs("--exporter-option", texts, value_of).items():
        name, dot, option = key.rpartition(".")
        if not dot or name not in found:
            known = f"; --exporter has {', '.join(found)}" if found else "; say which by --exporter NAME"
            raise ConfigError(f"--exporter-option {key!r}: expected EXPORTER.NAME=VALUE{known}")
        # "~" inside of a word is no business of shells
        is_home = option in PATHS_OF_EXPORTERS and isinstance(value, str) and value.startswith("~")
        found[name][option] = os.path.expanduser(value) if is_home else value
    return list(found.values())
