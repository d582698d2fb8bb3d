"""How long an import takes, in milliseconds of processor time, beside asyncio and Optuna: medians, interleaved.

python benchmarks/import_time.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

IMPORTS = ("from asyncsweep import Sweep, Float", "import asyncio", "import optuna")
REPETITIONS = 9


def cost_ms(code: str) -> float:
    clock = f"import time; began = time.process_time(); {code}; print((time.process_time() - began) * 1000)"
    return float(subprocess.run([sys.executable, "-c", clock], capture_output=True, text=True, check=True).stdout)


def main() -> None:
    taken: dict[str, list[float]] = {code: [] for code in IMPORTS}
    for _ in range(REPETITIONS):
        for code in IMPORTS:
            taken[code].append(cost_ms(code))
    for code, costs in taken.items():
        print(f"{code:38} {statistics.median(costs):7.1f} ms   {min(costs):.1f} .. {max(costs):.1f}")


if __name__ == "__main__":
    main()
