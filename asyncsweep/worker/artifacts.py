"""What a trial keeps: files and folders copied under safe names into its folder of artifacts.

A name is a relative path, "plots/roc.png", and stays as it is when each of its parts can be a file's name everywhere. What cannot
is written as `%XX`, the bytes of its UTF-8: separators of other systems, control characters, what Windows reserves, a dot at
either end, and `%` itself. A part of more than 200 bytes is cut, and ends in `%~` and its digest. So no two names are
made one, and none leads out of the folder: "../x" is a file of the folder "%2E%2E".

Everything is reached from open folders, and no symbolic link in them is followed. A copy has a temporary name until it is whole.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from asyncsweep.errors import TrialError
from asyncsweep.worker.folders import ARTIFACTS, make

_LONGEST_PART_BYTES = 200
_LONGEST_SUFFIX_BYTES = 24
_MOST_PARTS = 8
_LONGEST_NAME = 100_000
_COPY_BYTES = 1 << 20
_A_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_OF_OTHER_SYSTEMS = frozenset('<>:"|?*\\%')
# Categories of Unicode: controls, invisible formats such as a change of direction, half characters, ends of lines.
_UNSEEN = frozenset(("Cc", "Cf", "Cs", "Zl", "Zp"))
_RESERVED = re.compile(r"(?i)(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(\.|$)")
_UNFINISHED = re.compile(r"\.(saving|replaced)-([0-9]+)-[0-9a-f]+")


def safe_name(name: str) -> str:
    """The relative path under which an artifact of this name is kept.

    Raises:
        TypeError: It is no text.
        TrialError: It names nothing ("", "/", "."), or has more than 100,000 characters.
    """
    if not isinstance(name, str):
        raise TypeError(f"trial.save(): name={name!r:.80}: expected a text, not {type(name).__name__}")
    if len(name) > _LONGEST_NAME:
        raise TrialError(f"trial.save(): name={name[:40]!r}...: {len(name)} characters; {_LONGEST_NAME} are allowed")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if not parts:
        raise TrialError(
            f'trial.save(): name={name!r:.80} names nothing; give one such as "model.pt" or "plots/roc.png"'
        )
    escaped = ["".join(map(_escaped, part)) for part in parts]
    if name.startswith("/"):
        escaped[0] = "%2F" + escaped[0]
    escaped[_MOST_PARTS - 1 :] = ["%2F".join(escaped[_MOST_PARTS - 1 :])] if escaped[_MOST_PARTS - 1 :] else []
    return "/".join(map(_safe_part, escaped))


def is_unfinished(name: str) -> bool:
    """True for the temporary name of a copy that is being made, or whose process died."""
    return _UNFINISHED.fullmatch(name) is not None


def save(
    folders: str, number: int, attempt: int, path: str | os.PathLike[str], name: str | None, limit_bytes: int
) -> str:
    """Copy a file or a folder into a trial's folder of artifacts; gives the path of the copy. See `Trial.save`."""
    if isinstance(limit_bytes, bool) or not isinstance(limit_bytes, int) or limit_bytes < 0:
        raise TypeError(f"trial.save(): limit_bytes={limit_bytes!r:.80}: expected a whole number of bytes")
    given = os.fspath(path)
    if not isinstance(given, str):
        raise TypeError(f"trial.save(): path={given!r:.80}: expected a text or a Path")
    root = make(folders, str(number), ARTIFACTS)
    source = os.path.realpath(given)
    if not os.path.exists(source):
        raise FileNotFoundError(errno.ENOENT, "trial.save(): there is no such file or folder", given)
    inside = _below(source, os.path.realpath(root))
    if name is None:
        if inside is not None:
            _check_size(given, sum(entry.size for entry in _entries(source)), limit_bytes)
            return os.path.join(root, inside) if inside else root
        name = os.path.basename(os.path.abspath(given))
    if _below(os.path.realpath(root), source) is not None:
        raise TrialError(f"trial.save({given!r}): the trial's own folder is in it; save what is beside that by itself")
    safe = safe_name(name)
    if inside == safe:
        return os.path.join(root, safe)
    entries = _entries(source)
    _check_size(given, sum(entry.size for entry in entries), limit_bytes)
    with _opened(folders, None) as above, _opened(str(number), above) as trial, _opened(ARTIFACTS, trial) as artifacts:
        _clear_away(artifacts, attempt)
        new = f".saving-{attempt}-{secrets.token_hex(8)}"
        try:
            _copy(given, entries, new, artifacts, limit_bytes)
            _put(new, artifacts, safe.split("/"), attempt)
        except BaseException:
            _remove(new, artifacts)
            raise
    return os.path.join(root, safe)


