"""The commands by name, and what an error looks like. A command's own module is imported when the command is used."""

from __future__ import annotations

import os
import sys
import warnings
from contextlib import suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from asyncsweep import __version__
from asyncsweep.errors import AsyncSweepError, ConfigError
from asyncsweep.progress.text import visible_lines
from asyncsweep.worker.secrets import redacted

EXIT_SWEEP_FAILED = 1
EXIT_BAD_USAGE = 2
EXIT_INTERRUPTED = 130
# As of a tool that a signal ended, because nobody reads its output any more.
EXIT_BROKEN_PIPE = 141

# Where a context keeps what was typed.
_TYPED = "asyncsweep.typed"

_COMMANDS = {
    "artifacts": "asyncsweep.cli.artifacts:artifacts",
    "completion": "asyncsweep.cli.completion:completion",
    "demo": "asyncsweep.cli.demo:demo",
    "export": "asyncsweep.cli.export:export",
    "import": "asyncsweep.cli.import_:import_",
    "init": "asyncsweep.cli.init:init",
    "journal": "asyncsweep.cli.journal:journal",
    "ls": "asyncsweep.cli.ls:ls",
    "logs": "asyncsweep.cli.logs:logs",
    "pause": "asyncsweep.cli.steer:pause",
    "plugins": "asyncsweep.cli.plugins:plugins",
    "resume": "asyncsweep.cli.resume:resume",
    "rm": "asyncsweep.cli.rm:rm",
    "run": "asyncsweep.cli.run:run",
    "show": "asyncsweep.cli.show:show",
    "stop": "asyncsweep.cli.steer:stop",
    "unpause": "asyncsweep.cli.steer:unpause",
    "view": "asyncsweep.cli.view:view",
}


class Commands(click.Group):
    """Imports a command when it is looked at, and tells the errors of sweeps without a traceback."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        path = _COMMANDS.get(cmd_name)
        if path is None:
            return None
        module, name = path.split(":")
        command: click.Command = getattr(import_module(module), name)
        if ctx.resilient_parsing:  # a shell asks how a line may go on
            from asyncsweep.cli.completion import complete_values

            return complete_values(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from asyncsweep.hooks.nearest import did_you_mean

            ctx.fail(
                f"no command {args[0]!r}{did_you_mean(args[0], _COMMANDS)}; there are: {', '.join(sorted(_COMMANDS))}"
            )
        ctx.meta[_TYPED] = tuple(args)
        return super().resolve_command(ctx, args)

    def main(self, *args: Any, **extra: Any) -> Any:
        _open_closed()
        try:
            return super().main(*args, **extra)
        except OSError as error:
            if not _is_unwritable(error):
                raise
            discard_unwritten(1)
            aside(f"error: standard output: {os.strerror(error.errno or 0)}")
            sys.exit(EXIT_SWEEP_FAILED)

    def invoke(self, ctx: click.Context) -> Any:
        warnings.showwarning = _show_warning
        try:
            answer = super().invoke(ctx)
            sys.stdout.flush()
            return answer
        except ConfigError as error:
            _exit(ctx, error, EXIT_BAD_USAGE)
        except BrokenPipeError:
            _end_unread(ctx)
        except AsyncSweepError as error:
            _exit(ctx, error, EXIT_SWEEP_FAILED)
        except KeyboardInterrupt:
            ctx.exit(EXIT_INTERRUPTED)
        except SystemExit as error:
            if isinstance(error.__context__, BrokenPipeError):  # rich's way to end
                _end_unread(ctx)
            raise


@click.command(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Examples:
  asyncsweep demo
  asyncsweep run train.py --lr "log_uniform(1e-5, 1e-1)" --trials 50 --parallel 2
  asyncsweep show sweeps/train-1
  asyncsweep resume sweeps/train-1

Exit codes: 0 fine, 1 the sweep failed, 2 bad usage, 130 interrupted.
""",
)
@click.version_option(__version__, prog_name="asyncsweep", message="%(prog)s %(version)s")
def asyncsweep() -> None:
    """Hyperparameter sweeps that survive a crash, without a cluster, a database or a daemon."""


def aside(line: str) -> None:
    """A line for the standard error, where it can be written: nothing ends for want of it."""
    with suppress(OSError):
        # A live display has put itself in the place of `sys.stderr`, to keep such lines; click would pass it by.
        print(line, file=sys.stderr, flush=True)


def discard_unwritten(fd: int) -> None:
    """Let what was not written, and all that follows, go nowhere: the interpreter would complain of it at its end."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, fd)
    os.close(nothing)


def _exit(ctx: click.Context, error: AsyncSweepError, code: int) -> NoReturn:
    text = str(error)
    if isinstance(error, ConfigError):
        from asyncsweep.cli.wording import as_typed

        text = as_typed(text, ctx.meta.get(_TYPED, ()))
    aside(f"error: {visible_lines(redacted(text), sys.stderr.encoding or 'utf-8')}")
    ctx.exit(code)


def _end_unread(ctx: click.Context) -> NoReturn:
    """Whoever read our output has enough (`asyncsweep show DIR | head`): end without a word."""
    discard_unwritten(1)
    ctx.exit(EXIT_BROKEN_PIPE)


def _open_closed() -> None:
    """Standard files that are closed (`asyncsweep ls >&-`) lead nowhere: the next file opened would take their place."""
    for fd in (0, 1, 2):
        try:
            os.fstat(fd)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)


def _is_unwritable(error: OSError) -> bool:
    """Whether it is the standard output that could not be written: then one more byte cannot be, either."""
    if error.filename is not None or error.errno is None:
        return False
    try:
        os.write(1, b"\n")
    except OSError as again:
        return again.errno == error.errno
    return False


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    """Without the line of our own source that `warnings` would show."""
    aside(f"warning: {visible_lines(redacted(str(message)), sys.stderr.encoding or 'utf-8')}")
