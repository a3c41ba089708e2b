"""What a UCUM code means that no row of mappings/units.csv spells: its dimension, and its exact ratio to a known unit.

ucumvert reads the code and pint does the arithmetic, in floats; a ratio counts only when it is exactly a product of
small primes (what prefixes and times of the day make), so that a value stays a decimal. Loading them takes seconds:
they are loaded when the first such code is met, and each code is read once.
"""

from fractions import Fraction
from functools import cache
from typing import Any

DIMENSIONS = frozenset({
    "mass", "length", "volume", "time", "mass/volume", "amount/volume", "activity/volume", "number/volume",
    "pressure", "mass/time",
})
"""Dimensions in which a code may be read so. Others share physics but not meaning: Sv is no physical Gy, an
international unit and an equivalent are no numbers, a percentage is no ratio of masses."""

_UNFIT = ("[", "eq", "%")
_WIDEST = (Fraction(1, 10**12), Fraction(10**6))
# `Mg/dL` is a megagram to UCUM and a slip to everybody else: what is far from any laboratory's scale is not read.
_PRIMES = (2, 3, 5)
_TOLERANCE = 1e-9


def ratio(code: str, known: str) -> Fraction | None:
    """How many of the known unit one of the coded unit is; None when dimensions differ or the ratio is not exact.

    Both are UCUM codes. Arbitrary units (`[iU]`), equivalents and percentages are never read.
    """
    if any(sign in code for sign in _UNFIT):
        return None
    mine, theirs = _quantity(code), _quantity(known)
    if mine is None or theirs is None or mine[0] != theirs[0]:
        return None
    found = _exact(mine[1] / theirs[1])
    return found if found is not None and _WIDEST[0] <= found <= _WIDEST[1] else None


@cache
def _quantity(code: str) -> tuple[str, float] | None:
    """Dimensionality and size in base units; None for what UCUM does not know, or what has no dimension."""
    try:
        read = 1 * _registry().from_ucum(code)
        base = read.to_base_units()
    except Exception:  # the grammar, the registry and pint each raise their own
        return None
    return None if base.dimensionless else (str(base.dimensionality), float(base.magnitude))


@cache
def _registry() -> Any:
    from ucumvert import PintUcumRegistry

    return PintUcumRegistry()


def _exact(number: float) -> Fraction | None:
    if not number > 0:
        return None
    inverse = number < 1
    near = Fraction(1 / number if inverse else number).limit_denominator(10**4)
    if near <= 0 or abs(float(near) * (number if inverse else 1 / number) - 1) > _TOLERANCE:
        return None
    if not (_smooth(near.numerator) and _smooth(near.denominator)):
        return None
    return 1 / near if inverse else near


def _smooth(number: int) -> bool:
    for prime in _PRIMES:
        while number % prime == 0:
            number //= prime
    return number == 1
