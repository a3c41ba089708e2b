"""Overdue: contact and scans, counted to the day that a hospital has reached; the day is an argument."""

from datetime import date
from typing import Any

import pandas as pd
import pytest

from fhir_adapter import study
from fhir_adapter.core.checks import Check
from fhir_adapter.core.errors import UsageError
from fhir_adapter.review.checks import broken
from fhir_adapter.review.kinds import BY_NAME, OVERDUE_KINDS
from fhir_adapter.review.overdue import as_of, overdue
from tests.house.house import ROOT

STUDY = study.load(ROOT)
CHECKS = [one for one in STUDY.checks if one.kind in OVERDUE_KINDS]
EMPTY: dict[str, tuple[str, ...]] = {
    "alive_evidence": ("subject", "date"), "assessment_compliance": ("subject", "due", "due_to", "state"),
    "population": ("subject", "population", "included"), "disposition": ("subject", "event", "level"),
    "vital_status": ("subject", "status"),
}


def frames(**rows: list[tuple[Any, ...]]) -> dict[str, pd.DataFrame]:
    """Conclusions and facts of subjects; S1 is enrolled, whatever else is said."""
    rows = {"population": [("S1", "enrolled", True)], **rows}
    return {name: pd.DataFrame(rows.get(name, []), columns=list(columns)).astype(object)
            for name, columns in EMPTY.items()}


def found(day: str, **rows: list[tuple[Any, ...]]) -> list[tuple[str, tuple[str, ...]]]:
    """Kinds and values of what is overdue of S1 on a day, as the study ships its checks."""
    return [(one.check.kind, one.values) for one in overdue(frames(**rows), CHECKS, {"S1": date.fromisoformat(day)})]


SEEN = [("S1", "2024-01-01"), ("S1", "2023-12-01")]


@pytest.mark.parametrize(("day", "asked"), [("2024-03-31", False), ("2024-04-01", True)])
def test_no_contact_for_more_than_90_days(day: str, asked: bool) -> None:
    """2024-01-01 and 90 days is 2024-03-31: on that day nobody is asked about yet."""
    assert found(day, alive_evidence=SEEN) == ([("no_contact", ("2024-01-01",))] if asked else [])


@pytest.mark.parametrize("rows", [
    {"vital_status": [("S1", "dead")]}, {"disposition": [("S1", "end_of_study", None)]},
    {"disposition": [("S1", "lost_to_follow_up", None)]}, {"disposition": [("S1", "withdrawal", "records")]},
    {"disposition": [("S1", "withdrawal", "visits")]}, {"population": [("S1", "screened", True)]},
    {"population": [("S1", "enrolled", False)]}, {"population": []},
])
def test_nobody_is_asked_about_who_is_not_followed(rows: dict[str, list[tuple[Any, ...]]]) -> None:
    """Dead, lost, at the end, withdrawn, never enrolled: neither contact nor scan is expected."""
    missed = [("S1", "2024-02-01", "2024-02-08", "missed")]

    assert found("2025-01-01", alive_evidence=SEEN, assessment_compliance=missed, **rows) == []


def test_who_stopped_treatment_alone_is_still_followed() -> None:
    """A withdrawal from treatment ends no follow-up; nor does somebody who is said to be alive."""
    assert found("2025-01-01", alive_evidence=SEEN, disposition=[("S1", "withdrawal", "treatment")],
                 vital_status=[("S1", "alive")]) == [("no_contact", ("2024-01-01",))]


@pytest.mark.parametrize(("day", "due"), [
    ("2024-02-22", ()), ("2024-02-23", ("2024-02-01",)), ("2024-06-01", ("2024-02-01", "2024-03-14")),
])
def test_a_scan_that_did_not_come_in_its_window(day: str, due: tuple[str, ...]) -> None:
    """Asked 14 days after the window has closed, once for a subject with every scan that is missing."""
    scans = [("S1", "2024-02-01", "2024-02-08", "missed"), ("S1", "2024-03-14", "2024-03-21", "missed"),
             ("S1", "2024-04-25", "2024-05-02", "late"), ("S1", "2024-06-06", "2024-06-13", "not_due")]

    assert found(day, assessment_compliance=scans) == ([("scan_missing", due)] if due else [])


def test_the_day_of_a_hospital_is_its_latest_but_for_a_mistyped_year() -> None:
    """One record of 2042 makes nobody overdue; the day of one hospital says nothing about another's subjects."""
    evidence = pd.DataFrame([("S1", "2024-01-05"), ("S1", "2024-03-01"), ("S2", "2024-02-01"), ("S2", "2042-03-01"),
                             ("S3", "2023-01-01"), ("S4", "2024-05")], columns=["subject", "date"])
    days = as_of(evidence, {"west": ["S1", "S2"], "east": ["S3"], "south": ["S4"]})

    assert days == {"west": date(2024, 3, 1), "east": date(2023, 1, 1)}


def test_each_says_who_settles_it_and_what_counts_meanwhile() -> None:
    """Neither blocks a cut: what is missing is censored or missed by the rules of the endpoints already."""
    assert {name: (BY_NAME[name].owner.value, BY_NAME[name].blocking) for name in sorted(OVERDUE_KINDS)} == {
        "no_contact": ("data manager", False), "scan_missing": ("data manager", False)}


@pytest.mark.parametrize(("rule", "kind"), [("no_contact", "histology_missing"), ("histology", "no_contact")])
def test_a_row_that_mixes_what_needs_a_day_with_what_does_not(rule: str, kind: str) -> None:
    """It is refused by its name."""
    with pytest.raises(UsageError, match=r"checks\.csv: x"):
        list(broken({}, (Check(name="x", kind=kind, rule=rule, message="m"),), STUDY.protocol))
