"""Errors about settings in the words of the command line, where the fault was typed there.

Settings are checked in one place, for programs and for files of sweeps too, and so by their names in Python. What was not given
as an option keeps that name: in a file it is called so.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

# How each setting may have been typed.
_TYPED = {
    "n_trials": ("--trials", "--n-trials"),
    "concurrency": ("--parallel", "--concurrency"),
    "port": ("--port",),
    "host": ("--host",),
    **{
        name: (f"--{name.replace('_', '-')}",)
        for name in ("fsync", "keep", "max_failures", "patience", "retries", "target", "timeout", "trial_timeout")
    },
}
_SETTING = re.compile(r"([a-z_]+)=")
_PART = re.compile(r"(sampler|pruner|executor|exporter)\.(\w+)(?:=|(?=: the exporter '([\w.-]+)')|(?=: ))")
_USED = re.compile(r"directory=('[^']*') holds a sweep already: go on with it by Sweep\.resume\(directory, objective\)")
_HOSTS = re.compile(r"hosts=\[[^\]]*\]")
_METRIC = 'Sweep(direction={"loss": "minimize"})'


def as_typed(text: str, words: Sequence[str]) -> str:
    """The text of an error, for somebody who typed these words."""
    typed = {word.partition("=")[0] for word in words}
    text = text.replace(_METRIC, "--direction loss=minimize")
    text = _HOSTS.sub("--known-as NAME", text.replace("allow_remote=True", "--allow-remote"))
    if used := _USED.match(text):
        return f"{used[1]} holds a sweep already: go on with it by asyncsweep resume {used[1]}{text[used.end() :]}"
    if setting := _SETTING.match(text):
        option = next((option for option in _TYPED.get(setting[1], ()) if option in typed), None)
        return text if option is None else f"{option} {text[setting.end() :].replace(', or None for', ', or none for')}"
    if (part := _PART.match(text)) and {f"--{part[1]}", f"--{part[1]}-option"} & typed:
        owner = f"{part[3]}." if part[3] else ""
        return f"--{part[1]}-option {owner}{part[2]}{'=' * part[0].endswith('=')}{text[part.end() :]}"
    return text
