"""`python -m benchmarks.guard [--accept] [--cases a,b] [--no-strace]`: count, and compare with what was accepted.

Exit status: 0 when no count has grown, 1 when one has, 2 for wrong arguments, 3 when
counting failed.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.guard import judging, syscalls
from benchmarks.guard.sweeps import CASES, Case

_LIBRARIES = ("anyio", "msgpack", "msgspec")
_LIMIT_S = 120
_BROKEN = 3
_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_ACCEPT = "python -m benchmarks.guard --accept"


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    skipped = "it was not asked for" if options.no_strace else syscalls.why_not()
    try:
        measured, names = measure(options.cases, with_syscalls=not skipped)
    except (subprocess.SubprocessError, RuntimeError) as error:
        print(f"Nothing was compared, because counting failed: {error}", file=sys.stderr)
        return _BROKEN
    known = judging.load(_PYTHON, judging.FILE)
    accepted = {} if known is None else {name: known["cases"].get(name, {}) for name in measured}
    verdicts = judging.judge(measured, accepted)
    _show(verdicts)
    print()
    if skipped:
        print(f"System calls are not counted: {skipped}.")
    if options.accept:
        content = known or {"cases": {}}
        if skipped:  # what cannot be counted here stays as it was
            for name, counts in measured.items():
                counts.update({k: v for k, v in accepted.get(name, {}).items() if k not in counts and "syscalls" in k})
        judging.store(_PYTHON, {"libraries": _versions(), "cases": content["cases"] | measured}, judging.FILE)
        print(f"Accepted for Python {_PYTHON}: commit benchmarks/guard/{judging.FILE.name}.")
        return 0
    if known is None:
        print(f"Nothing is accepted for Python {_PYTHON} yet, so nothing is compared: {_ACCEPT}")
        return 0
    return _judged(verdicts, names, known)


def measure(cases: Sequence[Case], *, with_syscalls: bool) -> tuple[judging.Counts, dict[str, dict[str, Any]]]:
    """The counts of each case, and the names of the system calls in them. Counted side by side: nothing here is a timing."""
    environment = os.environ | {"PYTHONHASHSEED": "0"}
    environment.pop("ASYNCSWEEP_DEBUG", None)  # its checks would be counted, too
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2) as threads:
        counted = {case.name: threads.submit(_count, case, environment) for case in reversed(cases)}
        traced = {
            case.name: threads.submit(syscalls.count, case, environment) for case in reversed(cases) if with_syscalls
        }
        measured = {case.name: counted[case.name].result() for case in cases}
        names: dict[str, dict[str, Any]] = {}
        for name, future in traced.items():
            counts, names[name] = future.result()
            measured[name] |= counts
    return measured, names


def _count(case: Case, environment: dict[str, str]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.guard.measuring", case.name],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        timeout=_LIMIT_S,
        check=True,
    )
    counts: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return counts


def _judged(verdicts: Sequence[judging.Verdict], names: dict[str, dict[str, Any]], known: dict[str, Any]) -> int:
    worse = [verdict for verdict in verdicts if verdict.word == "worse"]
    if not worse:
        better = sum(verdict.word == "better" for verdict in verdicts)
        print("Nothing has grown." + (f" {better} counts are smaller; to hold them: {_ACCEPT}" if better else ""))
        return 0
    print(f"{len(worse)} counts per trial have grown beyond what they vary by:")
    for verdict in worse:
        share = max(verdict.kind.allowed, verdict.kind.least / verdict.accepted if verdict.accepted else 0.0)
        print(
            f"  {verdict.case}: {verdict.kind.label}: {judging.shown(verdict.measured)}, accepted "
            f"{judging.shown(verdict.accepted)}: {verdict.change:+.2%}, allowed {share:+.2%}"
        )
        if calls := names.get(verdict.case, {}).get(verdict.name):
            print("    now " + ", ".join(f"{name} {judging.shown(n)}" for name, n in calls.items()))
    if known["libraries"] != _versions():
        before = ", ".join(f"{name} {version}" for name, version in known["libraries"].items())
        now = ", ".join(f"{name} {version}" for name, version in _versions().items())
        print(f"The counts were accepted with {before}; here are {now}, which may be the reason.")
    print("These counts are the same on every machine and do not depend on its load: the code does more than it did.")
    print(f"If that is meant to be: {_ACCEPT}, and commit benchmarks/guard/{judging.FILE.name} with the reason.")
    return 1


def _show(verdicts: Sequence[judging.Verdict]) -> None:
    rows = [("per trial", "", "now", "accepted", "")]
    case = ""
    for verdict in verdicts:
        word = verdict.word
        if word in ("worse", "better"):
            word = f"{word}, {verdict.change:+.2%}"
        rows.append(
            (
                "" if verdict.case == case else verdict.case,
                verdict.kind.label,
                judging.shown(verdict.measured),
                judging.shown(verdict.accepted),
                "" if word == "same" else word,
            )
        )
        case = verdict.case
    widths = [max(len(row[place]) for row in rows) for place in range(4)]
    for first, label, now, before, word in rows:
        line = f"{first:<{widths[0]}}  {label:<{widths[1]}}  {now:>{widths[2]}}  {before:>{widths[3]}}  {word}"
        print(line.rstrip())


def _versions() -> dict[str, str]:
    return {"python": sys.version.split()[0]} | {name: importlib.metadata.version(name) for name in _LIBRARIES}


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.guard",
        description="Count what a trial costs, and fail where it costs more than was accepted.",
        epilog="; ".join(f"{case.name}: {case.about}" for case in CASES),
    )
    parser.add_argument("--accept", action="store_true", help="store what is counted now as what is accepted")
    parser.add_argument("--cases", type=_cases, default=CASES, metavar="A,B", help="only these")
    parser.add_argument("--no-strace", action="store_true", help="do not count system calls")
    return parser.parse_args(arguments)


def _cases(text: str) -> list[Case]:
    known = {case.name: case for case in CASES}
    wrong = [name for name in text.split(",") if name not in known]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is none of {', '.join(known)}")
    return [known[name] for name in text.split(",")]


if __name__ == "__main__":
    sys.exit(main())
