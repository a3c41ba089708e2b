"""Baselines, worst grades on treatment, shifts, and values without an adverse event. endpoints.md §11, §0.12, §0.21."""

import json
from typing import Any

import pandas as pd
import pytest

from fhir_adapter.endpoints.lab_toxicity import shifts
from tests.endpoints.build import doubts, facts, rows, table
from tests.endpoints.graded import BEFORE, graded, lab, one_grade

ANC = "Neutrophil count decreased"


def anc(value: str, date: str, **more: Any) -> dict[str, Any]:
    """Neutrophils with a lower limit of 1.8."""
    return lab("neutrophils", value, "10*9/L", low="1.8", date=date, **more)


def test_the_baseline_is_the_last_value_on_or_before_the_first_treatment() -> None:
    """The day itself counts, flagged; a value that cannot be graded, or a range, is no baseline."""
    derived = graded(anc("1.7", "2022-12-20"), anc("1.4", "2023-01-02"), anc("1", "2023-01-01", comparator="<"),
                     anc("0.9", "2023-01-01", status="preliminary"), anc("0.8", "2023-01-09"))

    assert rows(derived, "lab_toxicity", "date", "is_baseline", "assumed_before", "on_treatment") == [
        ("2022-12-20", False, False, False), ("2023-01-01", False, False, False), ("2023-01-01", False, False, False),
        ("2023-01-02", True, True, False), ("2023-01-09", False, False, True)]
    assert one_grade(derived, ANC, "baseline_date", "baseline_grade", "shift", date="2023-01-09") == (
        "2023-01-02", 2, "2 > 3")


@pytest.mark.parametrize(("taken", "dose", "baseline"), [
    ("08:00:00+08:00", "2023-01-02T09:00:00+08:00", True),
    ("10:00:00+08:00", "2023-01-02T09:00:00+08:00", False),
    ("03:00:00Z", "2023-01-02T09:00:00+08:00", False),
    ("10:00:00", "2023-01-02T09:00:00+08:00", False),
    ("10:00:00+08:00", "2023-01-02", True),
])
def test_on_the_day_of_the_first_dose_times_decide_if_both_are_known(taken: str, dose: str, baseline: bool) -> None:
    """§0.12: without times a value of that day is taken as before the dose."""
    derived = graded(anc("1.4", "2023-01-02", time=taken),
                     more=table("drug_administration", f"start_date start_date_written dose_mg\n2023-01-02 {dose} 200"))

    assert rows(derived, "lab_toxicity", "is_baseline", "on_treatment") == [(baseline, not baseline)]


def test_the_worst_on_treatment_is_the_first_of_the_highest() -> None:
    """Up to the last component + 30 days; a later value is graded but not on treatment."""
    derived = graded(
        anc("2.0", BEFORE), anc("0.8", "2023-01-20"), anc("0.9", "2023-02-01"), anc("1.2", "2023-02-10"),
        anc("0.3", "2023-04-01"),
        more=table("disposition", "event component date\nend_of_component tislelizumab 2023-03-01"))

    assert rows(derived, "lab_toxicity", "date", "grade", "on_treatment", "worst") == [
        (BEFORE, 0, False, False), ("2023-01-20", 3, True, True), ("2023-02-01", 3, True, False),
        ("2023-02-10", 2, True, False), ("2023-04-01", 4, False, False)]


def test_shifts_count_participants_from_baseline_to_worst() -> None:
    """One participant a term, a missing baseline in its own row."""
    derived = graded(anc("1.6", BEFORE), anc("0.8", "2023-01-20"), lab("albumin", "29", "g/L", low="35"))
    found = shifts(derived.frames["lab_toxicity"])

    assert found[["term", "baseline", "participants", "2", "3"]].to_numpy().tolist() == [
        [ANC, "1", 1, 0, 1], ["Hypoalbuminemia", "missing", 1, 1, 0]]
    assert shifts(graded().frames["lab_toxicity"]).empty


def test_a_single_blood_pressure_is_a_screening_grade_and_in_no_table() -> None:
    """§0.21: it is never the worst, never a shift, never a question."""
    derived = graded(lab("systolic", "170", "mm[Hg]"))

    assert rows(derived, "lab_toxicity", "term", "grade", "screening", "worst") == [("Hypertension", 3, True, False)]
    assert doubts(derived) == []


