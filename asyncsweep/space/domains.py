"""A domain: the values that a parameter can take.

A domain takes what it is given: alone it does not know whose values it describes, so that an error could not tell. It is
checked where it gets a name: `checked` gives the domain with its fields normalised, which equals what MessagePack makes
of it, or raises. A `Space`, `parse_domain` and whatever takes a domain from outside call it, so that every domain beyond
them is a good one; `contains`, `normalise`, `from_unit`, `grid`, `cardinality`, `single` and `expected` are for these.

Domains are values: frozen, compared and hashed by type and value (see `asyncsweep.space.values`).
"""

from __future__ import annotations

from asyncsweep.space.choices import Categorical, Constant
from asyncsweep.space.ranges import Float, Int

Domain = Float | Int | Categorical | Constant

__all__ = ["Categorical", "Constant", "Domain", "Float", "Int"]
