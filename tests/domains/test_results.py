"""Laboratory results and vital signs: as reported beside the canonical unit, exactly, never a guess."""

from decimal import Decimal
from typing import Any

import pytest

from tests.build import hospital
from tests.domains.study_words import coded, facts, kinds, observation, only, quantity, says


def lab(code: str, value: dict[str, Any], **elements: Any) -> dict[str, Any]:
    """A laboratory Observation by LOINC code."""
    return observation(coded(code), valueQuantity=value, **elements)


@pytest.mark.parametrize(
    ("code", "value", "unit", "canonical"),
    [
        ("718-7", "9.5", "g/dL", "95"),
        ("718-7", "95", "g/L", "95"),
        ("26515-7", "60000", "/uL", "60"),
        ("777-3", "60", "K/uL", "60"),
        ("777-3", "60", "×10⁹/L", "60"),
        ("777-3", "60", "10^9/L", "60"),
        ("777-3", "60", "10*3/uL", "60"),
        ("1742-6", "41", "IU/L", "41"),
        ("3016-3", "2.5", "uIU/mL", "2.5"),
        ("2160-0", "1", "mg/dL", "88.40169731258840169731258840"),
        ("2951-2", "140", "mEq/L", "140"),
        ("6301-6", "1.1", None, "1.1"),
    ],
)
def test_canonical_value(code: str, value: str, unit: str | None, canonical: str) -> None:
    """W98: mass, amount, counts and activities are converted exactly; sources: UCUM, molar masses of terms."""
    fact = only(says(lab(code, quantity(float(value), unit))), "lab_result")

    assert fact.value == Decimal(canonical)


def test_limits_in_another_unit_than_the_value() -> None:
    """W98: 34 umol/L bilirubin is 1.66 times a limit of 1.2 mg/dL."""
    fact = only(
        says(lab("14631-6", quantity(34, "umol/L"), referenceRange=[{"high": quantity(1.2, "mg/dL")}])), "lab_result"
    )

    assert round(fact.value / fact.high, 2) == Decimal("1.66")
    assert fact.high_text == "1.2"


def test_limit_without_unit_is_in_the_unit_of_the_value() -> None:
    """A laboratory that writes the unit once means it for its limits too."""
    fact = only(says(lab("718-7", quantity(9.5, "g/dL"), referenceRange=[{"low": {"value": 12}}])), "lab_result")

    assert fact.low == Decimal(120)


def test_value_is_kept_as_written() -> None:
    """13.20 is not 13.2 as written, and is 132 g/L."""
    raw = b'{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"718-7"}]},"valueQuantity":{"value":13.20,"unit":"g/dL"},"effectiveDateTime":"2023-01-02T23:30:00+08:00"}'
    from fhir_adapter.domains.mapping import map_version
    from tests.domains.study_words import reading

    fact = only(map_version("Observation", raw, reading()), "lab_result")

    assert (fact.value_text, fact.unit_text, fact.value) == ("13.20", "g/dL", Decimal(132))
    assert (fact.date.text, fact.time) == ("2023-01-02", "23:30:00+08:00")


def test_race_code_is_no_laboratory_code() -> None:
    """W100: 2028-9 of the race code system is not LOINC's carbon dioxide."""
    mapped = says(observation(coded("2028-9", "urn:oid:2.16.840.1.113883.6.238"), valueQuantity=quantity(24, "mmol/L")))

    assert facts(mapped, "lab_result") == []
    assert kinds(mapped) == ["unmapped_code"]


def test_unit_is_believed_before_the_code() -> None:
    """W100: a mass code with a molar unit: 0.8 mmol/L magnesium stays 0.8 mmol/L."""
    for _ in range(2):  # the second time the statement is known
        said = says(lab("19123-9", quantity(0.8, "mmol/L")))
        assert only(said, "lab_result").value == Decimal("0.8")
        assert kinds(said) == ["unit_contradicts_code"]
        assert not said.doubts[0].holds
    assert kinds(says(lab("19123-9", quantity(2, "mg/dL")))) == []
    assert kinds(says(lab("2601-3", quantity(0.8, "mmol/L")))) == []


def test_comparator_is_kept_beside_its_number() -> None:
    """W100: a comparator is never turned into a number."""
    fact = only(says(lab("751-8", quantity(1.2, "10*9/L", comparator="<"))), "lab_result")

    assert (fact.comparator, fact.value) == ("<", Decimal("1.2"))


@pytest.mark.parametrize("unit", [None, "Kliniken-E", "[degF]"])
def test_unknown_unit_leaves_the_value_empty(unit: str | None) -> None:
    """W100: without a unit that anybody knows there is a fact as reported, no canonical value, and one Doubt a test."""
    mapped = says(lab("718-7", quantity(9.5, unit)))
    fact = only(mapped, "lab_result")

    assert (fact.value, fact.value_text, fact.unit_text) == (None, "9.5", unit)
    assert [(d.kind, d.scope) for d in mapped.doubts] == [("unit_unknown", ("west", unit or "", "hemoglobin"))]


