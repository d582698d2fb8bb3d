"""Domains and spaces on a host that has nothing but Python: they are what they are here."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import asyncsweep

# What modules have next to an objective, each a line of text that both sides evaluate.
EXPRESSIONS = [
    "sw.Float(1e-5, 1e-1, log=True)",
    "sw.Float(0, 1, step=0.25).checked('x')",
    "sw.Int(1, 8)",
    "sw.Int(1, 9, step=2, when={'opt': 'sgd'}).checked('x')",
    "sw.Categorical(['a', 1, None])",
    "sw.Categorical(choices=('a', (1, 2)), when={'opt': ['sgd', 'adam']}).checked('x')",
    "sw.Float(0.0, 1.0) == sw.Float(0, 1), hash(sw.Float(0.0, 1.0)) == hash(sw.Float(0, 1)), sw.Float(0, 1) == sw.Float(0, 2)",
    "sw.Categorical([1]) == sw.Categorical([True])",
    "sw.Float(0.0, 1.0).grid(3), sw.Int(1, 8, log=True).from_unit(0.7), sw.Int(0, 9).cardinality",
    "sw.Space({'opt': sw.Categorical(['sgd', 'adam']), 'momentum': sw.Float(0.0, 1.0, when={'opt': 'sgd'}), 'n': 3}).domains",
    "isinstance(sw.Int(1, 2), sw.Domain), isinstance(3, sw.Domain)",
    "sw.Float(1)",
    "sw.Float(0.0, 1.0, True)",
    "sw.Int(1, 2, logg=True)",
    "sw.Space({'x': sw.Float(1.0, 0.0)})",
    "setattr(sw.Int(1, 2), 'low', 5)",
    "sw.Categorical([1]).when, sw.Categorical([1]).choices",
]

HERE = """
import sys
if sys.argv[1:]:
    sys.path[:0] = sys.argv[1:]
import asyncsweep as sw
for line in sys.stdin:
    try:
        print(eval(line))
    except Exception as error:
        print(error if isinstance(error, sw.ConfigError) else "refused: an error of Python's own")
print("msgspec" in sys.modules)
"""


def answers(*arguments: str) -> list[str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, *arguments],
        input="\n".join(EXPRESSIONS),
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    return done.stdout.splitlines()


def test_domains_and_spaces_are_the_same_without_msgspec() -> None:
    folder = str(Path(asyncsweep.__file__).parents[1])
    there, here = answers("-S", "-c", HERE, folder), answers("-c", HERE, folder)
    assert (there.pop(), here.pop()) == ("False", "True")
    assert dict(zip(EXPRESSIONS, there, strict=True)) == dict(zip(EXPRESSIONS, here, strict=True))
