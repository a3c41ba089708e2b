"""Grades from laboratory values: the cases W90 to W100, and what must not be graded. endpoints.md §11."""

import csv
import shutil
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fhir_adapter.core.concepts import Code
from fhir_adapter.core.errors import UsageError
from fhir_adapter.endpoints.lab_grading import Amounts, signs
from fhir_adapter.study import load
from tests.endpoints.graded import BEFORE, ROOT, graded, grades, lab, study
from tests.endpoints.graded import one_grade as one


@pytest.mark.parametrize(("version", "grade"), [("5.0", 3), ("6.0", 2)])
def test_w90_the_version_changes_the_grade(version: str, grade: int) -> None:
    """W90: neutrophils 0.8 are grade 3 in v5 and grade 2 in v6."""
    assert grades(graded(lab("neutrophils", "0.8", "10*3/uL", low="1.8"), version=version)) == {
        "Neutrophil count decreased": grade}


@pytest.mark.parametrize(("version", "grade"), [("5.0", 1), ("6.0", 3)])
def test_w92_an_abnormal_baseline_uses_its_own_branch(version: str, grade: int) -> None:
    """W92: ALT 170 from a baseline of 80 (limit 40): 2.125 x baseline, not 4.25 x ULN."""
    derived = graded(lab("alt", "80", "U/L", high="40", date=BEFORE), lab("alt", "170", "U/L", high="40"),
                     version=version)

    assert grades(derived) == {"Alanine aminotransferase increased": grade}


@pytest.mark.parametrize(("version", "grade"), [("5.0", 2), ("6.0", 0)])
def test_w94_creatinine_has_two_clauses(version: str, grade: int) -> None:
    """W94: 1.67 x baseline within the normal range: v5 says or, v6 only when the baseline was below LLN."""
    derived = graded(lab("creatinine", "60", "umol/L", low="45", high="110", date=BEFORE),
                     lab("creatinine", "100", "umol/L", low="45", high="110"), version=version)

    assert grades(derived) == {"Creatinine increased": grade}


@pytest.mark.parametrize("version", ["5.0", "6.0"])
@pytest.mark.parametrize(("policy", "grade"), [("worst_case", 3), ("lowest", 2)])
def test_w96_symptoms_decide(version: str, policy: str, grade: int) -> None:
    """W96: sodium 127 is 2 without and 3 with symptoms; both are told, and the policy that chose."""
    derived = graded(lab("sodium", "127", "mmol/L", low="135"), version=version, lab_symptom_policy=policy)

    assert one(derived, "Hyponatremia", "grade", "lowest", "highest", "question", "policy") == (
        grade, 2, 3, "symptoms", policy)


def test_w98_units_and_limits_in_other_units() -> None:
    """W98: the limit may come in another unit than the value."""
    derived = graded(
        lab("bilirubin", "0.5", "mg/dL", high="1.2", date=BEFORE),
        lab("hemoglobin", "9.5", "g/dL", low="12.0"),
        lab("bilirubin", "34", "umol/L", high="1.2", limit_unit="mg/dL"),
        lab("platelets", "60000", "/uL", low="125", limit_unit="10*9/L"),
        lab("glucose", "50", "mg/dL", low="3.9", limit_unit="mmol/L"))

    found = grades(derived)
    assert {name: found[name] for name in ("Anemia", "Blood bilirubin increased", "Platelet count decreased",
                                           "Hypoglycemia")} == {
        "Anemia": 2, "Blood bilirubin increased": 2, "Platelet count decreased": 2, "Hypoglycemia": 2}
    assert one(derived, "Anemia", "value", "unit") == (Decimal(95), "g/L")
    assert one(derived, "Platelet count decreased", "value") == Decimal(60)


@pytest.mark.parametrize(("row", "term", "expected"), [
    (lab("magnesium", "0.8", "mmol/L", low="0.7"), "Hypomagnesemia", 0),
    (lab("neutrophils", "1.2", "10*9/L", low="1.8", comparator="<"), "Neutrophil count decreased", "comparator"),
    (lab("platelets", "10", "10*9/L", low="125", comparator="<"), "Platelet count decreased", 4),
    (lab("hemoglobin", "9.5", None, low="12"), "Anemia", "no_unit"),
    (lab("hemoglobin", "90", "g/L", low="120", status="preliminary"), "Anemia", "not_final"),
])
def test_w100_what_must_not_be_graded(row: dict[str, Any], term: str, expected: object) -> None:
    """W100: the unit is believed; a comparator only with one grade over its range; no unit, not final: no grade."""
    assert grades(graded(row))[term] == expected


