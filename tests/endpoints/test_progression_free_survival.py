"""Progression-free survival, both rules side by side. Cases W50 to W58; FDA 2007 appendix 3, EMA 2012 appendix 1."""

from typing import Any

import pandas as pd

from fhir_adapter.core.study import Schedule, TimeToEvent
from fhir_adapter.endpoints.derivation import Derived
from tests.endpoints.build import baseline_scan, conclude, facts, one, overall, pfs, protocol, rows, table, treated

POLICY, TABLE_A = "treatment_policy", "table_a"
Ended = tuple[str, str, int, str]


def ended(derived: Derived, rule: str, **wanted: Any) -> Any:
    """Date, status, days and reason of PFS under a rule."""
    return one(derived, "time_to_event", "date", "status", "days", "reason", endpoint="PFS", rule=rule, **wanted)


def history(assessments: str, *more: dict[str, pd.DataFrame], **rules: Any) -> Derived:
    """A treated subject with a baseline scan and reported responses."""
    return conclude(treated(), baseline_scan(), overall(assessments), *more, rules=protocol(**rules))


def died(day: str) -> dict[str, pd.DataFrame]:
    """A dated death."""
    return table("vital_status", f"death\n{day}")


def test_w50_progression() -> None:
    """W50: the first of progression and death; 126 days between make day 127, or 126 by option."""
    derived = history("2023-02-13 SD\n2023-03-27 PR\n2023-05-08 PD", died("2023-07-21"))

    assert ended(derived, POLICY) == ended(derived, TABLE_A) == ("2023-05-08", "event", 127, "progression")
    plain = history("2023-05-08 PD", time_to_event=TimeToEvent(day_one_counts=False))
    assert ended(plain, POLICY) == ("2023-05-08", "event", 126, "progression")


def test_w52_no_baseline_assessment() -> None:
    """W52: table A censors at the start, day 1; treatment policy counts the progression."""
    derived = conclude(treated(), overall("2023-02-13 SD\n2023-03-27 PD"))

    assert ended(derived, TABLE_A) == ("2023-01-02", "censored", 1, "no_baseline")
    assert ended(derived, POLICY) == ("2023-03-27", "event", 85, "progression")


def test_w54_death_after_two_missed_assessments() -> None:
    """W54: 148 days since the last adequate assessment are more than 2 * (42 + 7)."""
    derived = history("2023-02-13 SD", died("2023-07-11"))

    assert ended(derived, TABLE_A) == ("2023-02-13", "censored", 43, "missed_assessments")
    assert ended(derived, POLICY) == ("2023-07-11", "event", 191, "death")


def test_a_gap_of_exactly_the_limit_is_no_gap() -> None:
    """98 days are not more than 98; 99 are; an NE between does not close the gap; progression likewise."""
    at_limit, over = "2023-05-22", "2023-05-23"
    assert ended(history("2023-02-13 SD", died(at_limit)), TABLE_A) == (at_limit, "event", 141, "death")
    assert ended(history("2023-02-13 SD\n2023-03-27 NE", died(over)), TABLE_A)[3] == "missed_assessments"
    assert ended(history(f"2023-02-13 SD\n{over} PD"), TABLE_A) == ("2023-02-13", "censored", 43, "missed_assessments")
    assert ended(history(f"2023-02-13 SD\n{over} PD"), POLICY) == (over, "event", 142, "progression")


def test_w56_protocol_radiotherapy_is_not_a_new_therapy() -> None:
    """W56: it starts within the protocol's days, so the progression after it counts."""
    course = table("radiotherapy", "start_date end_date\n2023-01-09 2023-02-19")

    assert ended(history("2023-02-13 SD\n2023-03-27 PD", course), TABLE_A) == (
        "2023-03-27", "event", 85, "progression")


def test_w58_scans_of_one_time_point_on_several_days() -> None:
    """W58: by the sum the last target measurement dates the progression, by a new lesion its first scan."""
    scans = facts(
        treated(), table("lesion", "lesion\nT1\nT2"),
        table("lesion_measurement", """
            lesion date       mm
            T1     2022-12-20 30
            T2     2022-12-20 20
            T1     2023-03-26 40
            T2     2023-03-28 {}
            """.replace("{}", "30")),
        table("tumor_assessment", "start_date method\n2023-03-31 other"))
    seen = table("response_assessment", "category date value\nnew_lesion 2023-03-26 unequivocal")

    assert ended(conclude(scans), POLICY)[:2] == ("2023-03-28", "event")
    assert ended(conclude(scans, seen), POLICY)[:2] == ("2023-03-26", "event")


def test_no_assessment_after_the_baseline() -> None:
    """Alive: censored at the start; dead before two assessments could be missed: event; later: table A censors."""
    for rule in (POLICY, TABLE_A):
        assert ended(conclude(treated(), baseline_scan()), rule) == ("2023-01-02", "censored", 1, "no_assessment")
        early = conclude(treated(), baseline_scan(), died("2023-03-01"))
        assert ended(early, rule) == ("2023-03-01", "event", 59, "death")
    late = conclude(treated(), baseline_scan(), died("2023-05-01"))
    assert ended(late, TABLE_A) == ("2023-01-02", "censored", 1, "missed_assessments")
    assert ended(late, POLICY) == ("2023-05-01", "event", 120, "death")


