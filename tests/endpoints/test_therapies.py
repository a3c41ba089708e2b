"""First dose, first study treatment, and what every treatment was for. endpoints.md §0.11, §0.12, §1."""

from typing import Any

import pandas as pd
import pytest

from fhir_adapter.core.study import Radiotherapy
from tests.endpoints.build import conclude, doubts, facts, one, protocol, rows, table, treated

Facts = dict[str, pd.DataFrame]


def first(*tables: Facts) -> Any:
    """First dose, its evidence, first treatment."""
    return one(conclude(*tables), "baseline", "first_dose", "first_dose_evidence", "first_treatment")


def test_the_first_dose_is_the_earliest_of_any_study_drug() -> None:
    """Best evidence per drug: a statement counts for a drug without administrations, an order never."""
    given = table("drug_administration", """
        drug         evidence     start_date given status    dose_mg
        tislelizumab administered 2023-01-05 no    not-done  200
        tislelizumab administered 2023-01-09 yes   completed 200
        tislelizumab stated       2023-01-01 yes   active    -
        anlotinib    stated       2023-01-07 yes   active    12
        anlotinib    ordered      2023-01-03 yes   active    12
        """)

    assert first(given) == ("2023-01-07", "stated", "2023-01-07")


def test_a_partial_date_starts_no_clock() -> None:
    """§12: no imputation for the start of any clock."""
    assert first(table("drug_administration", "start_date\n2023-01")) == (None, None, None)


@pytest.mark.parametrize(("start", "role"), [
    ("2022-12-05", "study"), ("2022-12-04", "unknown"), ("2023-03-27", "study"), ("2023-03-28", "unknown")])
def test_radiotherapy_within_the_protocol_days_is_study(start: str, role: str) -> None:
    """From 28 days before to 84 days after the first dose, both included; outside it is a doubt, no new therapy."""
    derived = conclude(treated(), table("radiotherapy", f"start_date\n{start}"))

    assert doubts(derived) == (["therapy_role_unknown"] if role == "unknown" else [])
    group = one(derived, "exposure", "at_least_subgroup", treatment="radiotherapy")
    assert group == ("unknown" if role == "study" else "none")


def test_without_a_dose_radiotherapy_counts_from_enrolment() -> None:
    """And it is the first study treatment."""
    derived = conclude(table("disposition", "event date\nenrolled 2023-01-02"),
                       table("radiotherapy", "start_date\n2023-01-09"))

    assert one(derived, "baseline", "first_treatment") == "2023-01-09"
    assert doubts(conclude(table("radiotherapy", "start_date\n2023-01-09"))) == ["therapy_role_unknown"]


def test_without_protocol_days_radiotherapy_is_unknown() -> None:
    """Nobody is guessed about."""
    derived = conclude(treated(), table("radiotherapy", "start_date\n2023-01-09"),
                       rules=protocol(radiotherapy=Radiotherapy()))

    assert doubts(derived) == ["therapy_role_unknown"]


ASSESSED = facts(treated(), table("tumor_assessment", "start_date\n2022-12-20"),
                 table("response_assessment", "date value\n2023-02-13 SD\n2023-03-27 PD"))


@pytest.mark.parametrize(("therapy", "censored"), [
    (table("anticancer_therapy", "therapy start_date\ndabrafenib 2023-03-01"), True),
    (table("anticancer_therapy", "therapy start_date\npaclitaxel 2022-06-01"), False),
    (table("anticancer_therapy", "therapy start_date\ntislelizumab 2023-03-01"), False),
    (table("anticancer_therapy", "therapy start_date stated_role\ndabrafenib 2023-03-01 study"), False),
    (table("anticancer_therapy", "therapy start_date status\ndabrafenib 2023-03-01 not-done"), False),
    (table("medication", "concept drug_class start_date\ndabrafenib anticancer 2023-03-01"), True),
    (table("medication", "concept drug_class start_date\nlevothyroxine other 2023-03-01"), False),
    (table("drug_administration", "drug start_date\ndabrafenib 2023-03-01"), True),
    (table("procedure", "concept start_date\nthyroidectomy 2023-03-01"), True),
    (table("procedure", "concept start_date\ntracheostomy 2023-03-01"), False),
    (table("procedure", "concept start_date\nct_scan 2023-03-01"), False),
])
def test_what_counts_as_new_therapy(therapy: Facts, censored: bool) -> None:
    """Anticancer drugs and operations after the first study treatment; the class or a stated role decides."""
    reason = one(conclude(ASSESSED, therapy), "time_to_event", "reason", endpoint="PFS", rule="table_a")

    assert reason == ("new_therapy" if censored else "progression")


def test_a_drug_without_a_class_is_a_doubt() -> None:
    """Provisionally it is no new therapy, and the value says provisional."""
    derived = conclude(ASSESSED, table("anticancer_therapy", "therapy start_date\nmysteryne 2023-03-01"))

    assert doubts(derived) == ["therapy_role_unknown"]
    assert one(derived, "time_to_event", "reason", "held_kinds", endpoint="PFS", rule="table_a") == (
        "progression", '["therapy_role_unknown"]')


def test_a_sheet_settles_the_role_of_the_record_it_names() -> None:
    """Palliative radiotherapy long after: unknown until the sheet says subsequent; the earlier course stays prior."""
    courses = table("radiotherapy", "resource start_date\nrt1 2023-03-30\nrt0 2021-05-01")
    sheet = table("anticancer_therapy", """
        hospital kind         therapy      stated_role record start_date
        desk     radiotherapy radiotherapy subsequent  rt1    -
        desk     radiotherapy radiotherapy prior       -      2021-05-01
        """)
    later = facts(treated(), table("tumor_assessment", "start_date\n2022-12-20"),
                  table("response_assessment", "date value\n2023-02-13 SD\n2023-05-08 PD"), courses)

    assert doubts(conclude(later)) == ["therapy_role_unknown", "therapy_role_unknown"]
    derived = conclude(later, sheet)
    assert doubts(derived) == []
    assert one(derived, "time_to_event", "reason", endpoint="PFS", rule="table_a") == "new_therapy"


def test_a_doubt_names_its_facts() -> None:
    """`table:fact_key`, as a JSON list."""
    derived = conclude(treated(), table("radiotherapy", "start_date\n2024-03-30"))

    assert derived.doubts[["kind", "subject", "facts"]].to_numpy().tolist() == [
        ["therapy_role_unknown", "S1", '["radiotherapy:radiotherapy001"]']]
    assert rows(derived, "exposure", "treatment") == [("radiotherapy",), ("tislelizumab",)]
