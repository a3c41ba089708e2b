"""Time to response and duration of response. Case W64; endpoints.md §5, §0.9."""

from tests.endpoints.build import baseline_scan, conclude, overall, rows, table, treated


def test_w64_duration_of_response_and_time_to_response() -> None:
    """W64: both from the first of the two confirming assessments."""
    derived = conclude(treated(), baseline_scan(), overall(
        "2023-02-13 SD\n2023-03-27 PR\n2023-05-08 PR\n2023-09-11 PD"))

    columns = ("endpoint", "rule", "start", "date", "status", "days")
    assert [row for row in rows(derived, "time_to_event", *columns, headline=True) if row[0] in ("DOR", "TTR")] == [
        ("DOR", "treatment_policy", "2023-03-27", "2023-09-11", "event", 169),
        ("TTR", "", "2023-01-02", "2023-03-27", "event", 85),
    ]
    assert rows(derived, "time_to_event", "date", "reason", endpoint="DOR", rule="table_a") == [
        ("2023-05-08", "missed_assessments")]


def test_nobody_else_has_a_duration() -> None:
    """Without a confirmed response there is no row, not a zero."""
    derived = conclude(treated(), baseline_scan(), overall("2023-02-13 PR\n2023-03-27 PD"))

    assert {row[0] for row in rows(derived, "time_to_event", "endpoint")} == {"PFS", "TTP", "iPFS", "OS"}


def test_the_duration_ends_as_pfs_ends() -> None:
    """New therapy censors the duration under table A as it censors PFS."""
    derived = conclude(treated(), baseline_scan(), overall("2023-02-13 PR\n2023-03-27 PR\n2023-05-08 PD"),
                       table("anticancer_therapy", "therapy start_date\ndabrafenib 2023-04-01"))

    assert rows(derived, "time_to_event", "rule", "date", "reason", endpoint="DOR") == [
        ("table_a", "2023-03-27", "new_therapy"), ("treatment_policy", "2023-05-08", "progression")]
