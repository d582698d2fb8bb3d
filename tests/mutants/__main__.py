"""Makes mutants of the core, looks for each, and prints a table: `python -m tests.mutants [--count 100] [--seed 0] [--all]`.

The exit status is 1 when fewer than 90 % were found, or when a survivor is not explained in survivors.md.
"""

from __future__ import annotations

import argparse
import sys
import time
from random import Random

from tests.mutants.laboratory import probe_all
from tests.mutants.mutator import Mutant, mutants
from tests.mutants.survivors import explained

NEEDED = 0.9


def sample(count: int, seed: int) -> list[Mutant]:
    """That many mutants, chosen by the seed."""
    return Random(seed).sample(mutants(), count)


def hunt(chosen: list[Mutant], at_a_time: int = 2) -> list[tuple[Mutant, str]]:
    """Each mutant with what found it, "" for a survivor."""
    found = probe_all([(mutant.file, mutant.source, "hunt") for mutant in chosen], at_a_time)
    return list(zip(chosen, found, strict=True))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__)
    parser.add_argument("--count", type=int, default=100, help="how many mutants (100)")
    parser.add_argument("--seed", type=int, default=0, help="which ones (0)")
    parser.add_argument("--all", action="store_true", help="every mutant that there is")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    results = hunt(mutants() if options.all else sample(options.count, options.seed), options.jobs)
    known = explained()
    unexplained = 0
    for mutant, found in results:
        unexplained += not found and mutant.name not in known
        verdict = found or f"SURVIVED: {known.get(mutant.name, 'not explained in survivors.md')}"
        sys.stdout.write(f"core/{mutant.file}:{mutant.line:<4} {mutant.name}\n    {verdict}\n")
    n_found = sum(1 for _, found in results if found)
    seconds = time.monotonic() - start
    sys.stdout.write(f"\n{n_found} of {len(results)} mutants found ({n_found / len(results):.1%}) in {seconds:.0f} s\n")
    if unexplained:
        sys.stdout.write(f"{unexplained} survivors are not explained in tests/mutants/survivors.md\n")
    return 1 if unexplained or n_found < NEEDED * len(results) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
