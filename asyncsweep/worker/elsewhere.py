"""Paths of the machine that a sweep is on, where its trials run on another one, which has the code that was sent to it.

Whoever starts workers there says where that code was and is, by an environment variable.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence

from asyncsweep.errors import ConfigError

VARIABLE = "ASYNCSWEEP_CODE"


def told(roots: Sequence[str], there: str) -> dict[str, str]:
    """The environment of workers on another machine.

    Args:
        roots: The names that the folder of the code has where the sweep is; none where no code was sent.
        there: Where it is for the workers.
    """
    return {VARIABLE: json.dumps([list(roots), there])}


def moved(path: str) -> str:
    """Where the path is for this process: what lies in the code that was sent is found there, and all else has one name everywhere."""
    roots, there = _told()
    for root in roots:
        if path == root or path.startswith(root.rstrip("/") + "/"):
            return os.path.normpath(os.path.join(there, os.path.relpath(path, root)))
    return path


def moved_file(what: str, path: str) -> str:
    """`moved`, of a file that has to be there.

    Raises:
        ConfigError: It is not, and this is another machine.
    """
    roots, there = _told()
    found = moved(path)
    if not there or os.path.exists(found):
        return found
    if not roots:
        mend = 'send the folder that it is in, by code="."'
    elif found == path:
        mend = f"it is not in the code that is sent, which is {roots[0]}: send a folder that has it"
    else:
        mend = "it is not in the code that was sent: does .gitignore leave it out?"
    raise ConfigError(f"{what}: there is no file {path} on this host; {mend}")


def _told() -> tuple[list[str], str]:
    told = os.environ.get(VARIABLE)
    if told is None:
        return [], ""
    roots, there = json.loads(told)
    return roots, there
