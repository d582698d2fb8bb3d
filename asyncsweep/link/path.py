"""Where a child process looks for modules: where we do."""

from __future__ import annotations

import os
import sys


def search_path() -> list[str]:
    """Our `sys.path`, with the current folder by its name; left out when that folder is gone."""
    try:
        here = [os.getcwd()]
    except FileNotFoundError:
        here = []
    return [folder for entry in sys.path for folder in ([entry] if entry else here)]
