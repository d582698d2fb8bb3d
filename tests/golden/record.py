"""Records golden journals: `python -m tests.golden.record [STORY...]`, from the repository's root; all stories if none is named.

A golden journal says what a version wrote that somebody may have on disk: it is never written again, and this program refuses
to. Before the first release, and only then, one may be deleted and recorded anew.
"""

from __future__ import annotations

import sys
from pathlib import Path

from asyncsweep.driver.replay import replay
from asyncsweep.journal import format as layout
from tests.golden.expected import expected
from tests.golden.stories import STORIES

FOLDER = Path(__file__).parent


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in STORIES]
    if unknown:
        sys.stderr.write(f"no story {unknown[0]!r}; there are: {', '.join(STORIES)}\n")
        return 2
    chosen = names or list(STORIES)
    there = sorted(path for name in chosen for path in FOLDER.glob(f"{name}*.asyncsweep"))
    if there:
        sys.stderr.write(
            f"{there[0].relative_to(FOLDER)} is recorded, and stays as it is; name the stories that are new\n"
        )
        return 1
    for name in chosen:
        made = STORIES[name]()
        for number, data in enumerate([made] if isinstance(made, bytes) else made):
            path = FOLDER / (f"{name}.asyncsweep" if isinstance(made, bytes) else f"{name}-{number}.asyncsweep")
            with path.open("xb") as file:
                file.write(data)
            path.with_suffix(".json").write_text(expected(replay(layout.decode(data, str(path)).events, str(path))))
            sys.stdout.write(f"{path.relative_to(FOLDER)}: {len(data)} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
