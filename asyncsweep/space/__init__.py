"""Search spaces: domains, checks and the reading of texts such as "log_uniform(1e-4, 1e-1)"."""

from asyncsweep.space.domains import Categorical, Constant, Domain, Float, Int
from asyncsweep.space.parse import parse_domain
from asyncsweep.space.space import Space

__all__ = ["Categorical", "Constant", "Domain", "Float", "Int", "Space", "parse_domain"]
