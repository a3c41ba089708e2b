"""Overall survival and proof of life. Cases W59 to W63; endpoints.md §7, §0.15, §0.16."""

from typing import Any

import pandas as pd
import pytest

from fhir_adapter.core.study import TimeToEvent
from fhir_adapter.endpoints import derive
from fhir_adapter.endpoints.held import Open
from tests.endpoints.build import PROTOCOL, TERMS, conclude, facts, one, protocol, rows, table, treated

Facts = dict[str, pd.DataFrame]


def survived(*tables: Facts, columns: tuple[str, ...] = ("date", "status", "days", "reason"), **more: Any) -> Any:
    """The OS row of one treated subject."""
    return one(conclude(treated(), *tables, **more), "time_to_event", *columns, endpoint="OS")


def labs(*days: str) -> Facts:
    """Final laboratory results."""
    return table("lab_result", "\n".join(["date", *days]))


@pytest.mark.parametrize(("policy", "expected"), [
    ("drop", ("2023-10-05", "censored", 277, "last_alive")),
    ("cap", ("2023-12-31", "censored", 364, "cutoff")),
])
def test_w59_last_known_alive_from_many_sources(policy: Any, expected: tuple[str, str, int, str]) -> None:
    """W59: clinical dates only; after the cut-off nothing is seen, but `cap` lets a later visit prove life."""
    found = survived(
        labs("2023-08-01"),
        table("drug_administration", "start_date status given\n2023-09-10 completed yes\n2023-12-20 intended no"),
        table("performance_status", "date score\n2023-10-05 2"),
        table("adverse_event", "onset\n2023-09-30"),
        table("hospital_stay", "start_date\n2024-01-15"),
        rules=protocol(time_to_event=TimeToEvent(cutoff_policy=policy)), cut_off="2023-12-31")

    assert found == expected


def test_w61_the_day_of_death_is_imputed_and_flagged() -> None:
    """W61: the 15th would lie before a proof of life on the 20th."""
    columns = ("date", "status", "imputed")
    month = table("vital_status", "death held_kind\n2023-07 partial_date")

    assert survived(month, labs("2023-07-20"), columns=columns) == ("2023-07-20", "event", "day")
    assert survived(month, labs("2023-06-20"), columns=columns) == ("2023-07-15", "event", "day")
    assert survived(month, labs("2023-08-20"), columns=columns) == ("2023-07-15", "event", "day")
    assert survived(month, columns=("provisional", "held_kinds")) == (True, '["partial_date"]')


def test_w63_activity_after_death_the_death_stands() -> None:
    """W63: the conflict is the review's; while it is open the value is provisional."""
    found = survived(
        table("vital_status", "death\n2023-05-01"),
        table("drug_administration", "start_date held_kind\n2023-06-15 activity_after_death"),
        columns=("date", "status", "held_kinds"))

    assert found == ("2023-05-01", "event", '["activity_after_death"]')


def test_an_open_conflict_that_holds_no_fact_makes_provisional() -> None:
    """The caller names such kinds by subject: each touches what it concerns."""
    known = facts(treated(), table("vital_status", "death\n2023-05-01"))
    derived = derive(known, PROTOCOL, TERMS, doubted={
        "S1": [Open("activity_after_death")], "S9": [Open("merged_patient")]})

    assert one(derived, "time_to_event", "provisional", "held_kinds", endpoint="OS") == (
        True, '["activity_after_death"]')
    assert one(derived, "best_response", "provisional", headline=True) is False


def test_death_known_to_the_year() -> None:
    """§0.15: the day after the last proof of life, within that year."""
    year = table("vital_status", "death\n2023")

    assert survived(year, labs("2023-04-10"), columns=("date", "imputed")) == ("2023-04-11", "month")
    old = conclude(treated("2022-03-01"), table("vital_status", "death\n2023"), labs("2022-11-10"))
    assert one(old, "time_to_event", "date", endpoint="OS") == "2023-01-01"


def test_dead_without_a_date() -> None:
    """§0.16: event one day after last known alive, flagged."""
    flag = table("vital_status", "death statement held_kind\n- deceased_flag death_date_missing")

    assert survived(flag, labs("2023-04-10"), columns=("date", "status", "imputed", "held_kinds")) == (
        "2023-04-11", "event", "date", '["death_date_missing"]')


def test_death_dates_that_disagree() -> None:
    """The earliest full date not before the last proof of life, else the latest; a partial one yields to a full one."""
    two = table("vital_status", "death\n2023-05-01\n2023-06-01")

    assert survived(two, columns=("date",)) == "2023-05-01"
    assert survived(two, labs("2023-05-10"), columns=("date",)) == "2023-06-01"
    assert survived(two, labs("2023-06-10"), columns=("date",)) == "2023-06-01"
    assert survived(table("vital_status", "death\n2023\n2023-06-01"), columns=("date", "imputed")) == (
        "2023-06-01", None)


def test_a_fatal_adverse_event_alone_is_no_death() -> None:
    """Alive while the conflict is open; the onset proves life."""
    found = survived(
        table("adverse_event", "onset end_date grade outcome held_kind\n"
              "2023-04-01 2023-04-03 5 fatal fatal_ae_without_death"),
        table("vital_status", "death statement\n2023-04-03 adverse_event"), columns=("date", "status", "held_kinds"))

    assert found == ("2023-04-01", "censored", '["fatal_ae_without_death"]')


def test_what_proves_nothing() -> None:
    """Orders, statements, cancelled results, pathology, ECOG 5, discharge as dead, archived tissue."""
    found = survived(
        table("drug_administration", "drug start_date evidence\nanlotinib 2023-08-01 ordered"),
        table("lab_result", "date status\n2023-08-01 cancelled"),
        table("tumor_assessment", "start_date method\n2023-08-01 pathology"),
        table("performance_status", "date score\n2023-08-01 5"),
        table("hospital_stay", "start_date end_date died\n2023-02-01 2023-08-01 yes"),
        table("biomarker", "date\n2023-08-01"))

    assert found == ("2023-02-01", "censored", 31, "last_alive")


def test_no_contact_after_the_start() -> None:
    """Censored at the start, day 1."""
    assert survived() == ("2023-01-02", "censored", 1, "no_contact")


def test_new_therapy_does_not_touch_survival() -> None:
    """OS runs on."""
    later = table("anticancer_therapy", "therapy start_date\ndabrafenib 2023-02-01")

    assert survived(later, table("vital_status", "death\n2023-05-01")) == ("2023-05-01", "event", 120, "death")


def test_alive_evidence_names_the_latest_of_each_kind() -> None:
    """One row per kind, none after death."""
    derived = conclude(treated(), labs("2023-02-01", "2023-03-01", "2023-06-01"),
                       table("vital_status", "death\n2023-05-01"))

    assert rows(derived, "alive_evidence", "kind", "date", "latest") == [
        ("drug_administration", "2023-01-02", False), ("enrolled", "2022-12-28", False),
        ("lab_result", "2023-03-01", True)]
