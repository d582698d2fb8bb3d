"""Text of others (names, values, errors) made fit for a terminal.

A terminal obeys control characters, so none may come from an objective or a journal. Rich reads markup such as [red] only in
plain strings, so whatever is of others is wrapped in `rich.text.Text` or printed with `markup=False`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def visible(text: str, encoding: str = "utf-8") -> str:
    """The text in one line, with what cannot be shown in this encoding written as Python's escapes."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    if text.isascii():
        return text
    return text.encode(encoding, "backslashreplace").decode(encoding)


def visible_lines(text: str, encoding: str = "utf-8") -> str:
    """As `visible`, with line breaks and tabs kept."""
    return "\n".join(visible(line.expandtabs(4), encoding) for line in text.split("\n"))


def params_text(params: Mapping[str, Any], *, exact: bool = True) -> str:
    """Parameters in one line: "alpha=0.01, opt='sgd'"; floats with six digits unless `exact`."""
    return ", ".join(f"{name}={value_text(value, exact=exact)}" for name, value in params.items())


def value_text(value: Any, *, exact: bool = True) -> str:
    return f"{value:.6g}" if isinstance(value, float) and not exact else repr(value)


def duration_text(seconds: float) -> str:
    """Such as "0:07", "12:30", "3:04:05"."""
    whole = max(0, round(seconds))
    hours, minutes = divmod(whole // 60, 60)
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"
