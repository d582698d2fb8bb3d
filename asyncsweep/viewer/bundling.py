"""The page's ES modules as one classic script, for a page that is a single file: a browser loads no modules from there.

This is no JavaScript parser. It rests on how the page's modules are written, which `check` holds them to: imports are single lines
`import { a, b as c } from "./x.js";` at the head; exports are `export` before a `function`, `class` or `const` at the beginning of a
line; there is no cycle, and nothing is imported later. Each module becomes a function of its own, so that scopes stay apart, and a
module's function runs once, after those that it imports from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

Read = Callable[[str], str]
"""The text of a module by its name."""

_IMPORT = re.compile(r'import \{ ([\w$]+(?: as [\w$]+)?(?:, [\w$]+(?: as [\w$]+)?)*) \} from "\./([\w-]+\.js)";')
_EXPORT = re.compile(r"export ((?:async function\*?|function\*?|class|const) ([\w$]+)\b.*)")
_KEYWORD = re.compile(r"\s*(?:import|export)\b")
_LATER = re.compile(r"\bimport\s*[(.]|\$modules\b")
_COMMENT = re.compile(r"\s*(?://.*)?")
_ENDING = re.compile(r"</(script)", re.IGNORECASE)


def bundle(entry: str, read: Read) -> str:
    """One script that does what importing `entry` does.

    Raises:
        ValueError: A module is not written as it has to be, or modules import each other in a circle.
    """
    parts = [_wrapped(name, read(name)) for name in in_order(entry, read)]
    return '(() => {\n"use strict";\nconst $modules = {};\n' + "".join(parts) + "})();\n"


def in_order(entry: str, read: Read) -> list[str]:
    """The modules that `entry` needs, itself included, each after those that it imports from.

    Raises:
        ValueError: As for `bundle`.
    """
    done: list[str] = []
    _visit(entry, read, done, ())
    return done


def check(name: str, text: str) -> None:
    """See that a module is written as it has to be.

    Raises:
        ValueError: It is not.
    """
    is_head = True
    for number, line in enumerate(text.splitlines(), 1):
        is_import = _IMPORT.fullmatch(line) is not None
        if (_KEYWORD.match(line) and not is_import and not _EXPORT.fullmatch(line)) or _LATER.search(line):
            raise ValueError(
                f'{name}:{number}: {line.strip()!r:.100}: an import is one line import {{ a, b }} from "./x.js"; '
                "and an export is export before function, class or const at the beginning of a line"
            )
        if is_import and not is_head:
            raise ValueError(f"{name}:{number}: {line!r:.100}: imports are at the head of the file")
        is_head = is_head and (is_import or _COMMENT.fullmatch(line) is not None)


def inert(script: str) -> str:
    """A classic script that can stand between script tags, with the same meaning: what would end or hide it there is written otherwise.

    Both can only be in texts, regular expressions and comments: elsewhere `<!--` begins a comment, and `</script` is no expression.
    """
    lines = script.replace("\r\n", "\n").replace("\r", "\n")
    return _ENDING.sub(r"<\\/\1", lines).replace("<!--", "\\x3c!--")


def _visit(name: str, read: Read, done: list[str], above: tuple[str, ...]) -> None:
    if name in above:
        raise ValueError(f"modules import each other in a circle: {' -> '.join((*above, name))}")
    if name in done:
        return
    text = read(name)
    check(name, text)
    for imported in _imported(text):
        _visit(imported, read, done, (*above, name))
    done.append(name)


def _imported(text: str) -> Iterator[str]:
    for line in text.splitlines():
        found = _IMPORT.fullmatch(line)
        if found is not None:
            yield found[2]


def _wrapped(name: str, text: str) -> str:
    lines, names = [], []
    for line in text.splitlines():
        if found := _IMPORT.fullmatch(line):
            lines.append(f'const {{ {found[1].replace(" as ", ": ")} }} = $modules["{found[2]}"];')
        elif found := _EXPORT.fullmatch(line):
            names.append(found[2])
            lines.append(found[1])
        else:
            lines.append(line)
    body = "\n".join(lines)
    return f'$modules["{name}"] = (() => {{\n{body}\nreturn {{ {", ".join(names)} }};\n}})();\n'
