"""Which scans make one time point, and which one is the baseline. endpoints.md §0.1, §0.3."""

from typing import Any

import pandas as pd

from fhir_adapter.core.study import Schedule
from tests.endpoints.build import conclude, doubts, facts, one, protocol, rows, table, treated

Facts = dict[str, pd.DataFrame]


def points(*tables: Facts, **more: Any) -> list[tuple[Any, ...]]:
    """Number, first and last scan, and what binds the time points read from lesions."""
    derived = conclude(treated(), table("lesion", "lesion\nT1\nT2"), *tables, **more)
    return rows(derived, "time_point", "number", "date", "last_date", "grouping", source="lesions")


BEFORE = table("lesion_measurement", "lesion date mm\nT1 2022-12-20 30\nT2 2022-12-20 20")


def sizes(text: str) -> Facts:
    """Sizes, with a baseline before them."""
    return facts(BEFORE, table("lesion_measurement", text))


def test_the_stated_visit_binds() -> None:
    """Three days of one visit are one time point, and a scan without a visit between them belongs to it."""
    assert points(sizes("lesion visit date mm\nT1 C2 2023-02-13 30\nT2 C2 2023-02-17 20"),
                  table("tumor_assessment", "start_date\n2023-02-15"))[-1] == (
        1, "2023-02-13", "2023-02-17", "visit")


def test_a_visit_name_used_again_is_another_time_point() -> None:
    """`follow-up` in February and in May."""
    found = points(sizes("lesion visit date mm\nT1 FU 2023-02-13 30\nT2 FU 2023-02-13 20\n"
                         "T1 FU 2023-05-08 30\nT2 FU 2023-05-08 20"))

    assert [row[:2] for row in found] == [(0, "2022-12-20"), (1, "2023-02-13"), (2, "2023-05-08")]


def test_the_scheduled_window_binds() -> None:
    """Day 36 and day 48 both stand in the window of day 42."""
    assert points(sizes("lesion date mm\nT1 2023-02-07 30\nT2 2023-02-19 20"))[-1] == (
        1, "2023-02-07", "2023-02-19", "window")


def test_else_fourteen_days_bind() -> None:
    """Without a schedule: 14 days after the first scan, not 15."""
    rules = protocol(schedule=Schedule())

    assert points(sizes("lesion date mm\nT1 2023-02-13 30\nT2 2023-02-27 20"), rules=rules)[1:] == [
        (1, "2023-02-13", "2023-02-27", "days")]
    assert [row[0] for row in points(sizes("lesion date mm\nT1 2023-02-13 30\nT2 2023-02-28 20"), rules=rules)] == [
        0, 1, 2]


def test_the_first_treatment_parts_scans() -> None:
    """A scan before and one after treatment began are never one time point."""
    found = points(table("lesion_measurement", "lesion date mm\nT1 2022-12-30 30\nT2 2022-12-30 20\nT1 2023-01-04 30"))

    assert [row[:2] for row in found] == [(0, "2022-12-30"), (1, "2023-01-04")]


def test_a_lesion_measured_on_two_days_of_a_group_is_a_doubt() -> None:
    """One time point for each interval meanwhile, and the reading says provisional."""
    derived = conclude(treated(), table("lesion", "lesion\nT1"), table(
        "lesion_measurement", "lesion date mm\nT1 2022-12-20 30\nT1 2023-02-10 30\nT1 2023-02-17 20"))

    assert doubts(derived) == ["ambiguous_time_point"]
    assert one(derived, "time_point", "sum_um", "overall", "held_kinds", number=1) == (
        30000, "SD", '["ambiguous_time_point"]')


def baseline(text: str, *more: Facts) -> Any:
    """Date, sum and deviation of the baseline; sizes of one target."""
    derived = conclude(treated(), table("lesion", "lesion\nT1"), table("lesion_measurement", text), *more)
    return one(derived, "baseline", "date", "sum_um", "deviation")


def test_the_baseline_is_the_last_complete_one_on_or_before_treatment() -> None:
    """The same day counts, the day after does not, an incomplete one neither."""
    assert baseline("lesion date mm\nT1 2022-12-10 30\nT1 2023-01-02 31\nT1 2023-01-03 50")[:2] == ("2023-01-02", 31000)
    assert baseline("lesion date mm\nT1 2022-12-10 30\nT1 2022-12-30 not_evaluated")[:2] == ("2022-12-10", 30000)


def test_older_than_28_days_is_no_baseline_unless_its_source_calls_it_so() -> None:
    """28 days are a difference of dates; what is called baseline is used and flagged."""
    stated = table("tumor_assessment", "start_date stated_baseline\n{} yes".replace("{}", "2022-12-04"))

    assert baseline("lesion date mm\nT1 2022-12-05 30") == ("2022-12-05", 30000, None)
    assert baseline("lesion date mm\nT1 2022-12-04 30") == (None, None, None)
    assert baseline("lesion date mm\nT1 2022-12-04 30", stated) == ("2022-12-04", 30000, "too_old")


def test_a_stated_baseline_after_treatment_began_is_used_and_flagged() -> None:
    """Post-baseline is then what follows it."""
    stated = table("tumor_assessment", "start_date stated_baseline\n2023-01-05 yes")
    known = "lesion date mm\nT1 2023-01-05 30\nT1 2023-02-13 20"

    assert baseline(known, stated) == ("2023-01-05", 30000, "after_start")
    derived = conclude(treated(), table("lesion", "lesion\nT1"), table("lesion_measurement", known), stated)
    assert one(derived, "time_point", "overall", number=1) == "PR"


def test_without_a_baseline_no_sum_progresses() -> None:
    """There is nothing to compare with; a new lesion still counts."""
    known = facts(treated(), table("lesion", "lesion\nT1"),
                  table("lesion_measurement", "lesion date mm\nT1 2023-02-13 20\nT1 2023-03-27 40"))
    new = table("response_assessment", "category date value\nnew_lesion 2023-03-27 unequivocal")

    assert rows(conclude(known), "time_point", "overall") == [("NE",), ("NE",)]
    assert rows(conclude(known, new), "time_point", "overall") == [("NE",), ("PD",)]
    assert one(conclude(known), "best_response", "value", "reason", headline=True) == ("NE", "no_baseline")
