"""Planned scans: due, done, early, late, missed; the interval that changes. endpoints.md §6, §14 `[schedule]`."""

import pytest

from fhir_adapter.core.protocol import Schedule
from fhir_adapter.endpoints.compliance import table as compliance_table
from fhir_adapter.endpoints.derivation import Derived
from fhir_adapter.endpoints.schedule import gap_allowed, nearest_scan, planned
from tests.endpoints.build import Facts, baseline_scan, conclude, one, overall, protocol, rows, table, treated

STEPPED = Schedule(interval_days=42, window_days=7, steps=((126, 84),))
"""Every 6 weeks up to week 18, then every 12."""


def states(derived: Derived) -> list[tuple[object, ...]]:
    """Number, due day, day done and state of every planned scan."""
    return rows(derived, "assessment_compliance", "number", "due", "done", "state")


def followed(text: str, *more: Facts, cut_off: str | None = None, **rules: object) -> Derived:
    """A subject whose scans the investigator judged."""
    return conclude(treated(), baseline_scan(), overall(text), *more, rules=protocol(**rules), cut_off=cut_off)


def test_every_state() -> None:
    """Due on days 42, 84, 126, 168 (+- 7): on time, a week too late, nothing, nine days early, window still open."""
    found = followed("""2023-02-13 SD
        2023-04-06 SD
        2023-06-10 SD""", table("performance_status", "date score\n2023-07-25 1"))
    assert states(found) == [
        (1, "2023-02-13", "2023-02-13", "done"), (2, "2023-03-27", "2023-04-06", "late"),
        (3, "2023-05-08", None, "missed"), (4, "2023-06-19", "2023-06-10", "early"),
        (5, "2023-07-31", None, "not_due")]
    assert compliance_table(found.frames["assessment_compliance"]).iloc[-1].to_dict() == {
        "number": "all", "due": 4, "done": 1, "early": 1, "late": 1, "missed": 1, "not_due": 1, "percent": 75.0}


@pytest.mark.parametrize(("end", "expected"), [
    ("", [(1, "done"), (2, "missed"), (3, "missed")]),
    ("progression", [(1, "done")]),
    ("death", [(1, "done"), (2, "not_due")]),
    ("end_of_study", [(1, "done"), (2, "missed")]),
])
def test_scans_are_owed_until(end: str, expected: list[tuple[int, str]]) -> None:
    """The cut-off 2023-05-31 bounds what is owed; progression, death and the end of the study end it before."""
    more = {"death": [table("vital_status", "death\n2023-03-25")],
            "end_of_study": [table("disposition", "event date\nend_of_study 2023-04-10")]}
    found = followed("2023-02-13 PD" if end == "progression" else "2023-02-13 SD", *more.get(end, []),
                     cut_off="2023-05-31")
    assert [(number, state) for number, _, _, state in states(found)] == expected


def test_without_a_schedule_nothing_is_planned() -> None:
    """No interval, or no window: no rows."""
    assert states(followed("2023-02-13 SD", schedule=Schedule())) == []
    assert states(conclude(baseline_scan())) == []


def test_the_interval_changes_from_a_day_on() -> None:
    """42, 84, 126, then 210, 294: the interval in force at a scan gives the next one."""
    assert planned(STEPPED)[:6] == (0, 42, 84, 126, 210, 294)
    assert [nearest_scan(STEPPED, day) for day in (20, 21, 167, 168, 251, 252)] == [0, 1, 3, 4, 4, 5]
    assert [gap_allowed(STEPPED, last) for last in (0, 42, 84, 126)] == [98, 98, 140, 182]
    assert gap_allowed(Schedule(), 0) is None


@pytest.mark.parametrize(("death", "status"), [("2023-08-14", "event"), ("2023-08-15", "censored")])
def test_missed_scans_go_by_the_schedule_in_force(death: str, status: str) -> None:
    """From the scan of day 84 on 42 + 84 + 2 * 7 = 140 days are allowed: to day 224, and not to day 225.

    With 42 days throughout 98 days would be the limit.
    """
    scans = "2023-02-13 SD\n2023-03-27 SD"
    dead = table("vital_status", f"death\n{death}")
    found = followed(scans, dead, schedule=STEPPED)
    assert one(found, "time_to_event", "status", endpoint="PFS", rule="table_a") == status
    plain = followed(scans, dead)
    assert one(plain, "time_to_event", "status", endpoint="PFS", rule="table_a") == "censored"
