"""A runtime folder of the test's own, with a path that is short enough."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def runtime_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the sockets go; no socket may be left in it."""
    with tempfile.TemporaryDirectory(prefix="as-", dir="/tmp") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        path = Path(folder) / "asyncsweep"
        yield path
        left = os.listdir(path) if path.is_dir() else []
    assert left == []
