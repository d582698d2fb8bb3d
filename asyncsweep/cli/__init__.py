"""The command `asyncsweep`."""

from __future__ import annotations


def main() -> None:
    """Run the command line of this process and exit: 0 fine, 1 the sweep failed, 2 bad usage, 130 interrupted."""
    import signal
    import sys

    try:
        from asyncsweep.cli.group import asyncsweep

        asyncsweep(prog_name="asyncsweep")
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # while the interpreter ends, a Ctrl-C would be a traceback
