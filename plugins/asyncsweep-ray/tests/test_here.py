"""Collected where Ray is missing: it says so."""

from __future__ import annotations

import sys

import pytest


def test_ray_is_not_here() -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    pytest.skip(
        f"Ray is not installed; it may have no wheel for Python {version}: the executor 'ray' is not tested here"
    )
