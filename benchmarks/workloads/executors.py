"""Sweeps whose trials run elsewhere: on SSH hosts that are 50 ms away, and on clusters of Dask and Ray."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.executing import clusters, hosts
from benchmarks.harness.cases import Case, Options
from benchmarks.harness.figures import Figure, Goal, add_ratios, at_least, at_most

PARTS = ("ssh", "dask", "ray")


class Executors:
    """SSH, Dask, Ray."""

    name = "executors"
    about = "trials on three SSH hosts 50 ms away (needs root, for network namespaces), and on clusters of Dask and Ray"
    notes = (
        "ssh, trials of a second: % of the time of 3 x 2 slots that trials had, while there was work for all; with start and end: of all the time.",
        "ssh, a verdict: ms that an objective waits for it, of which 50 are the way there and back.",
        "ssh, first trial: s from the start of a sweep to the end of its first trial, on a host that has nothing of ours, and its steps. "
        "The end: from there to the end of the sweep, with nothing left on the host.",
        "dask, ray: no-op trials/s on 2 processes, and what `Client.map` and plain actors do there with a function that does nothing.",
        "ray, two calls: each plain actor has two calls at a time, and the next one goes when a result is there. That is what a sweep does, of whose trials one "
        "runs and one waits in each actor. One call at a time is what a simple loop does. All calls at once is what Ray can do when nothing depends on a result: no "
        "search is like that, and it is what the goal speaks of.",
        "Ray Tune itself takes part with --peers ray.",
        f"--set only=A,B measures these parts of {', '.join(PARTS)}.",
    )
    default_repetitions = 3

    def cases(self, options: Options) -> list[Case]:
        only = options.extra.get("only", ",".join(PARTS)).split(",")
        parts = {"ssh": _ssh, "dask": _dask, "ray": _ray}
        for part in only:
            if part not in parts:
                raise ValueError(f"--set only={part}: there are {', '.join(PARTS)}")
        return [case for part in only for case in parts[part](options)]

    def compare(self, figures: dict[str, Figure]) -> list[Goal]:
        add_ratios(figures, [("ray_tune", "ray: trials / Ray Tune's", "ray_trials", "peer_ray")])
        return [
            *at_least(figures, {"ssh_share": 97.0}),
            *at_most(figures, {"ssh_verdict_p99": 250.0, "ssh_first": 2.0, "ssh_first_of_three": 2.0}),
            *at_least(
                figures, {"dask_trials_/_Client.map": 0.5, "ray_trials_/_actors,_all_calls": 0.5, "ray_tune": 10.0}
            ),
        ]


def _ssh(options: Options) -> Iterator[Case]:
    folder = options.folder / "ssh"
    far = options.cleanup.enter_context(hosts.hosts(folder))
    per_slot, n_asking = options.pick((20, 24), (3, 6), (1, 1))
    if per_slot > 1:  # with one for each slot there is no time in which all are busy
        yield Case("ssh_share", "ssh, trials of a second", "%", _run(lambda: hosts.share(far, folder, per_slot)))
    yield Case("ssh_verdict", "ssh, a verdict", "ms", _run(lambda: hosts.verdicts(far, n_asking)))
    yield Case("ssh_first", "ssh, first trial", "s", _run(lambda: hosts.first(far, 1)))
    yield Case("ssh_first_of_three", "ssh, first trial on three hosts", "s", _run(lambda: hosts.first(far, 3)))


def _dask(options: Options) -> Iterator[Case]:
    n_trials = options.pick(2_000, 100, 20)
    units = {"trials / Client.map": "x"}
    yield Case("dask", "dask", "per s", _run(lambda: clusters.with_dask(n_trials)), units=units)


def _ray(options: Options) -> Iterator[Case]:
    n_trials = options.pick(2_000, 100, 20)
    yield Case(
        "ray",
        "ray",
        "per s",
        _run(lambda: clusters.with_ray(n_trials)),
        units={f"trials / actors, {calls}": "x" for calls in ("one call", "two calls", "all calls")},
    )
    for contestant in options.taking_part("overhead"):
        if contestant.name == "ray":

            def tune(contestant: Any = contestant) -> dict[str, float]:
                answer = contestant.call("overhead", n_trials=options.pick(200, 20, 4), workers=2, durable=True)
                return {"": answer["trials_per_s"]}

            yield Case("peer_ray", "Ray Tune", "per s", tune, "ray")


def _run(measure: Callable[[], Any]) -> Callable[[], dict[str, float]]:
    def measured() -> dict[str, float]:
        found: dict[str, float] = asyncio.run(measure())
        return found

    return measured


WORKLOAD = Executors()