def test_a_grade_that_rests_on_the_baseline_names_it_and_inherits_its_doubt() -> None:
    """The baseline's fact is among those that decided; an open conflict over it makes the grade provisional."""
    before = lab("alt", "80", "U/L", high="40", date=BEFORE, held_kind="duplicate_adverse_event")
    derived = graded(before, lab("alt", "170", "U/L", high="40"))

    assert one_grade(derived, "Alanine aminotransferase increased", "provisional", "held_kinds", "facts") == (
        True, '["duplicate_adverse_event"]', '["lab_result:lab_result001", "lab_result:lab_result002"]')
    assert one_grade(derived, "Alanine aminotransferase increased", "why") == (
        "Alanine aminotransferase 170 U/L: grade 1 Alanine aminotransferase increased (CTCAE 5.0); "
        "baseline 80 U/L of 2022-12-30")


EVENT = "term grade onset end_date\n"


@pytest.mark.parametrize(("event", "asked"), [
    ("", True),
    ("Neutrophil_count_decreased 2 2023-01-20 2023-01-27", False),
    ("Neutrophil_count_decreased 3 2023-01-27 -", False),
    ("Neutrophil_count_decreased 3 2023-01-28 -", True),
    ("Neutrophil_count_decreased 3 2023-01-03 2023-01-13", False),
    ("Neutrophil_count_decreased 3 2023-01-03 2023-01-12", True),
    ("Neutrophil_count_decreased 3 - -", False),
    ("Febrile_neutropenia 3 2023-01-20 2023-01-22", False),
    ("Anemia 3 2023-01-20 -", True),
])
def test_grade_3_without_an_event_is_asked_about(event: str, asked: bool) -> None:
    """An event of the term, or of one that covers it, within 7 days; never an event of our making, and nothing held."""
    more = table("adverse_event", EVENT + event) if event else None
    derived = graded(anc("2.0", BEFORE), anc("0.8", "2023-01-20"), more=more)

    assert ("lab_grade_without_ae" in doubts(derived)) == asked
    assert rows(derived, "lab_toxicity", "provisional") == [(False,), (False,)]


def test_one_question_for_each_term_about_its_first_worst_value() -> None:
    """The same disagreement is not asked twice: later values of the same grade change nothing."""
    derived = graded(anc("0.8", "2023-01-20"), anc("0.4", "2023-01-27"), anc("0.3", "2023-02-03"))
    more: pd.DataFrame = derived.doubts

    assert more[["kind", "facts", "values", "holds"]].to_numpy().tolist() == [
        ["lab_grade_without_ae", '["lab_result:lab_result002"]', f'["{ANC}", "4"]', False]]


def test_someone_who_was_never_treated_has_grades_but_nothing_on_treatment() -> None:
    """Without a first treatment there is no baseline."""
    from fhir_adapter.endpoints import derive
    from tests.endpoints.build import PROTOCOL
    from tests.endpoints.graded import results, study

    derived = derive(facts(results(anc("0.8", "2023-01-20"))), PROTOCOL, study()[0])
    assert rows(derived, "lab_toxicity", "grade", "is_baseline", "on_treatment") == [(3, False, False)]


@pytest.mark.parametrize(("event", "said"), [
    ("Neutrophil_count_decreased 3 2023-01-20 2023-01-27", None),
    ("Neutrophil_count_decreased 2 2023-01-20 2023-01-27", ("2", "3")),
    ("Neutrophil_count_decreased 4 2023-01-20 2023-01-27", None),
    ("Neutrophil_count_decreased 1 2023-01-21 2023-01-27", None),
    ("Neutrophil_count_decreased 2 2023-01-20 2023-01-27\nNeutrophil_count_decreased 3 2023-01-19 2023-01-21", None),
    ("Neutrophil_count_decreased 4 2022-12-28 2022-12-30", ("4", "0")),
    ("Neutrophil_count_decreased 4 2023-01-01 2023-01-04", None),
    ("Neutrophil_count_decreased 2 2022-12-28 2022-12-30", ("2", "0")),
    ("Neutrophil_count_decreased 1 2022-12-28 2022-12-30", None),
    ("Neutrophil_count_decreased 5 2023-01-20 -", None),
    ("Neutrophil_count_decreased - 2023-01-20 -", None),
    ("Neutrophil_count_decreased 1 - -", None),
    ("Febrile_neutropenia 4 2023-01-20 2023-01-22", None),
])
def test_an_event_whose_grade_is_not_the_one_of_its_values(event: str, said: tuple[str, str] | None) -> None:
    """0.8 is grade 3, 2.0 grade 0 (CTCAE v5.0, neutrophils): too low at once, too high from two grades apart.

    Another event of that day explains the value; no value on its days, no onset, or a grade of 5 contradict nothing.
    """
    derived = graded(anc("2.0", BEFORE), anc("0.8", "2023-01-20"), more=table("adverse_event", EVENT + event))
    found = derived.doubts[derived.doubts.kind == "ae_grade_differs"]

    assert [tuple(json.loads(one)) for one in found["values"]] == ([] if said is None else [(ANC, *said)])
    assert not found["holds"].any()
