"""`asyncsweep init`: a file of a sweep to begin with."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from asyncsweep.errors import ConfigError

# Each field of `Sweep` is in it; a test reads it with and without the comments.
TEMPLATE = """\
# A sweep. Run it with: asyncsweep run THIS-FILE
# What begins with "#" and a name is what holds anyway, or an example. Relative paths begin at the folder of this file, but for
# those in URLs such as sqlite:///study.db, which begin where it is run.

direction = "minimize"                  # or "maximize", or {loss = "minimize", latency_s = "minimize"}
n_trials = 20                           # "none" for no limit
concurrency = 2                         # so many trials run at a time

sampler = "tpe"                         # or {name = "tpe", n_startup_trials = 20}; asyncsweep plugins lists the others
#pruner = "none"                        # or "median", {name = "asha", min_resource = 5}
#executor = "process"                   # or {name = "process", memory_limit = "2GiB", pass_env = ["DATA_*"]}, or a list of several
#needs = {}                             # what each trial needs of a worker: {gpus = 1}
#seed = 0                               # left out: a random one
#reproducible = false                   # the same sweep again for the same seed

#timeout = "none"                       # seconds after which the sweep stops
#trial_timeout = "none"                 # seconds after which an attempt is ended
#grace_s = 5.0                          # seconds that a trial has to end by itself
#retries = 0                            # or {times = 2, on = ["OSError"], backoff_s = [1.0, 30.0]}
#max_failures = 10                      # more failed trials end the sweep; left out: the first 5, if all fail
#target = "none"                        # a value that is good enough to stop
#patience = "none"                      # stop after so many trials without a better value
#stop_when = "none"                     # a function of the running sweep: "package.module:function"

#directory = "sweeps/first"             # left out: sweeps/NAME-1, sweeps/NAME-2, ... where it is run
#fsync = "batch"                        # or "always", "never": when the journal survives a power loss
#keep = "all"                           # or "failed", "best": of which trials logs, checkpoints and artifacts are kept
#history = "none"                       # an earlier sweep's directory, a CSV file, or an Optuna URL to learn from
#enqueue = []                           # parameters to try first: [{lr = 0.01}]
#exporters = []                         # such as [{name = "jsonl", path = "updates.jsonl"}]
#plugins = []                           # modules with hooks

[objective]                             # or objective = "package.module:function", above
script = "train.py"                     # it gets --lr=0.01 --opt=adam, and says asyncsweep.finish(loss)
#args = ["--epochs", "3"]               # arguments before these
#style = "--name=value"                 # or "--name value", or "name=value" for Hydra
#metric = "loss"                        # a script that says nothing: a global variable that is the result,
#objective = "objective"                # or a function of the script that is called with the parameters,
#result_file = "{trial_dir}/result.json"    # or a file that it writes (.json, .jsonl, .csv)
#cwd = "."
#env = {OMP_NUM_THREADS = "1"}
#preload = ["torch"]                    # imported once for all trials
#patch = {"package.module:Class.method" = "hooks:hook"}
# A program instead of a script says its metrics by JSON in lines of its output, or by a pattern:
#command = ["./train.sh", "--lr={lr}"]
#reports = "stdout"                     # or "stderr", "both", "none", a file
#pattern = 'loss=(?P<value>[0-9.]+)'

[space]                                 # a list has choices; what is no domain is a constant
lr = "log_uniform(1e-5, 1e-1)"          # uniform(0, 1), int_uniform(1, 8), int_log_uniform(1, 1000), range(1, 10), ...
opt = ["sgd", "adam"]
#momentum = {type = "float", low = 0.0, high = 0.99, when = {opt = "sgd"}}
#model.depth = "int_uniform(1, 8)"
#epochs = 30
"""


@click.command(
    name="init",
    short_help="Write a file of a sweep to begin with.",
    epilog="""\b
Examples:
  asyncsweep init
  asyncsweep init experiments/first.toml
  asyncsweep run sweep.toml
""",
)
@click.argument("file", default="sweep.toml", type=click.Path())
def init(file: str) -> None:
    """Write a commented FILE (default: sweep.toml), which asyncsweep run takes. A file that is there is left alone."""
    path = Path(file)
    if path.suffix != ".toml":
        raise ConfigError(f"{file}: a commented file of a sweep is TOML; give it a name such as sweep.toml")
    quoted = shlex.quote(file)
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError:
        raise ConfigError(f"{file} is there already, and is left alone; name another file") from None
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error
    with open(fd, "w", encoding="utf-8") as out:
        out.write(TEMPLATE.replace("THIS-FILE", quoted if file.isprintable() else "FILE"))
    click.echo(f"{quoted} is written. Change it, then: asyncsweep run {quoted}")
