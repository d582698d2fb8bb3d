"""Where the commands that export write to: the standard output, or a file that is there whole or not at all."""

from __future__ import annotations

import os
import secrets
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import click

from asyncsweep.errors import ConfigError
from asyncsweep.journal.files import reason
from asyncsweep.progress.text import visible_lines

STDOUT = "-"


def write(output: str, make: Callable[[Path], object], *, force: bool) -> None:
    """Have something written.

    Args:
        output: The path of a file, or "-" for the standard output.
        make: Writes a new file at the path that it is given, as UTF-8.
        force: Replace a file that is there already.

    Raises:
        ConfigError: The file cannot be written, or is there already; then nothing has changed.
    """
    if output == STDOUT:
        with tempfile.TemporaryDirectory(prefix="asyncsweep-") as folder:
            path = Path(folder) / "output"
            make(path)
            _show(path.read_bytes())
        return
    target = Path(output)
    _check(target, force)
    unfinished = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        os.close(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        try:
            make(unfinished)
            _sync(unfinished)
            _check(target, force)  # again: whoever made it meanwhile keeps it
            os.replace(unfinished, target)
        except BaseException:
            with suppress(FileNotFoundError):
                unfinished.unlink()
            raise
    except OSError as error:
        raise ConfigError(f"--output {output!r} cannot be written: {reason(error)}") from error


def _check(target: Path, force: bool) -> None:
    try:
        if target.is_dir():
            raise ConfigError(f"--output {str(target)!r} is a folder; name a file in it")
        if not force and os.path.lexists(target):
            raise ConfigError(f"--output {str(target)!r} is there already; --force replaces it")
    except (OSError, ValueError) as error:
        if isinstance(error, ConfigError):
            raise
        raise ConfigError(f"--output {str(target)!r}: {error}") from error


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _show(data: bytes) -> None:
    """A terminal would obey control characters; a file or another program gets every byte as it is."""
    if sys.stdout.isatty():
        text = data.decode("utf-8", "replace").replace("\r\n", "\n").rstrip("\n")
        click.echo(visible_lines(text, sys.stdout.encoding or "utf-8"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
    sys.stdout.buffer.flush()
