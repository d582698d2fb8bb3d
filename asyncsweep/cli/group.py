"""The commands by name, and what an error looks like. A command's own module is imported when the command is used."""

from __future__ import annotations

import os
import sys
import warnings
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
            from asyncsweep.cli.completion import complete_directories

            return complete_directories(command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            from asyncsweep.hooks.nearest import did_you_mean

            ctx.fail(
                f"no command {args[0]!r}{did_you_mean(args[0], _COMMANDS)}; there are: {', '.join(sorted(_COMMANDS))}"
            )
        return super().resolve_command(ctx, args)

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


def _exit(ctx: click.Context, error: AsyncSweepError, code: int) -> NoReturn:
    click.echo(f"error: {visible_lines(redacted(str(error)), sys.stderr.encoding or 'utf-8')}", err=True)
    ctx.exit(code)


def _end_unread(ctx: click.Context) -> NoReturn:
    """Whoever read our output has enough (`asyncsweep show DIR | head`): end without a word."""
    nothing = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nothing, 1)  # where the rest of the output goes when the interpreter ends
    os.close(nothing)
    ctx.exit(EXIT_BROKEN_PIPE)


def _show_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    """Without the line of our own source that `warnings` would show."""
    click.echo(f"warning: {visible_lines(redacted(str(message)), sys.stderr.encoding or 'utf-8')}", err=True)
