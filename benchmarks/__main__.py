"""The command line: list, run, compare, report."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import workloads
from benchmarks.harness import cases, contestants, results, setting, tables
from benchmarks.harness.environments import EnvironmentFailed
from benchmarks.harness.figures import OURS

DEFAULT_PEERS = ("optuna", "by_hand")
_LIMIT = "raw"
_FAILED, _REFUSED = 1, 2


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; gives the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.do(options)
    except (KeyError, ValueError) as error:
        print(error.args[0], file=sys.stderr)
        return _REFUSED
    return status


def show_list(options: argparse.Namespace) -> int:
    """Print what can be run, and against whom."""
    for name in workloads.names():
        try:
            print(f"{name:14} {workloads.named(name).about}")
        except ImportError as error:
            print(f"{name:12} cannot be run here: {error}")
    print(f"\npeers: {', '.join(contestants.known())}")
    return 0


def run(options: argparse.Namespace) -> int:
    """Run workloads, one after the other; 1 if anything failed."""
    chosen = [workloads.named(name) for name in options.workloads]
    began_at = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        there, unready = prepared([OURS, *options.peers, _LIMIT], options.backend, folder)
        described = setting.described(options.backend, folder, options.quick, options.peers)
        outcomes = {}
        for workload in chosen:
            of_one = folder / workload.name
            of_one.mkdir()
            extra = dict(options.set)
            how = cases.Options(of_one, there, options.quick, options.backend, extra=extra)
            repetitions = options.repetitions or (1 if options.quick else workload.default_repetitions)
            outcome = cases.run(workload, how, repetitions, tell)
            outcome.failed |= {f"peer {peer}": why for peer, why in unready.items()}
            outcomes[workload.name] = outcome
    versions = {contestant.name: dict(contestant.versions) for contestant in there if contestant.versions}
    setting.ended(described, time.monotonic() - began_at, versions)
    found = results.Results(described, outcomes)
    tables.show(found)
    if options.json is not None:
        results.write(found, options.json)
    if options.report is not None:
        _write_report(found, options.report)
    return _FAILED if found.has_failures else 0


def compare(options: argparse.Namespace) -> int:
    """Hold one run against an earlier one; 1 if something is worse by more than is allowed."""
    from benchmarks.harness import comparing

    return comparing.show(results.read(options.old), results.read(options.new), options.fail_over)


def report(options: argparse.Namespace) -> int:
    """Draw what a JSON holds."""
    _write_report(results.read(options.file), options.folder)
    return 0


def prepared(names: list[str], backend: str, folder: Path) -> tuple[list[contestants.Contestant], dict[str, str]]:
    """The contestants whose environments are there, and why others are not."""
    there, unready = [], {}
    for name in dict.fromkeys(names):
        try:
            there.append(contestants.prepared(name, backend, folder, tell))
        except EnvironmentFailed as error:
            unready[name] = f"its environment cannot be made: {error}"
    return there, unready


def tell(line: str) -> None:
    """Say how far it is, beside the results."""
    print(line, file=sys.stderr, flush=True)


def _write_report(found: results.Results, folder: Path) -> None:
    from benchmarks.harness import page

    print(f"\nreport: {page.write(found, folder)}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    listing = commands.add_parser("list", help="what can be run, and against whom")
    listing.set_defaults(do=show_list)
    running = commands.add_parser("run", help="measure")
    running.set_defaults(do=run)
    running.add_argument("workloads", nargs="+", metavar="WORKLOAD", help="see `list`")
    running.add_argument(
        "--peers", type=_names, default=DEFAULT_PEERS, metavar="A,B", help=f"({','.join(DEFAULT_PEERS)})"
    )
    running.add_argument("--quick", action="store_true", help="tiny samples: to see that it works, not how fast")
    running.add_argument("--repetitions", type=_positive, metavar="N", help="samples of each figure (1 with --quick)")
    running.add_argument("--backend", choices=("asyncio", "trio"), default="asyncio", help="the sweep's event loop")
    running.add_argument("--json", type=Path, metavar="FILE", help="write everything there too")
    running.add_argument("--report", type=Path, metavar="FOLDER", help="plots and a page, there")
    running.add_argument(
        "--set", type=_pair, action="append", default=[], metavar="NAME=VALUE", help="an option of a workload"
    )
    comparing = commands.add_parser("compare", help="hold one run against an earlier one")
    comparing.set_defaults(do=compare)
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    comparing.add_argument(
        "--fail-over", type=float, metavar="PERCENT", help="exit status 1 when something of ours is worse by more"
    )
    reporting = commands.add_parser("report", help="draw what a JSON holds")
    reporting.set_defaults(do=report)
    reporting.add_argument("file", type=Path)
    reporting.add_argument("folder", type=Path)
    return parser


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip().replace("-", "_") for name in text.split(",") if name.strip())
    unknown = [name for name in names if name not in contestants.known()]
    if unknown:
        raise argparse.ArgumentTypeError(f"no peer {unknown[0]!r}; there are {', '.join(contestants.known())}")
    return names


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
