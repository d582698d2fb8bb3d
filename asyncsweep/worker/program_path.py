"""Where a program is: looked up before the first trial, so that a wrong name is an error at once."""

from __future__ import annotations

import os
import shutil

from asyncsweep.errors import ConfigError


def find_program(name: str, folder: str | None, path: str | None = None) -> str:
    """The absolute path of a program.

    Args:
        name: Its name, which is looked for on the search path, or with a "/" in it, its path.
        folder: Where a relative path begins; None means our own folder.
        path: The search path; None means that of this process.

    Raises:
        ConfigError: It is not there, or cannot be run.
    """
    folder = os.path.abspath(folder or ".")
    what = f"the program {name!r:.200}"
    if not name or "\0" in name:
        raise ConfigError(f"{what}: a program has a name, without NUL characters")
    if os.sep not in name:
        path = os.environ.get("PATH", os.defpath) if path is None else path
        found = shutil.which(name, path=path)
        if found is not None:
            return os.path.abspath(os.path.join(folder, found))
        near = os.path.join(folder, name)
        hint = f"; there is one in {folder!r}: write './{name}'" if os.path.isfile(near) else ""
        raise ConfigError(f"{what} is in no folder of PATH, which is {path!r:.1000}{hint}")
    file = os.path.abspath(os.path.join(folder, name))
    if os.path.isdir(file):
        raise ConfigError(f"{what}: {file!r} is a folder")
    if not os.path.exists(file):
        raise ConfigError(f"{what}: there is no {file!r}; a relative path begins at cwd=, which is {folder!r}")
    if not os.access(file, os.X_OK):
        own = f', or give it to its interpreter: ["python", {name!r}, ...]' if name.endswith(".py") else ""
        raise ConfigError(f"{what}: {file!r} is not executable; run `chmod +x` on it{own}")
    return file