class _Entry(NamedTuple):
    """A file or folder to copy: where it is, its path in the copy ("" is the copy itself), and a file's size."""

    source: str
    path: str
    is_folder: bool
    size: int


def _escaped(character: str) -> str:
    if character.isascii() and character.isalnum():
        return character
    import unicodedata  # for the few that have more than plain names

    if character not in _OF_OTHER_SYSTEMS and unicodedata.category(character) not in _UNSEEN:
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _safe_part(part: str) -> str:
    """What an escaped part is called: as it is, but for its ends, a name that Windows reserves, and its length."""
    if part[-1] in ". " and part != ".":
        part = f"{part[:-1]}%{ord(part[-1]):02X}"
    if part[0] == "." or _RESERVED.match(part):
        part = f"%{ord(part[0]):02X}{part[1:]}"
    if len(part.encode()) <= _LONGEST_PART_BYTES:
        return part
    import hashlib

    _, dot, suffix = part.rpartition(".")
    suffix = dot + suffix if len(suffix.encode()) < _LONGEST_SUFFIX_BYTES else ""
    digest = hashlib.sha256(part.encode()).hexdigest()[:32]
    kept = _LONGEST_PART_BYTES - len(suffix.encode()) - len(digest) - 2
    head = part.encode()[:kept].decode(errors="ignore")
    head = re.sub(r"%[0-9A-F]?$", "", head)  # half an escape is none
    return f"{head}%~{digest}{suffix}"


def _below(path: str, folder: str) -> str | None:
    """The path relative to the folder, "" for the folder itself; None when it is elsewhere."""
    if path == folder:
        return ""
    start = folder if folder.endswith("/") else folder + "/"
    return path[len(start) :] if path.startswith(start) else None


def _entries(source: str) -> list[_Entry]:
    """What is to be copied, folders before what is in them.

    Raises:
        TrialError: There is something that is neither a file nor a folder, or a link that leads out of the source.
        OSError: It cannot be looked at.
    """
    found: list[_Entry] = []
    waiting = [(source, "")]
    while waiting:
        place, path = waiting.pop()
        status = os.lstat(place)
        if stat.S_ISLNK(status.st_mode):
            target = os.path.realpath(place)
            if _below(target, source) is None or not os.path.isfile(target):
                raise TrialError(
                    f"trial.save(): {place!r} is a symbolic link to {target!r}; only links to files within what is saved are "
                    "kept, as copies: save that by itself, or leave the link out"
                )
            found.append(_Entry(target, path, False, os.stat(target).st_size))
        elif stat.S_ISDIR(status.st_mode):
            found.append(_Entry(place, path, True, 0))
            names = sorted(os.listdir(place), reverse=True)
            waiting += [(os.path.join(place, name), os.path.join(path, name)) for name in names]
        elif stat.S_ISREG(status.st_mode):
            found.append(_Entry(place, path, False, status.st_size))
        else:
            raise TrialError(f"trial.save(): {place!r} is neither a file nor a folder; leave it out")
    return found


def _check_size(given: str, size: int, limit_bytes: int) -> None:
    if size > limit_bytes:
        raise TrialError(
            f"trial.save({given!r}): it has {size:,} bytes, and {limit_bytes:,} are allowed: "
            "save less, or give a greater `limit_bytes`"
        )


