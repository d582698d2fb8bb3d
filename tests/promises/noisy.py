"""An objective that says control characters wherever it can say something."""

from __future__ import annotations

import sys
from typing import Any

# What a terminal obeys, or shows as something else than it is.
PAYLOADS = {
    "red": "\x1b[31mred\x1b[0m",
    "clear": "\x1b[2J\x1b[H",
    "title": "\x1b]0;title\x07",
    "title-st": "\x1b]2;title\x1b\\",
    "clipboard": "\x1b]52;c;ZXZpbA==\x07",
    "link": "\x1b]8;;http://evil\x1b\\here\x1b]8;;\x1b\\",
    "iterm-file": "\x1b]1337;File=inline=1:AAAA\x07",
    "answer": "\x1b[c\x1b[6n\x1b[21t",
    "hide-cursor": "\x1b[?25l",
    "alternate-screen": "\x1b[?1049h",
    "mouse": "\x1b[?1003h",
    "bracketed-paste": "\x1b[200~rm\x1b[201~",
    "device-control": "\x1bP$q\x1b\\",
    "sixel": "\x1bPq#0;2;0;0;0\x1b\\",
    "program": "\x1b_Gi=1\x1b\\",
    "reset": "\x1bc",
    "charset": "\x1b(0\x0e\x0f",
    "bell": "\x07",
    "backspace": "safe\b\b\b\bevil",
    "return": "evil\rgood",
    "feeds": "a\x0b\x0cb",
    "delete": "a\x7fb",
    "eight-bit-csi": "\x9b31mred",
    "eight-bit-osc": "\x9d0;title\x9c",
    "next-line": "a\x85b",
    "bidi": "\u202egpj.exe\u202c",
    "isolate": "\u2066abc\u2069\u200f",
    "zero-width": "a\u200b\u200d\ufeffb",
    "separators": "a\u2028b\u2029c",
    "tags": "\U000e0041\U000e007f",
}
ALL = "|".join(PAYLOADS.values())
MARKUP = "[red]a[/red] [link=http://evil]b[/link] [/]"


def _file_name(text: str) -> str:
    """As much of a text as the name of a file may have."""
    return text.replace("/", "_").encode()[:240].decode("utf-8", "ignore")


FOLDER = _file_name("\x1b[2J\x1b]0;t\x07\r\u202e\x9b\u2028\x7f [red] " + "".join(PAYLOADS.values()))


def hostile(trial: Any) -> dict[str, float]:
    sys.stdout.write(f"{ALL}\n{MARKUP}\n")
    sys.stderr.write(ALL)
    trial.set_user_attr(ALL, ALL)
    trial.report(0.5, 1)
    folder = trial.checkpoint_dir
    file = folder / "file"
    file.write_text(ALL)
    trial.save(file, ALL)
    trial.save(file, FOLDER)
    if trial.number == 1:
        raise type(f"Bad{MARKUP}\x1b[31m\u202e", (Exception,), {})(f"{ALL}\nsecond line\n{MARKUP}")
    return {ALL: float(trial.number), MARKUP: 1.0}
