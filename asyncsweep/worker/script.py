"""An unmodified Python script as an objective: what it is given, and where its metric is.

`forked` runs it: each trial is a fork of the worker in which the file is `__main__`, as under `python train.py`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple

from asyncsweep.errors import ConfigError, TrialError
from asyncsweep.worker.arguments import Template, arguments, check_apart, check_style, escaped, values_of
from asyncsweep.worker.current import CURRENT
from asyncsweep.worker.elsewhere import moved, moved_file
from asyncsweep.worker.secrets import learn_variables
from asyncsweep.worker.trial import Trial

Hook = Callable[..., Any]


class Plan(NamedTuple):
    """What one trial of a script needs: all placeholders have their values.

    Attributes:
        argv: `sys.argv`, the script's path first.
        cwd: Its working directory; None for the worker's.
        result_file: Where its metrics will be; None when they come in another way.
    """

    argv: list[str]
    cwd: str | None
    result_file: str | None


class Script:
    """A Python script, run as `__main__` in a process of its own for each trial; for executors with worker processes.

    All is as under `python train.py --lr=0.1`: `sys.argv`, `sys.path`, `__file__`, exit codes, threads, `atexit`. Its metric is
    what it says last with `asyncsweep.finish(loss=...)`, else what `objective`, `metric` or `result_file` finds (one of these
    at the most), else, where none of them was given, what it says last with `asyncsweep.report(loss=..., step=...)`. An exit
    code other than 0 fails the trial.

    In `args`, `cwd` and `result_file`, `{name}` stands for a parameter, and `{trial}`, `{attempt}`, `{trial_dir}` and
    `{checkpoint_dir}` for what they say; `{{` and `}}` are braces, and so are those of a `Path`.

    Args:
        path: The file. A relative one is looked for here and now.
        args: Arguments. Parameters that have no placeholder here are appended, in `style`; those that have one are not.
        style: How parameters are written: "--name=value", "--name value", or "name=value" for Hydra.
        objective: A function of the script that is called when the file has run: with the parameters by name, or with the
            trial. What it returns is the result.
        metric: A global variable of the script that is the result, or the names of metrics with such variables.
        result_file: A file that the script writes: `.json`, `.jsonl` or `.csv`. A relative path is looked for in its working
            directory. Trials that run at a time need one each: "{trial_dir}/metrics.json", or a `cwd` of their own.
        cwd: Its working directory; by default that of the sweep.
        env: Environment variables beside the worker's own.
        preload: Modules that a worker imports once, so that each trial has them at once. They must bear a fork: a module that
            starts threads or opens a GPU when it is imported does not. Each trial has random numbers of its own.
        patch: "package.module:function" or "package.module:Class.method" with a hook that is called in its place, as
            `hook(original, *args, **kwargs)`; "package.module:Class" means its `__init__`. Who imported a function by its name
            before the script starts (a preloaded module) keeps the original; a method is replaced for everybody.

    Raises:
        ConfigError: An argument is wrong.
    """

    needs_process = True  # no executor of the sweep's own process can run one

    path: str
    args: tuple[str, ...]
    style: str
    objective: str | None
    metric: str | Mapping[str, str] | None
    result_file: str | None
    cwd: str | None
    env: Mapping[str, str]
    preload: tuple[str, ...]
    patch: Mapping[str, Hook]

    def __init__(
        self,
        path: str | os.PathLike[str],
        args: Sequence[str | os.PathLike[str]] = (),
        *,
        style: str = "--name=value",
        objective: str | None = None,
        metric: str | Mapping[str, str] | None = None,
        result_file: str | os.PathLike[str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        env: Mapping[str, str] | None = None,
        preload: Sequence[str] = (),
        patch: Mapping[str, Hook] | None = None,
    ) -> None:
        given = {"objective": objective, "metric": metric, "result_file": result_file}
        named = [name for name, value in given.items() if value is not None]
        if len(named) > 1:
            raise ConfigError(f"Script({named[0]}=..., {named[1]}=...): a result has one source; give one of them")
        check_style(style)
        fields = {
            "path": _file(path),
            "args": _args(args),
            "style": style,
            "objective": _function(objective),
            "metric": _globals(metric),
            "result_file": None if result_file is None else _template("result_file", result_file),
            "cwd": _folder(cwd),
            "env": _environment(env),
            "preload": _modules(preload),
            "patch": _patches(patch),
        }
        for name, value in fields.items():
            object.__setattr__(self, name, value)
        list(self._templates())  # a brace that stands alone is told now
        refuse_itself(self.path)
        learn_variables(self.env)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.__dict__["path"] = moved_file(repr(self), self.path)
        if self.cwd is not None:
            self.__dict__["cwd"] = moved(self.cwd)
        learn_variables(self.env)  # in the worker, which writes the logs

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Script.{name} cannot be changed: make a new Script")

    def __repr__(self) -> str:
        return f"Script({self.path!r})"

    def __call__(self, trial: Trial) -> Any:
        raise TrialError(f"{self!r} needs worker processes: run it with executor='process'")

    @property
    def name(self) -> str:
        """How the journal calls it."""
        return os.path.basename(self.path)

    def check(self, space_names: Sequence[str], metrics: Sequence[str] = (), concurrency: int = 1) -> None:
        """Do nothing, unless a trial could not be told its parameters, or would miss a metric or take another trial's.

        Args:
            space_names: The parameters of the space.
            metrics: The metrics of the sweep.
            concurrency: How many trials run at a time.

        Raises:
            ConfigError: A placeholder names no parameter, a parameter cannot be an argument in this style, `metric` does not
                say where a metric is, or trials that run at a time have one result file.
        """
        self._check_metrics(metrics)
        paths = {}
        for field, template in self._templates():
            template.check(space_names)
            paths[field] = template
        if "result_file" in paths:
            check_apart(paths["result_file"], paths.get("cwd"), space_names, concurrency)
        for name in self._appended(space_names):
            try:
                arguments({name: 0}, self.style)
            except TrialError as error:
                raise ConfigError(f"{self!r}: {error}") from None

    def _check_metrics(self, metrics: Sequence[str]) -> None:
        variables = self.metric
        missing = [name for name in metrics if variables is not None and name not in variables]
        if isinstance(variables, str):
            missing = list(metrics[1:])
        if missing:
            raise ConfigError(
                f"Script.metric={variables!r}: where is {missing[0]!r}? Give each metric of the sweep its global variable: "
                f"{ {name: name for name in metrics} }"
            )

    def plan(self, trial: Trial) -> Plan:
        """What a trial needs.

        Raises:
            TrialError: A placeholder has no value in it, or a value cannot be an argument.
            OSError: Its folder, which a placeholder asks for, cannot be made.
        """
        values = values_of(trial)
        args: list[str] = []
        filled: dict[str, str] = {}
        for field, template in self._templates():
            if field == "args":
                args.append(template.fill(values))
            else:
                filled[field] = template.fill(values)
        for place, text in enumerate(args):
            if "\0" in text:
                raise TrialError(f"Script.args[{place}]={text!r:.200}: no argument can have a NUL character in it")
        params = {name: trial.params[name] for name in self._appended(trial.params)}
        cwd = os.path.abspath(filled["cwd"]) if "cwd" in filled else None
        result_file = filled.get("result_file")
        if result_file is not None:
            result_file = os.path.abspath(os.path.join(cwd or "", result_file))
        return Plan([self.path, *args, *arguments(params, self.style)], cwd, result_file)

    def _appended(self, names: Sequence[str] | Mapping[str, Any]) -> list[str]:
        """The parameters that no argument names."""
        placed = {name for field, template in self._templates() if field == "args" for name in template.names}
        return [name for name in names if name not in placed]

    def _templates(self) -> Iterator[tuple[str, Template]]:
        for place, text in enumerate(self.args):
            yield "args", Template(text, f"Script.args[{place}]")
        if self.cwd is not None:
            yield "cwd", Template(self.cwd, "Script.cwd")
        if self.result_file is not None:
            yield "result_file", Template(self.result_file, "Script.result_file")


def refuse_itself(path: str) -> None:
    """Do nothing, unless this process is a trial of that very script, which would go on without end.

    Raises:
        ConfigError: It is.
    """
    import sys

    if CURRENT.finish is not None and getattr(sys.modules.get("__main__"), "__file__", None) == path:
        raise ConfigError(
            f"Script({path!r}): this process is a trial of that script, which would start a sweep of itself without end: "
            f"start the sweep from another file"
        )


def nearest(name: str, names: Sequence[str]) -> str:
    """A hint for a message: " (did you mean 'loss'?)", or nothing."""
    near = get_close_matches(name, names, n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _text(field: str, value: object) -> str:
    try:
        text = os.fspath(value)  # type: ignore[call-overload]  # what it is not is told
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise ConfigError(f"Script.{field}={value!r:.200}: expected a text or a path, not {type(value).__name__}")
    if "\0" in text:
        raise ConfigError(f"Script.{field}={text!r:.200}: it has a NUL character in it")
    return text


def _template(field: str, value: object) -> str:
    """A text with placeholders; a path that is no text has none, and its braces are braces."""
    text = _text(field, value)
    return text if isinstance(value, str) else escaped(text)


def _file(path: object) -> str:
    text = _text("path", path)
    found = os.path.abspath(text)
    if os.path.isdir(found):
        raise ConfigError(f"Script({text!r}): {found} is a folder; name the file in it that is to be run")
    if not os.path.exists(found):
        raise ConfigError(f"Script({text!r}): there is no file {found}")
    if not os.access(found, os.R_OK):
        raise ConfigError(f"Script({text!r}): {found} cannot be read; look at its permissions")
    return found


def _args(args: object) -> tuple[str, ...]:
    if isinstance(args, (str, bytes, Mapping)) or not isinstance(args, Sequence):
        raise ConfigError(f"Script.args={args!r:.200}: expected a list of texts, such as ['--epochs', '3']")
    return tuple(_template(f"args[{place}]", value) for place, value in enumerate(args))


def _function(name: object) -> str | None:
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise ConfigError(f"Script.objective={name!r:.200}: expected the name of a function of the script")
    return name


def _globals(metric: object) -> str | dict[str, str] | None:
    if metric is None or (isinstance(metric, str) and metric.isidentifier()):
        return metric
    if isinstance(metric, Mapping) and metric:
        for name, variable in metric.items():
            if not (isinstance(name, str) and isinstance(variable, str) and variable.isidentifier()):
                raise ConfigError(
                    f"Script.metric[{name!r:.200}]={variable!r:.200}: expected the name of a global variable"
                )
        return dict(metric)
    raise ConfigError(
        f"Script.metric={metric!r:.200}: expected the name of a global variable of the script, or names of metrics with such "
        f"names"
    )


def _folder(cwd: object) -> str | None:
    if cwd is None:
        return None
    text = _template("cwd", cwd)
    template = Template(text, "Script.cwd")
    if template.names:
        return text
    found = os.path.abspath(template.fill({}))
    if not os.path.isdir(found):
        raise ConfigError(f"Script.cwd={text!r:.200}: there is no folder {found}")
    return escaped(found)


def _environment(env: object) -> dict[str, str]:
    if env is None:
        return {}
    if not isinstance(env, Mapping):
        raise ConfigError(f"Script.env={env!r:.80}: expected names of variables with texts")
    for name, value in env.items():
        if not isinstance(name, str) or not name or "=" in name or "\0" in name:
            raise ConfigError(f"Script.env: {name!r:.200} cannot be the name of a variable")
        if not isinstance(value, str) or "\0" in value:  # the value may be a secret
            raise ConfigError(f"Script.env[{name!r}]: expected a text without NUL characters")
    return dict(env)


def _modules(preload: object) -> tuple[str, ...]:
    if isinstance(preload, (str, bytes, Mapping)) or not isinstance(preload, Sequence):
        raise ConfigError(f"Script.preload={preload!r:.200}: expected a list of modules, such as ['torch']")
    for place, name in enumerate(preload):
        if not isinstance(name, str) or not all(part.isidentifier() for part in name.split(".")):
            raise ConfigError(f"Script.preload[{place}]={name!r:.200}: expected the name of a module, such as 'torch'")
    return tuple(preload)


def _patches(patch: object) -> dict[str, Hook]:
    if patch is None:
        return {}
    if not isinstance(patch, Mapping):
        raise ConfigError(f"Script.patch={patch!r:.200}: expected 'package.module:Class.method' with hooks")
    for target, hook in patch.items():
        module, _, path = target.partition(":") if isinstance(target, str) else ("", "", "")
        if not all(part.isidentifier() for part in (*module.split("."), *path.split("."))):
            raise ConfigError(
                f"Script.patch: {target!r:.200} must have the form 'package.module:Class.method' or 'package.module:function'"
            )
        if not callable(hook):
            raise ConfigError(
                f"Script.patch[{target!r}]={hook!r:.200}: expected a function that is called as "
                f"hook(original, *args, **kwargs)"
            )
    return dict(patch)
