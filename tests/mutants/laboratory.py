"""A copy of the package in which one file of the core is replaced, and a process that looks for the fault there."""

from __future__ import annotations

import compileall
import os
import py_compile
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).parent.parent.parent
CORE = ROOT / "asyncsweep" / "core"
NEEDED = ("core", "space", "testing")
# A mutant that loops for ever is found by this limit; an unchanged core needs a tenth of it.
LIMIT_S = 30.0


class Laboratory:
    """A copy of the package at a temporary place."""

    def __init__(self, place: Path) -> None:
        self._place = place
        package = place / "asyncsweep"
        package.mkdir()
        for file in (ROOT / "asyncsweep").glob("*.py"):
            shutil.copy2(file, package)
        for folder in NEEDED:
            shutil.copytree(
                ROOT / "asyncsweep" / folder, package / folder, ignore=shutil.ignore_patterns("__pycache__")
            )
        # What is not replaced is compiled once; what is replaced has another hash than what was compiled, whatever its date.
        compileall.compile_dir(package, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)

    def probe(self, file: str, source: str, *how: str) -> str:
        """What finds the fault that `source` has in place of core/`file`; "" when nothing does."""
        place = self._place / "asyncsweep" / "core" / file
        unchanged = place.read_text()
        place.write_text(source)
        environment = {**os.environ, "PYTHONPATH": f"{self._place}{os.pathsep}{ROOT}", "PYTHONDONTWRITEBYTECODE": "1"}
        try:
            done = subprocess.run(
                [sys.executable, str(Path(__file__).with_name("probe.py")), *how],
                env=environment,
                cwd=self._place,
                capture_output=True,
                text=True,
                timeout=LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            return f"it does not end within {LIMIT_S:.0f} s"
        finally:
            place.write_text(unchanged)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            return f"a crash: {lines[-1] if lines else done.returncode}"[:100]
        return done.stdout


@contextmanager
def laboratories(count: int) -> Iterator[SimpleQueue[Laboratory]]:
    """As many copies as there are probes at a time."""
    with tempfile.TemporaryDirectory() as place:
        free: SimpleQueue[Laboratory] = SimpleQueue()
        for number in range(count):
            folder = Path(place) / str(number)
            folder.mkdir()
            free.put(Laboratory(folder))
        yield free


def probe_all(jobs: Sequence[tuple[str, ...]], at_a_time: int = 2) -> list[str]:
    """The results of `Laboratory.probe` for (file, source, how...) each, in order."""
    with laboratories(at_a_time) as free, ThreadPoolExecutor(at_a_time) as pool:

        def run(job: tuple[str, ...]) -> str:
            laboratory = free.get()
            try:
                return laboratory.probe(*job)
            finally:
                free.put(laboratory)

        return list(pool.map(run, jobs))
