"""`python -m asyncsweep.testing.simulation`: simulate many sweeps, and name the seeds that break a promise."""

from __future__ import annotations

import logging
import sys
from collections import Counter

import click

from asyncsweep.testing.simulation.faults import Faults
from asyncsweep.testing.simulation.report import SimulationFailed
from asyncsweep.testing.simulation.simulation import Simulation

_SHOWN = 5


@click.command()
@click.option("--seeds", default=1000, show_default=True, type=click.IntRange(1), help="How many simulations.")
@click.option("--from", "first", default=0, show_default=True, type=click.IntRange(0), help="The first seed.")
@click.option(
    "--most", default=Faults().most, show_default=True, type=click.IntRange(0), help="Faults in each, at most."
)
def main(seeds: int, first: int, most: int) -> None:
    """Run sweeps in virtual time, with faults planted. Exits with 1 when one of them breaks a promise."""
    logging.getLogger("asyncsweep").addHandler(logging.NullHandler())  # executors that fail here are no news
    faults = Faults(most=most)
    planted: Counter[str] = Counter()
    failed: list[int] = []
    n_events, n_processes, virtual_s = 0, 0, 0.0
    for seed in range(first, first + seeds):
        try:
            report = Simulation(seed, faults).run()
        except SimulationFailed as failure:
            failed.append(seed)
            planted.update(failure.planted)
            if len(failed) <= _SHOWN:
                click.echo(f"{failure}\n", err=True)
            continue
        planted.update(report.planted)
        n_events += report.n_events
        n_processes += report.n_processes
        virtual_s += report.virtual_s
    click.echo(f"{seeds} simulations: {n_events} events, {n_processes} processes, {virtual_s / 3600:.1f} virtual hours")
    click.echo("faults: " + (", ".join(f"{kind} {count}" for kind, count in sorted(planted.items())) or "none"))
    click.echo(f"failed: {', '.join(map(str, failed)) or 'none'}")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
