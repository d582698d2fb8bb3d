"""`asyncsweep demo`: the Iris sweep in two local processes, with pruning, in a directory that survives `kill -9`.

A second run begins anew and so removes what the first one left. It removes nothing else: the directory must bear the demo's
mark, hold only what a sweep makes, and no process may be at work in it.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

import click

from asyncsweep.errors import AsyncSweepError, ConfigError
from asyncsweep.journal import journal
from asyncsweep.journal.lock import Lock
from asyncsweep.space import Float
from asyncsweep.steering.runtime import CONTROL
from asyncsweep.sweep import Sweep

MARK = "made-by-asyncsweep-demo"
OBJECTIVE = "asyncsweep.cli.demo_iris:objective"
_OURS = {MARK, journal.NAME, "lock", "trials", CONTROL}


@click.command(
    name="demo",
    short_help="Tune a classifier on the Iris flowers.",
    epilog="""\b
Examples:
  asyncsweep demo
  asyncsweep demo --resume          after Ctrl-C or kill -9
  asyncsweep show demo-sweep
""",
)
@click.option("--directory", default="demo-sweep", show_default=True, metavar="DIR", help="Where it keeps its journal.")
@click.option("--resume", is_flag=True, help="Go on with the demo in --directory instead of starting anew.")
@click.option("--plain", is_flag=True, help="Lines alone, also on a terminal.")
def demo(directory: str, resume: bool, plain: bool) -> None:
    """Tune a classifier on the Iris flowers: 20 trials in 2 processes, TPE sampler, median pruner."""
    from asyncsweep.cli.carry_out import carry_out

    if importlib.util.find_spec("sklearn") is None:
        raise click.ClickException('the demo needs scikit-learn: pip install "asyncsweep[demo]"')
    sweep = resumed(Path(directory)) if resume else fresh(Path(directory))
    again = "asyncsweep demo --resume" + ("" if directory == "demo-sweep" else f" --directory {directory}")
    carry_out(sweep, plain=plain, as_json=False, resume_by=f"Go on with: {again}")
    click.echo(f"Look at the trials again with: asyncsweep show {directory}")


def fresh(directory: Path) -> Sweep:
    """A new demo sweep, in place of an earlier one.

    Raises:
        ConfigError: The directory holds something else.
        JournalError: A demo is at work in it.
    """
    _make_room(directory)
    return Sweep(
        OBJECTIVE,
        space={"alpha": Float(1e-5, 1e-1, log=True)},
        sampler="tpe",
        pruner="median",
        executor="process",
        n_trials=20,
        concurrency=2,
        seed=0,
        directory=directory,
    )


def resumed(directory: Path) -> Sweep:
    """The demo sweep that is in the directory.

    Raises:
        ConfigError: There is none.
    """
    if not (directory / MARK).is_file():
        raise ConfigError(f"--resume: {str(directory)!r} holds no demo; start one with: asyncsweep demo")
    return Sweep.open(directory, OBJECTIVE)


def _make_room(directory: Path) -> None:
    try:
        if directory.is_symlink():
            raise _refused(directory, "it is a symbolic link")
        if directory.exists():
            _clear(directory)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / MARK).write_text("asyncsweep demo removes this folder when it starts anew.\n")
    except AsyncSweepError:  # of which a JournalError is an OSError too
        raise
    except OSError as error:
        raise ConfigError(f"--directory {str(directory)!r} cannot be used: {error}") from error


def _clear(directory: Path) -> None:
    if not directory.is_dir():
        raise _refused(directory, "it is a file")
    names = {entry.name for entry in directory.iterdir()}
    if not names:
        return
    if MARK not in names:
        raise _refused(directory, "the demo did not make it")
    foreign = sorted(name for name in names - _OURS if not _is_left_log(name))
    if foreign:
        raise _refused(directory, f"it holds {foreign[0]!r}, which the demo did not make")
    lock = Lock(directory)
    try:
        shutil.rmtree(directory)
    finally:
        lock.release()


def _is_left_log(name: str) -> bool:
    """What a worker had printed that was killed with the sweep's process."""
    return name.startswith("worker-") and name.endswith(".log")


def _refused(directory: Path, why: str) -> ConfigError:
    return ConfigError(f"--directory {str(directory)!r} is left alone: {why}; name another one")
