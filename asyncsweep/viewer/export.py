"""The live page as one file, which needs no server, no other file and no network: with a recording of the stream in it.

Everything that was said by others is in one block of JSON that no browser executes and nothing in it can end; `as_json` sees to that.
The policy in the page's head lets exactly the scripts run that this module put there, by their hashes, and lets nothing be loaded
whatsoever. Styles cannot be named by hashes: HiPlot and plotly write `style` attributes that depend on what they draw.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from importlib import resources

from asyncsweep.progress.text import visible
from asyncsweep.viewer.bundling import bundle, inert

_PAGE = resources.files("asyncsweep.viewer") / "page"
_LONGEST_TITLE = 300

_STYLE = re.compile(r'<link rel="stylesheet" href="([\w-]+\.css)">')
_ENTRY = re.compile(r'<script type="module" src="([\w-]+\.js)"></script>\n?')
_CHARSET = '<meta charset="utf-8">'
_TITLE = re.compile(r"<title>[^<]*</title>")
_BODY_END = "</body>"

# Nothing of it is left in the text: not even what only means something to a script that was put together wrongly.
_INERT = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def page(recording: str, title: str, libraries: list[str]) -> str:
    """One HTML document.

    Args:
        recording: JSON, as `recorded` makes it.
        title: What the browser calls the page.
        libraries: The scripts that the page's own one needs, in their order.
    """
    text = _file("index.html")
    entry = _ENTRY.search(text)
    if entry is None or _CHARSET not in text:
        raise ValueError("index.html has no entry <script type=module src=...> or no <meta charset>")
    scripts = [inert(script) for script in (*libraries, bundle(entry[1], _file))]
    text = _ENTRY.sub("", text)
    text = text.replace(
        _CHARSET, f'{_CHARSET}\n<meta http-equiv="Content-Security-Policy" content="{policy(scripts)}">'
    )
    text = _TITLE.sub(lambda _: f"<title>{html.escape(visible(title[:_LONGEST_TITLE]))}</title>", text)
    text = _STYLE.sub(lambda found: f"<style>\n{_file(found[1])}</style>", text)
    head, tail = text.rsplit(_BODY_END, 1)
    blocks = [
        f'<script type="application/json" id="recorded">{as_json(recording)}</script>',
        *(f"<script>{script}</script>" for script in scripts),
    ]
    return "\n".join((head.rstrip(), *blocks, _BODY_END + tail))


def policy(scripts: list[str]) -> str:
    """What a browser may do with the page: run these scripts, and nothing else."""
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def as_json(text: str) -> str:
    """JSON with the same meaning, and without a character that could end the block that it is in, or begin anything.

    They can only be within texts of the JSON, where an escape means the same.
    """
    return text.translate(_INERT)


def _file(name: str) -> str:
    return (_PAGE / name).read_text(encoding="utf-8")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