def test_w100_a_range_says_which_grades_it_spans() -> None:
    """W100: `<1.2` spans grades 2 to 4."""
    derived = graded(lab("neutrophils", "1.2", "10*9/L", low="1.8", comparator="<"))

    assert one(derived, "Neutrophil count decreased", "grade", "lowest", "highest", "why") == (
        None, 2, 4, "Neutrophils <1.2 10*9/L: cannot be graded as Neutrophil count decreased: its range spans grades "
                    "(grade 2 to 4)")


@pytest.mark.parametrize(("test", "value", "unit", "sign", "limits", "term", "expected"), [
    ("neutrophils", "0.5", "10*9/L", "<", {"low": "1.8"}, "Neutrophil count decreased", 4),
    ("neutrophils", "0.5", "10*9/L", "<=", {"low": "1.8"}, "Neutrophil count decreased", "comparator"),
    ("sodium", "160", "mmol/L", ">", {"high": "145"}, "Hypernatremia", 4),
    ("sodium", "160", "mmol/L", ">=", {"high": "145"}, "Hypernatremia", "comparator"),
    ("sodium", "160", "mmol/L", ">", {"low": "135", "high": "145"}, "Hyponatremia", 0),
    ("tsh", "0.01", "m[IU]/L", "<", {"low": "0.4", "high": "4"}, "Thyroid stimulating hormone increased", 0),
    ("egfr", "60", "mL/min/{1.73_m2}", ">", {}, "Chronic kidney disease", "no_lln"),
    ("neutrophils", "0.5", "10*9/L", "ad", {"low": "1.8"}, "Neutrophil count decreased", "comparator"),
])
def test_a_comparator_is_a_range(test: str, value: str, unit: str, sign: str, limits: dict[str, str], term: str,
                                 expected: object) -> None:
    """Graded when everything in the range has one grade."""
    assert grades(graded(lab(test, value, unit, comparator=sign, **limits)))[term] == expected


@pytest.mark.parametrize(("test", "value", "unit", "limits", "term", "expected"), [
    ("alt", "170", "U/L", {"high": "40"}, "Alanine aminotransferase increased", "no_baseline"),
    ("alt", "40", "U/L", {"high": "40"}, "Alanine aminotransferase increased", 0),
    ("lipase", "170", "U/L", {}, "Lipase increased", "no_uln"),
    ("albumin", "31", "g/L", {}, "Hypoalbuminemia", "no_lln"),
    ("albumin", "29", "g/L", {}, "Hypoalbuminemia", 2),
    ("creatinine", "700", "umol/L", {"high": "110"}, "Creatinine increased", 4),
    ("creatinine", "200", "umol/L", {"high": "110"}, "Creatinine increased", "no_baseline"),
    ("sodium", "127", "mmol/L", {"low": "135"}, "Hypernatremia", 0),
    ("hemoglobin", "9.5", "furlong", {}, "Anemia", "unit_unknown"),
])
def test_a_missing_reference_is_named(test: str, value: str, unit: str, limits: dict[str, str], term: str,
                                      expected: object) -> None:
    """Nothing is graded by a range that its record does not have, unless the grade is the same without it."""
    assert grades(graded(lab(test, value, unit, **limits)))[term] == expected


def test_the_baselines_range_is_that_of_its_own_record() -> None:
    """A baseline of 50 with a limit of 60 was normal, whatever the later limit is; without one: unknown."""
    normal = graded(lab("alt", "50", "U/L", high="60", date=BEFORE), lab("alt", "130", "U/L", high="40"))
    unknown = graded(lab("alt", "50", "U/L", date=BEFORE), lab("alt", "130", "U/L", high="40"))

    assert grades(normal) == {"Alanine aminotransferase increased": 2}
    assert grades(unknown) == {"Alanine aminotransferase increased": "no_baseline_range"}


