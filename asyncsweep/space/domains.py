"""A domain: the values that a parameter can take.

A domain is checked and normalised when it is built, so that every `Domain` in the program is a good one and equals
what MessagePack makes of it. Domains are values: frozen, compared and hashed by type and value (see
`asyncsweep.space.values`). Each has `contains`, `normalise`, `from_unit`, `grid`, `cardinality`, `single`, `expected`
and the condition `when`.
"""

from __future__ import annotations

from asyncsweep.space.choices import Categorical, Constant
from asyncsweep.space.ranges import Float, Int

Domain = Float | Int | Categorical | Constant

__all__ = ["Categorical", "Constant", "Domain", "Float", "Int"]
