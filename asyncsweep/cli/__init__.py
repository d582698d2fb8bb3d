"""The command `asyncsweep`."""

from __future__ import annotations


def main() -> None:
    """Run the command line of this process and exit: 0 fine, 1 the sweep failed, 2 bad usage, 130 interrupted."""
    from asyncsweep.cli.group import asyncsweep

    asyncsweep(prog_name="asyncsweep")
