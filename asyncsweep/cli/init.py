"""`asyncsweep init`: a file of a sweep to begin with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from asyncsweep.errors import ConfigError

TEMPLATE = '''\
# A sweep for asyncsweep. Run it with: asyncsweep run {file}
# Fields that are commented out have the values shown. Relative paths begin at the folder of this file.

# What is evaluated: a script, a program, or a function "package.module:function".
[objective]
script = "train.py"                     # it gets --lr=0.01 --optimizer=adam ..., and says asyncsweep.finish(loss)
# args = ["--epochs", "3"]              # further arguments, before the parameters
# style = "--name=value"                # or "--name value", or "name=value" for Hydra
# metric = "loss"                       # where the script says nothing: a global variable that is the result,
# objective = "objective"               # or a function that is called with the parameters,
# result_file = "{{trial_dir}}/result.json"  # or a file (.json, .jsonl, .csv)
# cwd = "."
# env = {{ OMP_NUM_THREADS = "1" }}
# preload = ["torch"]                   # imported once for all trials
#
# A program instead, whose metrics are JSON in lines of its output, or found by a pattern:
# command = ["./train.sh", "--lr={{lr}}"]
# reports = "stdout"                    # or "stderr", "both", "none", a file
# pattern = "loss=(?P<value>[0-9.]+)"

# The parameters. As on the command line, or as tables; a list has choices, anything else is a constant.
[space]
lr = "log_uniform(1e-5, 1e-1)"          # also uniform(0, 1), int_uniform(1, 8), int_log_uniform(1, 1000), range(1, 10)
optimizer = ["sgd", "adam"]
# momentum = {{ type = "float", low = 0.0, high = 0.99, when = {{ optimizer = "sgd" }} }}
# epochs = 30

# Everything else belongs before the tables; TOML lets a table be written as
# sweep settings only above the first [table], so they are here by their full names.
'''


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
