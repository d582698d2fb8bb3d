"""Direction numbers of the Sobol' sequence, for any number of dimensions.

Each dimension has a primitive polynomial over GF(2) and as many initial numbers as its degree; a recurrence makes the other
numbers (Bratley and Fox 1988, ACM Algorithm 659). The polynomials are found by search, in ascending order. The initial
numbers of the first 21 dimensions are those of Joe and Kuo (2008, "Constructing Sobol sequences with better two-dimensional
projections"); beyond, where no choice is known to matter much once the sequence is scrambled, they are hashes.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import shake_128
from itertools import count, islice

BITS = 32
"""The length of a direction number: the sequence has 2**BITS points."""

# For dimension 2, 3, ...: m_1, ..., m_s. Dimension 1 has no polynomial.
_INITIAL = (
    (1,),
    (1, 3),
    (1, 3, 1),
    (1, 1, 1),
    (1, 1, 3, 3),
    (1, 3, 5, 13),
    (1, 1, 5, 5, 17),
    (1, 1, 5, 5, 5),
    (1, 1, 7, 11, 19),
    (1, 1, 5, 1, 1),
    (1, 1, 1, 3, 11),
    (1, 3, 5, 5, 31),
    (1, 3, 3, 9, 7, 49),
    (1, 1, 1, 15, 21, 21),
    (1, 3, 1, 13, 27, 49),
    (1, 1, 1, 15, 7, 5),
    (1, 3, 1, 15, 13, 25),
    (1, 1, 5, 5, 19, 61),
    (1, 3, 7, 11, 23, 15, 103),
    (1, 3, 7, 13, 13, 15, 69),
)


def direction_numbers(dimensions: int) -> list[list[int]]:
    """For each dimension BITS direction numbers of BITS bits; number j belongs to bit j of a point's Gray code."""
    found = [[1 << (BITS - 1 - j) for j in range(BITS)]]
    for dimension, polynomial in enumerate(islice(_primitive_polynomials(), max(dimensions - 1, 0))):
        degree = polynomial.bit_length() - 1
        numbers = list(_initial(dimension, degree))
        # m_j = m_(j-s) ^ 2^s m_(j-s) ^ (2^k m_(j-k) for each coefficient a_k of the polynomial)
        for j in range(degree, BITS):
            number = numbers[j - degree] ^ numbers[j - degree] << degree
            for k in range(1, degree):
                if polynomial >> (degree - k) & 1:
                    number ^= numbers[j - k] << k
            numbers.append(number)
        found.append([number << (BITS - 1 - j) for j, number in enumerate(numbers[:BITS])])
    return found[:dimensions]


def _initial(dimension: int, degree: int) -> tuple[int, ...]:
    """m_1, ..., m_s: odd, and m_i < 2^i, which makes every projection on one axis a permutation."""
    if dimension < len(_INITIAL):
        return _INITIAL[dimension]
    digest = shake_128(b"%d" % dimension).digest(4 * degree)
    return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "little") % (1 << i) * 2 + 1 for i in range(degree))


def _primitive_polynomials() -> Iterator[int]:
    """Primitive polynomials over GF(2) as bit masks, by degree from 1."""
    for degree in count(1):
        for polynomial in range((1 << degree) | 1, 1 << (degree + 1), 2):
            if _is_primitive(polynomial, degree):
                yield polynomial


def _is_primitive(polynomial: int, degree: int) -> bool:
    """Whether x has the greatest possible order, 2^degree - 1, modulo the polynomial."""
    order = (1 << degree) - 1
    return _power_of_x(order, polynomial, degree) == 1 and all(
        _power_of_x(order // prime, polynomial, degree) != 1 for prime in _prime_factors(order)
    )


def _power_of_x(exponent: int, polynomial: int, degree: int) -> int:
    result = 1
    for bit in bin(exponent)[2:]:
        result = _product(result, result, polynomial, degree)
        if bit == "1":
            result = _product(2, result, polynomial, degree)
    return result


def _product(left: int, right: int, polynomial: int, degree: int) -> int:
    product = 0
    while left:
        if left & 1:
            product ^= right
        left >>= 1
        right <<= 1
        if right >> degree & 1:
            right ^= polynomial
    return product


def _prime_factors(number: int) -> list[int]:
    factors = []
    candidate = 2
    while candidate * candidate <= number:
        if number % candidate == 0:
            factors.append(candidate)
            while number % candidate == 0:
                number //= candidate
        candidate += 1
    return [*factors, number] if number > 1 else factors
