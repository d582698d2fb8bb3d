"""Any program as an objective."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from asyncsweep.worker.arguments import Template
from asyncsweep.worker.command_parts import Parts
from asyncsweep.worker.elsewhere import moved
from asyncsweep.worker.secrets import learn_variables
from asyncsweep.worker.trial import Trial

# Of these, the script says more than the name.
_INTERPRETERS = re.compile(r"(python|pypy|perl|ruby|node|julia|Rscript|bash|sh|zsh)[0-9.]*")
_LONGEST_NAME = 80


@dataclass(frozen=True, eq=False, repr=False)
class Command:
    """Any program as an objective: `Sweep(Command(["./train.sh", "--lr={lr}"]), {"lr": Float(1e-5, 1e-1)})`.

    No shell is involved: each text of `argv` is one argument, and a value stays what it is, whatever characters it has. `{lr}`
    stands for the parameter `lr`; `{trial}` and `{attempt}` for numbers; `{trial_dir}` and `{checkpoint_dir}` for folders of the
    trial; `{{` and `}}` for braces. All parameters are in the program's environment too, as JSON in `ASYNCSWEEP_PARAMS`, with
    `ASYNCSWEEP_TRIAL`, `ASYNCSWEEP_ATTEMPT`, `ASYNCSWEEP_TRIAL_DIR` and `ASYNCSWEEP_CHECKPOINT_DIR`. Its stdin is empty.

    The program reports by printing lines such as `{"loss": 0.3, "step": 7}`; the last value of each metric is the result,
    with other numbers that stand beside it. When the pruner wants so, the program is ended: by `SIGTERM`, and after 5 seconds by
    force. An exit code other than 0 fails the trial, and so does a missing metric. What it leaves running at its end has 2 seconds
    to end too.

    Args:
        argv: The program and its arguments. A list inside of it holds arguments that are left out together in the trials in which a
            condition leaves one of their parameters without a value: `["./train", ["--momentum", "{momentum}"]]`.
        reports: Where the lines are: "stdout", "stderr", "both"; or the path of a file, with placeholders, which is read
            while the program writes it; None when it reports nothing. All other output is only for the log. Trials that run at a
            time need a file each, here and for `result_file`: "{trial_dir}/log.jsonl", or a `cwd` of their own.
        pattern: A regular expression to search for in each line instead of JSON: `r"epoch (?P<step>\\d+) loss=(?P<loss>\\S+)"`. A
            group has the name of its metric; of one metric, the only group may have another name, or none.
        result_file: The path, with placeholders, of a file that has the result once the program has ended: JSON (`{"loss": 0.3}`
            or a number), JSON lines (.jsonl), CSV with names in its first line, or a text with one number.
        cwd: The folder in which it runs, with placeholders; None means that of the sweep's process. Relative paths begin here.
        env: What its environment has besides that of the worker; the values may have placeholders.

    Raises:
        ConfigError: An argument is wrong, or there is no such program.
    """

    argv: Sequence[str | os.PathLike[str] | Sequence[str]]
    _: KW_ONLY
    reports: str | None = "stdout"
    pattern: str | re.Pattern[str] | None = None
    result_file: str | os.PathLike[str] | None = None
    cwd: str | os.PathLike[str] | None = None
    env: Mapping[str, str] | None = None
    _parts: Parts = field(init=False)

    needs_process = True  # no executor of the sweep's own process can run one

    def __post_init__(self) -> None:
        parts = Parts.of(self.argv, self.reports, self.pattern, self.result_file, self.cwd, self.env)
        object.__setattr__(self, "_parts", parts._replace(name=_short(parts.words)))
        learn_variables(self.env or {})

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        cwd = self._parts.cwd
        if cwd is not None:
            object.__setattr__(self, "_parts", self._parts._replace(cwd=Template(moved(cwd.text), cwd.where)))
        learn_variables(self.env or {})  # in the worker, which writes the logs

    def __repr__(self) -> str:
        return f"Command({list(self.argv)!r})"

    @property
    def name(self) -> str:
        """What to call it where there is little room."""
        return self._parts.name

    def check(self, names: Sequence[str], metrics: Sequence[str] = (), concurrency: int = 1) -> None:
        """Do nothing, unless this command does not suit a sweep.

        Args:
            names: The parameters of the space.
            metrics: The metrics that have a direction; empty when they are not known.
            concurrency: How many trials run at a time.

        Raises:
            ConfigError: A placeholder names no parameter, the pattern has no group for a metric, or trials that run at a time
                have one file of metrics.
        """
        self._parts.check(names, metrics, concurrency)

    def __call__(self, trial: Trial, /) -> dict[str, float]:
        """Run the program for one trial; gives its metrics.

        Raises:
            TrialPruned: It was ended because the pruner wanted that.
            ProgramFailed: It cannot be started, or did not end well.
            TrialError: Its metric is missing, or a placeholder has no value.
        """
        from asyncsweep.worker.program_run import run  # it needs what Windows does not have

        return run(self._parts, trial)


def _short(words: Sequence[str]) -> str:
    name = words[0]
    if len(words) > 1 and _INTERPRETERS.fullmatch(os.path.basename(name)) and not words[1].startswith("-"):
        name = f"{name} {words[1]}"
    return name if len(name) <= _LONGEST_NAME else f"...{name[-_LONGEST_NAME:]}"
