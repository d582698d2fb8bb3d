"""One trial of a `Command`: from the start of the program to its metrics."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable, Mapping, Sequence

from asyncsweep.errors import ConfigError, ProgramFailed, TrialError, TrialPruned
from asyncsweep.worker.arguments import OWN_NAMES, Template, json_of, text_of, values_of
from asyncsweep.worker.command_parts import Parts
from asyncsweep.worker.program import Program, WorkerTerminated
from asyncsweep.worker.program_lines import Followed, Lines, Parser
from asyncsweep.worker.program_path import find_program
from asyncsweep.worker.readings import Found, is_unnamed, only
from asyncsweep.worker.result_file import ResultFile
from asyncsweep.worker.trial import Trial

_FOLDERS = {"trial_dir": "ASYNCSWEEP_TRIAL_DIR", "checkpoint_dir": "ASYNCSWEEP_CHECKPOINT_DIR"}


def run(parts: Parts, trial: Trial) -> dict[str, float]:
    """Run the program of a command for one trial; gives its metrics. Raises as `Command.__call__` does."""
    values = values_of(trial)
    folders = {}
    for name, variable in _FOLDERS.items():
        # An executor may have no folders; a placeholder for one is then an error, the environment goes without.
        with contextlib.suppress(TrialError):
            folders[variable] = os.path.abspath(values[name])
    try:
        return _Run(parts, trial, values, folders).metrics()
    finally:
        for folder in folders.values():
            with contextlib.suppress(OSError):  # the program has put something there
                os.rmdir(folder)


class _Run:
    """A program of one attempt.

    Args:
        parts: What to run.
        trial: The attempt.
        values: What the placeholders stand for.
        folders: Variables of the environment with the trial's folders.
    """

    def __init__(self, parts: Parts, trial: Trial, values: dict[str, str], folders: dict[str, str]) -> None:
        self._parts = parts
        self._trial = trial
        self._values = values
        self._metrics: Sequence[str] = trial._metrics
        self._parser = Parser(self._metrics, parts.pattern)
        self._cwd = None if parts.cwd is None else self._filled(parts.cwd)
        self._argv = self._arguments()
        self._environment = self._variables(folders)
        self._has_reported = False
        # What lies there now is not of this attempt.
        self._result = None if parts.result_file is None else ResultFile(self._below(parts.result_file))
        self._followed = None if parts.reports is None else Followed(self._below(parts.reports))

    def metrics(self) -> dict[str, float]:
        """Start the program and listen until it has ended."""
        program = self._start()
        with program:
            self._listen(program)
        ending = program.ending()
        if ending:
            last = program.last_words()
            raise ProgramFailed(f"{self._parts.name}: {ending}" + (f"; its last lines:\n{last}" if last else ""))
        if self._result is not None:
            return self._with_result(self._result.read(self._metrics))
        missing = [name for name in self._metrics if name not in self._parser.last]
        if missing:
            raise TrialError(self._why_missing(missing))
        return self._all(self._parser.last)

    # -- the start ----------------------------------------------------------------------------------------------------

    def _arguments(self) -> list[str]:
        known = {*self._trial.params, *OWN_NAMES}
        found = []
        for templates, is_optional in self._parts.groups:
            for template in templates:
                unknown = [name for name in template.names if name not in known]
                if unknown and not is_optional:
                    raise TrialError(
                        f"{template.where}={template.text!r:.200}: the parameter {unknown[0]!r} has no value in this trial; put "
                        f"the arguments that need it into a list of their own inside of argv, and they are left out then"
                    )
                if unknown:
                    break
            else:
                found += [self._filled(template) for template in templates]
        return found

    def _variables(self, folders: Mapping[str, str]) -> dict[str, str]:
        trial = self._trial
        found = {
            **os.environ,
            "ASYNCSWEEP_PARAMS": json_of(trial.params),
            "ASYNCSWEEP_TRIAL": str(trial.number),
            "ASYNCSWEEP_ATTEMPT": str(trial.attempt),
            **folders,
        }
        if (
            self._parts.heard
        ):  # a Python program would keep its reports to itself for some pages, as its output is a pipe
            found.setdefault("PYTHONUNBUFFERED", "1")
        for name, template in self._parts.variables.items():
            found[name] = self._filled(template)
        return found

    def _filled(self, template: Template) -> str:
        """The text of a template, which goes to the system."""
        text = template.fill(self._values)
        if "\0" in text:
            raise TrialError(
                f"{template.where}={text!r:.200} has a NUL character, which no argument, variable or path can have; "
                f"ASYNCSWEEP_PARAMS has all parameters as JSON"
            )
        return text

    def _below(self, path: Template) -> str:
        return os.path.join(self._cwd or "", self._filled(path))

    def _start(self) -> Program:
        try:
            executable = self._parts.executable
            if executable is None:
                executable = find_program(self._argv[0], self._cwd, self._environment.get("PATH"))
            return Program(self._argv, executable, self._cwd, self._environment, self._parts.heard)
        except ConfigError as error:
            raise ProgramFailed(f"argv[0]: {error}") from None
        except OSError as error:
            raise ProgramFailed(f"{self._parts.name} cannot be started: {self._why_not(error)}") from error
        except UnicodeEncodeError as error:
            raise TrialError(
                f"{self._parts.name} cannot be started: {error.object!r:.200} is no valid Unicode text"
            ) from error

    def _why_not(self, error: OSError) -> str:
        if error.errno == errno.E2BIG:
            sizes = [(len(os.fsencode(text)), f"argv[{place}]") for place, text in enumerate(self._argv)]
            sizes += [(len(os.fsencode(text)), f"the variable {name}") for name, text in self._environment.items()]
            size, longest = max(sizes)
            texts = ((len(text_of(value)), name) for name, value in self._trial.params.items())
            parameter = f", the longest parameter {max(texts)[1]!r:.80}" if self._trial.params else ""
            return (
                f"its arguments and environment are too long for the system (Linux takes 128 KiB for each, some MiB for all); the "
                f"longest is {longest} with {size} bytes{parameter}: give it the name of a file instead"
            )
        if error.errno == errno.ENOEXEC:
            return f"{error}; a script needs a first line that names its interpreter, such as #!/bin/sh"
        if error.errno == errno.ENOENT and self._cwd is not None and not os.path.isdir(self._cwd):
            return f"there is no folder {self._cwd!r:.200} to run it in"
        if error.errno == errno.ENOENT:
            return f"{error}; it is gone, or the interpreter that its first line names is not there"
        return str(error)

    # -- what it says -------------------------------------------------------------------------------------------------

    def _listen(self, program: Program) -> None:
        streams: dict[str, Lines] = {}
        try:
            for stream, data in program.output():
                if program.was_terminated:
                    continue  # nobody will hear of it; it is written to the log all the same
                if stream:
                    self._take(program, streams.setdefault(stream, Lines()).feed(data))
                elif self._followed is not None:
                    self._follow(program, streams)
            if not program.was_terminated:
                while self._followed is not None and self._follow(program, streams):
                    pass
                for lines in streams.values():
                    self._take(program, lines.end())
        except WorkerTerminated:
            return  # leaving the block of the program ends both

    def _follow(self, program: Program, streams: dict[str, Lines]) -> bool:
        """Read what is new in the file; False when nothing is."""
        data = b"" if self._followed is None else self._followed.read()
        self._take(program, streams.setdefault("file", Lines()).feed(data))
        return bool(data)

    def _take(self, program: Program, lines: Iterable[bytes]) -> None:
        for line in lines:
            report = self._parser.read(line)
            if report is None:
                continue
            self._trial.report(report.metrics, report.step)
            self._has_reported = True
            if program.interruptible(self._trial.should_prune):
                program.end()
                raise TrialPruned(f"pruned after {report.metrics}")

    def _with_result(self, found: Found) -> dict[str, float]:
        if not self._has_reported:
            for step, numbers in found.reports:
                self._trial.report(numbers, step)
        return self._all({**self._parser.last, **found.metrics})

    def _all(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """The metrics of the sweep in its order, and what was said beside them."""
        return {**only(numbers, self._metrics), **numbers}

    def _why_missing(self, names: Sequence[str]) -> str:
        parts, parser = self._parts, self._parser
        if parts.pattern is not None:
            what = f"a match of {parts.pattern.pattern!r:.200}"
        else:
            what = f"a line such as {json.dumps(dict.fromkeys(self._metrics, 0.1), ensure_ascii=False)}"
        where = f"on {' and '.join(parts.heard)}" if self._followed is None else f"in the file {self._followed.path!r}"
        text = f"{parts.name} ended well, but did not tell the metric {', '.join(map(repr, names))}: looked for {what} {where}, "
        text += (
            f"which had {parser.count} line{'s' * (parser.count > 1)}" if parser.count else "where nothing was written"
        )
        if parser.example:
            text += f", the last one {parser.example!r}{parser.hint}"
        if parts.pattern is None and is_unnamed(self._metrics):
            text += '; where a line has several entries, name the metric: Sweep(direction={"loss": "minimize"})'
        return text
