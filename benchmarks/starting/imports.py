"""How long an import takes, in milliseconds of processor time, in a process of its own."""

from __future__ import annotations

import subprocess
import sys

IMPORTS = {
    "asyncsweep": "from asyncsweep import Sweep, Float",
    "asyncio": "import asyncio",
    "optuna": "import optuna",
}


def cost_ms(code: str) -> float:
    """Processor time of one import, from the first statement on."""
    clock = f"import time; began = time.process_time(); {code}; print((time.process_time() - began) * 1000)"
    return float(subprocess.run([sys.executable, "-c", clock], capture_output=True, text=True, check=True).stdout)
