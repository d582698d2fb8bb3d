"""Names and values as MLflow takes them: it refuses some characters in names, and cuts nothing off by itself."""

from __future__ import annotations

import json
import posixpath
import re
from typing import Any

NAME_LIMIT = 250
PARAM_LIMIT = 6000
TAG_LIMIT = 5000

_REFUSED = re.compile(r"[^\w\-. /]")


def name_of(name: str) -> str:
    """A parameter's, metric's or tag's name: what MLflow refuses is replaced by an underscore."""
    kept = _REFUSED.sub("_", name)[:NAME_LIMIT]
    is_path = kept == posixpath.normpath(kept) and not kept.startswith(("/", ".."))
    return kept if is_path and kept != "." else kept.replace("/", "_").replace(".", "_")


def shown(value: Any, limit: int = PARAM_LIMIT) -> str:
    """A value as text: lists and dicts as JSON, bytes in hexadecimal; what is too long ends in an ellipsis."""
    if isinstance(value, bytes):
        value = value.hex()
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, list | dict) else str(value)
    return text if len(text) <= limit else text[: limit - 3] + "..."