def test_equivalents_of_divalent_ions_are_not_converted() -> None:
    """2 mEq/L of calcium are 1 mmol/L, not 2: only monovalent ions are read so."""
    mapped = says(lab("2000-8", quantity(4.8, "mEq/L")))

    assert only(mapped, "lab_result").value is None
    assert kinds(mapped) == ["unit_unknown"]


def test_not_final_is_kept_with_its_status() -> None:
    """W100: a preliminary result is a fact whose status says so."""
    assert only(says(lab("718-7", quantity(90, "g/L"), status="preliminary")), "lab_result").status == "preliminary"


def test_entered_in_error_does_not_count() -> None:
    """A withdrawn result is ignored with that reason."""
    mapped = says(lab("718-7", quantity(90, "g/L"), status="entered-in-error"))

    assert (mapped.facts, mapped.outcome, mapped.reason) == ((), "ignored", "entered_in_error")


def test_no_value_is_no_zero() -> None:
    """dataAbsentReason replaces the value."""
    mapped = says(lab("718-7", None, dataAbsentReason=coded("error", "urn:dar")))  # type: ignore[arg-type]

    assert (mapped.outcome, mapped.reason) == ("ignored", "value_absent")


def test_impossible_date_is_a_problem_and_the_result_stands() -> None:
    """A result of 2024-13 keeps its value without a date."""
    mapped = says(lab("718-7", quantity(90, "g/L"), effectiveDateTime="2024-13"))

    assert only(mapped, "lab_result").date is None
    assert [(p.code, p.origin.element) for p in mapped.problems] == [("bad_date", "effectiveDateTime")]


def test_local_code_counts_at_its_own_hospital_only() -> None:
    """A local code of the south hospital means nothing at the west hospital."""
    resource = observation(coded("HB", "https://south.example/codes/lab"), valueQuantity=quantity(95, "g/L"))

    assert facts(says(resource), "lab_result") == []
    assert only(says(resource, "STU3", hospital=hospital(id="south")), "lab_result").test == "hemoglobin"


def test_blood_pressure_is_read_by_component() -> None:
    """The panel 85354-9 itself is no value."""
    parts = [
        {"code": coded(code), "valueQuantity": quantity(n, "mm[Hg]")} for code, n in (("8480-6", 140), ("8462-4", 90))
    ]
    mapped = says(observation(coded("85354-9"), component=parts))

    assert [(f.test, f.value, f.element) for f in facts(mapped, "vital_sign")] == [
        ("systolic", Decimal(140), "component[0].value"),
        ("diastolic", Decimal(90), "component[1].value"),
    ]


def test_panel_by_has_member_is_not_counted_twice() -> None:
    """A panel whose results are records of their own says nothing itself."""
    mapped = says(observation(coded("85354-9"), hasMember=[{"reference": "Observation/o2"}]))

    assert (mapped.outcome, mapped.reason) == ("ignored", "panel_of_other_records")


def test_fahrenheit_is_not_multiplied() -> None:
    """A Fahrenheit temperature is not a factor of a Celsius one: unknown."""
    assert only(says(lab("8310-5", quantity(100.4, "[degF]"))), "vital_sign").value is None


@pytest.mark.parametrize(
    ("code", "value", "version", "score"),
    [
        ("89247-1", {"valueInteger": 1}, "R4", ("ECOG", 1)),
        ("89247-1", {"valueQuantity": {"value": 2}}, "STU3", ("ECOG", 2)),
        ("89247-1", {"valueCodeableConcept": coded("LA9625-0")}, "STU3", ("ECOG", 3)),
        ("89247-1", {"valueString": "ECOG 0"}, "STU3", ("ECOG", 0)),
        ("89243-0", {"valueInteger": 80}, "R5", ("Karnofsky", 80)),
    ],
)
def test_performance_status_in_its_four_forms(code: str, value: dict[str, Any], version: Any, score: Any) -> None:
    """profiles.md §1.3: STU3 knows no valueInteger; integer, quantity, coded answer and text are all read."""
    fact = only(says(observation(coded(code), **value), version), "performance_status")

    assert (fact.scale, fact.score) == score


@pytest.mark.parametrize("value", [{"valueInteger": 6}, {"valueQuantity": {"value": 1.5}}])
def test_score_outside_its_scale(value: dict[str, Any]) -> None:
    """ECOG 6 and ECOG 1.5 do not exist."""
    mapped = says(observation(coded("89247-1"), **value))

    assert mapped.facts == ()
    assert [problem.code for problem in mapped.problems] == ["bad_number"]
