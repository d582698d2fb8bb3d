"""Plugins: what they may declare (`specs`), what they provide (`contracts`), how a name finds its class (`registry`).

pluggy broadcasts, and to choose one sampler by its name is a look-up. So hooks only declare, and `Registry` looks up.
"""

from __future__ import annotations

from asyncsweep.hooks.specs import hookimpl

__all__ = ["hookimpl"]