def test_new_therapy_before_progression() -> None:
    """Table A censors at the last adequate assessment before it; the policy waits; the same day counts as before."""
    braf = table("anticancer_therapy", "therapy start_date\ndabrafenib {}".replace("{}", "2023-03-01"))
    derived = history("2023-02-13 SD\n2023-03-27 PD", braf)

    assert ended(derived, TABLE_A) == ("2023-02-13", "censored", 43, "new_therapy")
    assert ended(derived, POLICY) == ("2023-03-27", "event", 85, "progression")
    same_day = table("anticancer_therapy", "therapy start_date\ndabrafenib 2023-03-27")
    assert ended(history("2023-02-13 SD\n2023-03-27 PD", same_day), TABLE_A)[1] == "event"


def test_a_new_therapy_known_to_the_month_of_progression_counts_as_after_it() -> None:
    """§0.15: and the value says provisional; in an earlier month the first day counts."""
    month = table("anticancer_therapy", "therapy start_date\ndabrafenib 2023-03")
    derived = history("2023-02-13 SD\n2023-03-27 PD", month)

    assert ended(derived, TABLE_A) == ("2023-03-27", "event", 85, "progression")
    assert one(derived, "time_to_event", "provisional", endpoint="PFS", rule=TABLE_A) is True
    before = table("anticancer_therapy", "therapy start_date\ndabrafenib 2023-02")
    assert ended(history("2023-01-30 SD\n2023-03-27 PD", before), TABLE_A)[::3] == ("2023-01-30", "new_therapy")


def test_clinical_progression_only_by_option() -> None:
    """Not an event by default, under neither rule; by option under both."""
    clinical = table("disposition", "event date\nclinical_progression 2023-04-10")

    assert ended(history("2023-02-13 SD", clinical), TABLE_A) == ("2023-02-13", "censored", 43, "last_assessment")
    counted = history("2023-02-13 SD", clinical, endpoints=pfs(clinical_progression=True))
    assert {ended(counted, rule)[::3] for rule in (POLICY, TABLE_A)} == {("2023-04-10", "clinical_progression")}


def test_stopping_treatment_censors_only_by_option() -> None:
    """`discontinuation = censor` concerns table A alone."""
    stop = table("disposition", "event component date\nend_of_component tislelizumab 2023-03-01")

    assert ended(history("2023-02-13 SD\n2023-03-27 PD", stop), TABLE_A)[1] == "event"
    censored = history("2023-02-13 SD\n2023-03-27 PD", stop, endpoints=pfs(discontinuation="censor"))
    assert ended(censored, TABLE_A) == ("2023-02-13", "censored", 43, "discontinuation")
    assert ended(censored, POLICY)[1] == "event"


def test_the_last_evaluable_assessment_censors() -> None:
    """NE is not evaluable."""
    derived = history("2023-02-13 SD\n2023-03-27 NE")

    assert ended(derived, POLICY) == ended(derived, TABLE_A) == ("2023-02-13", "censored", 43, "last_assessment")


def test_table_a_refuses_without_a_schedule() -> None:
    """§0.14: nothing planned, nothing missed, no answer."""
    derived = history("2023-02-13 SD\n2023-03-27 PD", schedule=Schedule())

    assert ended(derived, TABLE_A) == (None, "undetermined", None, "no_schedule")
    assert ended(derived, POLICY)[1] == "event"


def test_a_progression_known_to_the_month_counts_from_the_first_possible_day() -> None:
    """§0.15: the first day after the last other assessment; flagged."""
    derived = history("2023-02-13 SD\n2023-03-20 SD\n2023-03 PD")

    assert ended(derived, POLICY) == ("2023-03-21", "event", 79, "progression")
    assert one(derived, "time_to_event", "imputed", "held_kinds", endpoint="PFS", rule=POLICY) == (
        "day", '["partial_date"]')


def test_treated_by_radiotherapy_only_is_undetermined() -> None:
    """§0.18: listed, unless the clock counts radiotherapy."""
    known = facts(
        table("disposition", "event date\nenrolled 2022-12-28"), baseline_scan(),
        table("radiotherapy", "start_date end_date\n2023-01-02 2023-02-10"), overall("2023-02-13 PD"))

    assert ended(conclude(known), POLICY) == (None, "undetermined", None, "radiotherapy_only")
    counted = conclude(known, rules=protocol(endpoints=pfs(start="first_treatment")))
    assert ended(counted, POLICY) == ("2023-02-13", "event", 43, "progression")


def test_never_treated_is_undetermined_and_a_screening_failure_has_no_clock() -> None:
    """Enrolled subjects never vanish from the list."""
    derived = conclude(table("disposition", """
        subject event             date
        S1      enrolled          2022-12-28
        S2      screening_failure 2022-12-28
        """))

    assert rows(derived, "time_to_event", "subject", "endpoint", "reason", headline=True) == [
        ("S1", "OS", "no_start"), ("S1", "PFS", "no_start"), ("S1", "TTP", "no_start")]


def test_the_headline_rule_is_marked_once() -> None:
    """Treatment policy is the headline, table A beside it, or the other way round by option."""
    assert rows(history("2023-02-13 PD"), "time_to_event", "rule", endpoint="PFS", headline=True) == [(POLICY,)]
    turned = history("2023-02-13 PD", endpoints=pfs(pfs_rule="table_a"))
    assert rows(turned, "time_to_event", "rule", endpoint="PFS", headline=True) == [(TABLE_A,)]