def test_limits_of_one_term_in_two_units_are_rounded_independently() -> None:
    """profiles.md §6: magnesium 0.92 mg/dL is grade 2; the same sample as 0.38 mmol/L is grade 3."""
    milligrams = graded(lab("magnesium", "0.92", "mg/dL", low="1.7", high="2.4"))
    moles = graded(lab("magnesium", "0.38", "mmol/L", low="0.7", high="1.0"))

    assert (grades(milligrams)["Hypomagnesemia"], grades(moles)["Hypomagnesemia"]) == (2, 3)


def test_total_calcium_only_with_the_albumin_of_its_sample() -> None:
    """8.0 mg/dL with albumin 25 g/L is 9.2 corrected; the albumin of another hour, day or hospital does not serve."""
    calcium = lab("calcium", "8.0", "mg/dL", low="8.5", high="10.2", time="08:00:00+08:00")
    same = graded(calcium, lab("albumin", "25", "g/L", low="35", time="08:00:00+08:00"))
    later = graded(calcium, lab("albumin", "25", "g/L", low="35", time="16:00:00+08:00"))
    elsewhere = graded(calcium, {**lab("albumin", "25", "g/L", time="08:00:00+08:00"), "hospital": "east"})

    assert grades(same)["Hypocalcemia"] == 0
    assert "corrected for albumin 9.20 mg/dL" in one(same, "Hypocalcemia", "why")
    assert one(same, "Hypocalcemia", "facts") == '["lab_result:lab_result001", "lab_result:lab_result002"]'
    assert grades(later)["Hypocalcemia"] == grades(elsewhere)["Hypocalcemia"] == "no_albumin"


def test_total_calcium_is_corrected_in_the_unit_reported() -> None:
    """1.9 mmol/L with albumin 30 g/L: 1.9 + 0.02 x 10 = 2.1, not below 2.1."""
    derived = graded(lab("calcium", "1.9", "mmol/L", low="2.1", high="2.6"), lab("albumin", "30", "g/L"))

    assert one(derived, "Hypocalcemia", "value", "grade") == (Decimal("2.10"), 0)


def test_numbers_are_compared_at_15_significant_digits() -> None:
    """What floats cannot tell apart decimals do, up to the 15th digit; missing stays missing."""
    left = Amounts.of([Decimal("3.00000000000001"), Decimal("3.000000000000001"), Decimal(1), None])
    right = Amounts.of([Decimal(3), Decimal(3), Decimal(2), Decimal(1)])

    found = signs(left, right)
    assert found[:3].tolist() == [1.0, 0.0, -1.0]
    assert np.isnan(found[3])


def test_a_multiple_is_exact() -> None:
    """3 x 0.1 is 0.3, which floats deny: ALT 0.3 ukat/L at a limit of 0.1 is grade 1, not 2."""
    derived = graded(lab("alt", "0.1", "ukat/L", high="0.1", date=BEFORE), lab("alt", "0.3", "ukat/L", high="0.1"))

    assert grades(derived) == {"Alanine aminotransferase increased": 1}


def test_a_version_without_limits_grades_nothing() -> None:
    """v4.03 has no limits of its own here for body weight: no row is better than one by another version's."""
    assert graded(lab("weight", "60", "kg"), version="4.03").frames["lab_toxicity"].empty


def test_w100_a_code_of_another_system_is_no_laboratory_code() -> None:
    """W100: 2028-9 is bicarbonate in LOINC, and a race in the CDC's list."""
    concepts = study()[0]

    assert concepts.find("lab_result", "west", (Code("http://loinc.org", "2028-9"),)).concept == "bicarbonate"
    assert concepts.find("lab_result", "west", (Code("urn:oid:2.16.840.1.113883.6.238", "2028-9"),)).found == "unknown"


@pytest.mark.parametrize("cell", ["grade", "branch", "lower", "condition", "gap_rule", "direction"])
def test_a_limit_that_cannot_be_read_is_refused_with_its_line(tmp_path: Path, cell: str) -> None:
    """The study does not load, and says where to look; nothing is graded by half a table."""
    for name in ("mappings", "sync"):
        shutil.copytree(ROOT / name, tmp_path / name)
    path = tmp_path / "mappings" / "ctcae" / "criteria-v5.0.csv"
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    rows[1][cell] = "often"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    with pytest.raises(UsageError, match=rf"criteria-v5.0.csv: line 3: cannot be read: {cell}"):
        load(tmp_path)