@contextmanager
def _opened(name: str, above: int | None) -> Iterator[int]:
    fd = os.open(name, _A_FOLDER, dir_fd=above)
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _made(parts: list[str], above: int) -> Iterator[int]:
    """The folder that the parts lead to from an open one, open; what is missing is made.

    Raises:
        OSError: One of them is something else, a symbolic link for example.
    """
    fd = os.dup(above)
    try:
        for part in parts:
            with suppress(FileExistsError):
                os.mkdir(part, 0o700, dir_fd=fd)
            inner = os.open(part, _A_FOLDER, dir_fd=fd)
            os.close(fd)
            fd = inner
            os.fchmod(fd, 0o700)  # a umask may have taken away more than is good for us
        yield fd
    finally:
        os.close(fd)


def _copy(given: str, entries: list[_Entry], new: str, root: int, limit_bytes: int) -> None:
    left = limit_bytes
    for entry in entries:
        *above, name = [new, *entry.path.split("/")] if entry.path else [new]
        with _made(above, root) as folder:
            if entry.is_folder:
                with _made([name], folder):
                    continue
            left -= _copy_file(entry.source, name, folder, left)
        _check_size(given, limit_bytes - left, limit_bytes)


def _copy_file(source: str, name: str, folder: int, limit_bytes: int) -> int:
    """Copy one file; gives how many bytes it had, which is more than the limit when it was given up."""
    # It may have become something else since it was looked at: what that is must neither lead away nor wait for a writer.
    fd = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb", buffering=0) as old:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise TrialError(f"trial.save(): {source!r} is neither a file nor a folder; leave it out")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(name, flags, 0o600, dir_fd=folder), "wb", buffering=0) as new:
            os.fchmod(new.fileno(), 0o600)
            copied = 0
            while copied <= limit_bytes and (data := old.read(_COPY_BYTES)):
                copied += len(data)
                view = memoryview(data)
                while view:
                    view = view[new.write(view) :]
            return copied


def _put(new: str, root: int, parts: list[str], attempt: int) -> None:
    """Give a whole copy its name, in the place of an earlier one."""
    *above, name = parts
    shown = "/".join(parts)
    try:
        with _made(above, root) as folder:
            is_folder = stat.S_ISDIR(os.lstat(new, dir_fd=root).st_mode)
            there = _kind(name, folder)
            if there is not None and name not in os.listdir(folder):
                raise TrialError(
                    f"trial.save(): {shown!r} cannot be told from an earlier artifact on this file system, which takes small "
                    "and capital letters for the same; give another name"
                )
            if there is None or (stat.S_ISREG(there) and not is_folder):
                os.replace(new, name, src_dir_fd=root, dst_dir_fd=folder)
            elif stat.S_ISDIR(there) and is_folder:
                old = f".replaced-{attempt}-{secrets.token_hex(8)}"
                os.rename(name, old, src_dir_fd=folder, dst_dir_fd=root)
                try:
                    os.rename(new, name, src_dir_fd=root, dst_dir_fd=folder)
                except BaseException:
                    os.rename(old, name, src_dir_fd=root, dst_dir_fd=folder)
                    raise
                _remove(old, root)
            else:
                what = "folder" if stat.S_ISDIR(there) else "file" if stat.S_ISREG(there) else "symbolic link"
                raise TrialError(f"trial.save(): {shown!r} is a {what} there already; give another name")
    except NotADirectoryError as error:
        raise TrialError(f"trial.save(): a part of {shown!r} is no folder there; give another name") from error
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise TrialError(f"trial.save(): a part of {shown!r} is a symbolic link there; give another name") from error


def _kind(name: str, folder: int) -> int | None:
    try:
        return os.lstat(name, dir_fd=folder).st_mode
    except FileNotFoundError:
        return None


def _clear_away(root: int, attempt: int) -> None:
    """Remove what earlier attempts, whose processes are gone, did not bring to an end."""
    for name in os.listdir(root):
        found = _UNFINISHED.fullmatch(name)
        if found is not None and int(found[2]) < attempt:
            _remove(name, root)


def _remove(name: str, above: int) -> None:
    """Delete a file, or a folder with all that is in it, as far as that is possible; links are not followed."""
    with suppress(OSError):
        try:
            os.unlink(name, dir_fd=above)
        except (IsADirectoryError, PermissionError):  # what unlink says of a folder: Linux, macOS
            with _opened(name, above) as folder:
                for inner in os.listdir(folder):
                    _remove(inner, folder)
            os.rmdir(name, dir_fd=above)
