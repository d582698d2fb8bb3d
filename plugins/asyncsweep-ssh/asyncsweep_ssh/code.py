"""The user's code: the files of a folder that `.gitignore` does not leave out, as one zip."""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from asyncsweep import ConfigError
from asyncsweep_ssh.archive import Archive, packed

if TYPE_CHECKING:
    from pathspec import GitIgnoreSpec

# Left out in any case: what versions and builds leave, environments, and sweeps.
_NEVER = frozenset(
    (
        *(
            ".git",
            ".hg",
            ".svn",
            "__pycache__",
            ".mypy_cache",
            ".pytest_cache",
            ".ruff_cache",
            ".hypothesis",
            ".tox",
            ".nox",
        ),
        *(".ipynb_checkpoints", "node_modules", ".DS_Store"),
    )
)
_MARKS = ("pyvenv.cfg", "conda-meta", "journal.asyncsweep")
_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30}
_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmg]?i?b?)\s*", re.IGNORECASE)
_SHOWN = 5

log = logging.getLogger("asyncsweep")


class Code(NamedTuple):
    """Code that goes to hosts.

    Attributes:
        root: Its folder here, with all links followed.
        archive: The zip.
        folders: The folders in it, relative to the root.
        cwd: Where workers begin, relative to the root: where we are, if that is in it.
        given: The folder as it was named, made absolute: links in it are not followed.
    """

    root: Path
    archive: Archive
    folders: frozenset[str]
    cwd: str
    given: str

    @property
    def roots(self) -> list[str]:
        """The names that the folder has here."""
        return list(dict.fromkeys((self.given, str(self.root))))

    def has_folder(self, name: str) -> bool:
        return name == "." or name in self.folders


def code_of(folder: str, limit_bytes: int) -> Code:
    """The code in a folder.

    Raises:
        ConfigError: There is no such folder, it has more than `limit_bytes`, or a file cannot be read.
    """
    root = Path(folder).resolve()
    if not root.is_dir():
        raise ConfigError(f"executor.code={folder!r}: there is no such folder")
    files = sorted(_files(root))
    sizes = [(path.stat().st_size, path) for path in files]
    total = sum(size for size, _ in sizes)
    if total > limit_bytes:
        raise ConfigError(_too_large(folder, root, total, limit_bytes, sizes))
    entries = []
    executables = set()
    for path in files:
        name = path.relative_to(root).as_posix()
        try:
            name.encode()
            entries.append((name, path.read_bytes()))
        except (OSError, UnicodeEncodeError) as error:
            raise ConfigError(f"executor.code={folder!r}: {name!r} cannot be sent: {error}") from error
        if os.access(path, os.X_OK):
            executables.add(name)
    folders = frozenset(above.as_posix() for name, _ in entries for above in Path(name).parents if above.name)
    here = Path.cwd().resolve()
    cwd = here.relative_to(root).as_posix() if root in here.parents else "."
    return Code(
        root, packed(entries, frozenset(executables)), folders, cwd if cwd in folders else ".", os.path.abspath(folder)
    )


def size_of(value: object, where: str) -> int:
    """A size in bytes.

    Raises:
        ConfigError: It is none.
    """
    size: float = -1
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value)):
        number, unit = match.groups()
        size = float(number) * _UNITS.get(unit.upper(), -1)
    if size < 0:
        raise ConfigError(f'{where}={value!r}: it must be a number of bytes, or a text such as "100MB" or "1GiB"')
    return int(size)


def _files(root: Path) -> Iterator[Path]:
    """The files below a folder that are sent. Links are followed to files in it, and left out where they lead elsewhere."""
    waiting: list[tuple[Path, tuple[tuple[Path, GitIgnoreSpec], ...]]] = [(root, _above(root))]
    while waiting:
        folder, rules = waiting.pop()
        rules = (*rules, *_rules_in(folder, ".gitignore"))
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            path = folder / entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if entry.name in _NEVER or entry.name.endswith((".pyc", ".pyo")) or _is_ignored(path, is_folder, rules):
                continue
            if is_folder:
                if not any((path / mark).exists() for mark in _MARKS):
                    waiting.append((path, rules))
            elif entry.is_symlink():
                target = path.resolve()
                if target.is_file() and root in target.parents:
                    yield path
                else:
                    log.warning("executor.code: the link %s leads to %s and is left out", path, target)
            elif stat.S_ISREG(entry.stat(follow_symlinks=False).st_mode):
                yield path


def _above(root: Path) -> tuple[tuple[Path, GitIgnoreSpec], ...]:
    """The rules of the repository that the folder is in, from its top down to the folder above."""
    top = next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)
    if top is None:
        return ()
    found = [*_rules_in(top, ".git/info/exclude")]
    between = [folder for folder in reversed(root.parents) if folder == top or top in folder.parents]
    for folder in between:
        found += _rules_in(folder, ".gitignore")
    return tuple(found)


def _rules_in(folder: Path, name: str) -> list[tuple[Path, GitIgnoreSpec]]:
    from pathspec import GitIgnoreSpec

    try:
        lines = (folder / name).read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [(folder, GitIgnoreSpec.from_lines(lines))]


def _is_ignored(path: Path, is_folder: bool, rules: tuple[tuple[Path, GitIgnoreSpec], ...]) -> bool:
    """Whether the last rule that speaks of a path leaves it out: rules of inner folders go before those of outer ones."""
    for folder, spec in reversed(rules):
        name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
        verdict = spec.check_file(name).include
        if verdict is not None:
            return verdict
    return False


def _too_large(folder: str, root: Path, total: int, limit_bytes: int, sizes: list[tuple[int, Path]]) -> str:
    by_part: dict[str, int] = {}
    for size, path in sizes:
        part = path.relative_to(root).parts
        name = part[0] + ("/" if len(part) > 1 else "")
        by_part[name] = by_part.get(name, 0) + size
    largest = sorted(by_part.items(), key=lambda item: -item[1])[:_SHOWN]
    shown = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in largest)
    return (
        f"executor.code={folder!r}: {total / 1e6:,.1f} MB would go to each host, and code_limit is {limit_bytes / 1e6:,.1f} MB; the largest: "
        f"{shown}. Name what is no code in .gitignore, send a smaller folder, or raise code_limit"
    )
