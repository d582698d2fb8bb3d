"""Where modules of the user's are looked for: in the current folder, and in that of a sweep's file.

For scripts and programs these are not on the path, as under `python src/train.py`: a file optuna.py there would be taken for the
package by whoever imports that, the sampler's process among them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from asyncsweep.specfile import HOOKS, NONE


def find_modules(objective: Any, fields: Mapping[str, Any], *folders: str | Path) -> None:
    """Let modules be found in the folders, the last of them first, where a sweep names any.

    Args:
        objective: As a file of a sweep has it: the text of a function, or a table, which may have hooks as its `patch`.
        fields: Those of the file that name code, among others.
        folders: Where the sweep is started, and where its file is.
    """
    names_any = isinstance(objective, str) or (isinstance(objective, Mapping) and bool(objective.get("patch")))
    if names_any or any(fields.get(name) not in (None, NONE, []) for name in HOOKS):
        for folder in dict.fromkeys(map(str, folders)):
            sys.path.insert(0, folder)
