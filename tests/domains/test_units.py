"""Units: what hospitals write, before UCUM; UCUM for the rest, exactly; and what is never guessed."""

from decimal import Decimal
from fractions import Fraction

import pytest

from fhir_adapter.core import ucum
from fhir_adapter.core.units import Units
from tests.domains.study_words import coded, kinds, observation, only, quantity, says, study

UNITS = study().units


@pytest.mark.parametrize(("written", "ucum_code", "dimension"), [  # aliases go before UCUM (issue 4)
    ("K/uL", "10*3/uL", "number/volume"), ("mcg", "ug", "mass"), ("mEq/L", "meq/L", "charge/volume"),
    ("×10⁹/L", "10*9/L", "number/volume"), ("10^9/L", "10*9/L", "number/volume"), ("MG", "mg", "mass"),
    ("mcg/dL", "ug/dL", "mass/volume"),
])
def test_what_laboratories_write_is_known_before_ucum(written: str, ucum_code: str, dimension: str) -> None:
    """K/uL is thousands and not kelvin, MG milligrams and not megagauss, mEq/L an equivalent."""
    unit = UNITS.find(None, written)

    assert unit is not None
    assert (unit.ucum, unit.dimension) == (ucum_code, dimension)
    assert UNITS.find(written, None) == unit


@pytest.mark.parametrize(("code", "target", "factor"), [  # SI prefixes; https://ucum.org/ucum, tables 1 and 5
    ("cg/L", "g/L", Fraction(1, 100)), ("mg/m3", "g/L", Fraction(1, 10**6)), ("kmol/m3", "mol/L", Fraction(1)),
    ("10*7/dL", "10*9/L", Fraction(1, 10)), ("dm", "mm", Fraction(100)), ("umol/(24.h)", "mg", None),
    ("dag", "mg", Fraction(10_000)), ("Pa", "mm[Hg]", None),
])
def test_a_code_that_no_row_spells_is_read_as_ucum(code: str, target: str, factor: Fraction | None) -> None:
    """Exactly, or not at all."""
    assert code not in {row.written for row in UNITS.rows}
    unit = UNITS.find(code, None)
    found = None if unit is None else UNITS.ratio(unit, target)

    assert (None if found is None else Fraction(found[0]) / Fraction(found[1])) == factor


@pytest.mark.parametrize("code", ["[oz_av]", "k[iU]/L", "meq/dL", "Sv", "mSv", "Mg/dL", "K/L", "nonsense", "",
                                  "g/", "%/L"])
def test_what_is_never_read(code: str) -> None:
    """Inexact or arbitrary units, equivalents, other doses, slips of the shift key, what is no UCUM."""
    assert code not in {row.written for row in UNITS.rows}
    assert UNITS.find(code, None) is None


def test_a_text_is_never_read_as_ucum() -> None:
    """A text is what somebody wrote; only a code claims to be UCUM."""
    assert UNITS.find(None, "cg/L") is None


def test_every_ucum_code_of_the_rows_means_what_its_row_says() -> None:
    """ucumvert and pint as second opinion on mappings/units.csv."""
    wrong = []
    for row in UNITS.rows:
        if row.dimension in ucum.DIMENSIONS and not any(sign in row.ucum for sign in ("[", "eq", "%", "{")):
            first = next(one for one in UNITS.rows if one.dimension == row.dimension and one.factor == 1)
            said = ucum.ratio(row.ucum, first.ucum)
            if said != row.factor and row.ucum != "kat/L":  # a katal is beyond the scale that is read without a row
                wrong.append((row.written, row.ucum, row.factor, said))
    assert wrong == []


def test_a_unit_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never on the hot path: the second look is a dictionary's."""
    asked: list[str] = []
    real = ucum.ratio

    def counting(code: str, known: str) -> Fraction | None:
        asked.append(code)
        return real(code, known)

    monkeypatch.setattr(ucum, "ratio", counting)
    units = Units(UNITS.rows)
    found = [units.find(code, None) for _ in range(50) for code in ("cg/L", "nonsense")]

    assert found[0] is not None
    assert found[1] is None
    assert len(asked) <= 2 * len(ucum.DIMENSIONS)


def test_a_result_in_such_a_unit_counts_and_keeps_its_digits() -> None:
    """13.20 cg/L of albumin is 0.132 g/L, and as written it is 13.20."""
    fact = only(says(observation(coded("1751-7"), valueQuantity=quantity(13.20, "cg/L"))), "lab_result")

    assert fact.value == Decimal("0.132")
    assert fact.unit_text == "cg/L"


@pytest.mark.parametrize(("code", "value", "unit", "canonical"), [
    # molar masses: creatinine 113.12, glucose 180.16, calcium 40.078 g/mol (profiles.md §6 has the rounded factors)
    ("2160-0", 1.0, "mg/dL", (Decimal("88.4"), Decimal("0.05"))),
    ("2345-7", 100, "mg/dL", (Decimal("5.55"), Decimal("0.005"))),
    ("17861-6", 10, "mg/dL", (Decimal("2.495"), Decimal("0.001"))),
    ("1975-2", 1, "mg/dL", (Decimal("17.1"), Decimal("0.02"))),
])
def test_mass_becomes_amount_by_the_molar_mass(
    code: str, value: float, unit: str, canonical: tuple[Decimal, Decimal]
) -> None:
    """Against the conversion factors of profiles.md §6."""
    fact = only(says(observation(coded(code), valueQuantity=quantity(value, unit))), "lab_result")
    wanted, within = canonical

    assert fact.value is not None
    assert abs(fact.value - wanted) <= within


def test_an_amount_of_another_dimension_is_a_doubt() -> None:
    """Haemoglobin in U/L is nobody's."""
    said = says(observation(coded("718-7"), valueQuantity=quantity(9, "U/L")))

    assert kinds(said) == ["unit_unknown"]
