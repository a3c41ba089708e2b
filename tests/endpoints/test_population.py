"""Populations with a reason for everyone who is left out; people at baseline; empty input. endpoints.md §0.18, §9."""

import pandas as pd
import pytest

from fhir_adapter.core.tables import columns_of
from fhir_adapter.endpoints import ALL, Conclusion, ae_summary, derive, subgroups, summary
from fhir_adapter.endpoints.derivation import Derived
from tests.endpoints.build import (
    PROTOCOL,
    TERMS,
    baseline_scan,
    conclude,
    facts,
    one,
    overall,
    rows,
    table,
    treated,
)


def test_everyone_has_a_place_and_a_reason() -> None:
    """Screened by consent, enrolled when registered, treated by any study treatment."""
    derived = conclude(
        treated(subject="S1"),
        table("disposition", """
            subject event             date
            S2      consent           2022-12-20
            S2      screening_failure 2022-12-28
            S3      enrolled          2022-12-28
            """),
        table("demographic", "subject sex birth_year\nS4 female 1960"))
    found = {(subject, name): reason for subject, name, reason in rows(
        derived, "population", "subject", "population", "reason")}

    assert found == {
        ("S1", "screened"): None, ("S1", "enrolled"): None, ("S1", "treated"): None, ("S1", "safety"): None,
        ("S1", "evaluable"): "no_baseline",
        ("S2", "screened"): None, ("S2", "enrolled"): "screening_failure", ("S2", "treated"): "screening_failure",
        ("S2", "safety"): "screening_failure", ("S2", "evaluable"): "screening_failure",
        ("S3", "screened"): None, ("S3", "enrolled"): None, ("S3", "treated"): "not_treated",
        ("S3", "safety"): "not_treated", ("S3", "evaluable"): "not_treated",
        ("S4", "screened"): "no_consent", ("S4", "enrolled"): "not_enrolled", ("S4", "treated"): "not_treated",
        ("S4", "safety"): "not_treated", ("S4", "evaluable"): "not_treated",
    }
    counts = summary(derived.frames, PROTOCOL)
    assert (counts.screened, counts.enrolled, counts.treated, counts.evaluable) == (3, 2, 1, 0)


def test_evaluable_needs_measurable_disease_and_an_assessment_or_death() -> None:
    """NE alone is no adequate assessment; early death is enough."""
    target = facts(treated(), table("lesion", "lesion\nT1"), table("lesion_measurement", "lesion date mm\n"
                                                                   "T1 2022-12-20 30"))
    other = facts(treated(), table("lesion", "lesion role\nN1 non-target"),
                  table("lesion_measurement", "lesion date mm\nN1 2022-12-20 present"))
    died = table("vital_status", "death\n2023-02-01")
    wanted = {"population": "evaluable"}

    assert one(conclude(target), "population", "reason", **wanted) == "no_assessment"
    assert one(conclude(target, died), "population", "reason", **wanted) is None
    assert one(conclude(other, died), "population", "reason", **wanted) == "no_measurable_disease"
    assert one(conclude(treated(), baseline_scan(), overall("2023-02-13 NE")), "population", "reason", **wanted) == (
        "no_assessment")
    assert one(conclude(treated(), baseline_scan(), overall("2023-02-13 SD")), "population", "included", **wanted)


def test_who_a_subject_is_at_baseline() -> None:
    """Age by years, the last ECOG on or before treatment, no birthday."""
    derived = conclude(treated(), table("demographic", "sex birth_year\nmale 1960"),
                       table("performance_status", "date score\n2022-12-01 0\n2023-01-02 1\n2023-01-09 3"))

    assert one(derived, "baseline", "sex", "birth_year", "age", "ecog", "enrolled") == (
        "male", 1960, 63, 1, "2022-12-28")


def test_nothing_in_gives_empty_tables_with_their_columns() -> None:
    """No table, or tables without rows or columns: every conclusion stands, empty."""
    for given in ({}, {"lesion": pd.DataFrame(), "lab_result": pd.DataFrame({"subject": []})}):
        derived = derive(given, PROTOCOL, TERMS)

        assert {name: list(frame.columns) for name, frame in derived.frames.items()} == {
            conclusion.name: [spec.name for spec in columns_of(conclusion.record)] for conclusion in ALL}
        assert all(frame.empty for frame in derived.frames.values())
        assert derived.doubts.empty
        counts = summary(derived.frames, PROTOCOL)
        assert (counts.enrolled, counts.orr_confirmed.n, counts.curves[0].n) == (0, 0, 0)
        assert ae_summary(derived.frames).empty
        assert subgroups(derived.frames) == {}


@pytest.mark.parametrize("conclusion", ALL, ids=lambda conclusion: conclusion.name)
def test_every_value_says_why(conclusion: Conclusion) -> None:
    """Each table ends with why, provisional, held_kinds, facts; its code lists hold in what is derived."""
    name, record = conclusion.name, conclusion.record
    specs = columns_of(record)
    frame = _full().frames[name]

    assert [spec.name for spec in specs[-4:]] == ["why", "provisional", "held_kinds", "facts"]
    for spec in specs:
        values = frame[spec.name].tolist()
        assert spec.nullable or None not in values
        assert not spec.codes or set(values) <= {*spec.codes, None}
    assert not frame.duplicated(list(conclusion.key)).any()
    assert all(isinstance(text, str) and text for text in frame["why"])


def _full() -> Derived:
    return conclude(
        treated(), table("lesion", "lesion\nT1"),
        table("lesion_measurement", "lesion date mm\nT1 2022-12-20 30\nT1 2023-02-13 20\nT1 2023-03-27 20"),
        overall("2023-02-13 PR\n2023-03-27 PR"), table("radiotherapy", "start_date\n2023-01-09"),
        table("adverse_event", "onset grade\n2023-01-12 2"), table("vital_status", "death\n2023-07-11"))
