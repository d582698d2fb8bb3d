"""A trial's folder: where its logs, its checkpoint and its artifacts are, made when it is first used.

Its name is the trial's number, written in the one way in which we write numbers: "007" is somebody else's. Each folder has the
mode 0700, whatever the umask, and no symbolic link is taken for one.
"""

from __future__ import annotations

import errno
import os
import re
import stat

CHECKPOINT = "checkpoint"
ARTIFACTS = "artifacts"

_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")  # not \d, which other scripts' digits match too


def numbers_in(folders: str | os.PathLike[str]) -> list[int]:
    """The numbers of the trials that have a folder, in order; none when the folder of their folders is not there.

    Raises:
        OSError: They cannot be listed.
    """
    try:
        with os.scandir(folders) as entries:
            return sorted(int(e.name) for e in entries if _NUMBER.fullmatch(e.name) and e.is_dir(follow_symlinks=False))
    except (FileNotFoundError, NotADirectoryError):
        return []


def make(*parts: str) -> str:
    """The folder that the parts are when they are joined; the first part and each one below it is made if it is missing.

    Raises:
        OSError: It cannot be made, or something else has its place, a symbolic link for example.
    """
    path = ""
    for part in parts:
        path = os.path.join(path, part)
        try:
            os.mkdir(path, 0o700)
        except FileExistsError:
            if not stat.S_ISDIR(os.lstat(path).st_mode):
                raise NotADirectoryError(
                    errno.ENOTDIR, "Not a directory: a trial's folder must be one, and no symbolic link", path
                ) from None
        else:
            os.chmod(path, 0o700)  # a umask may have taken away more than is good for us
    return path
