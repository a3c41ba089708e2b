"""When tumour assessments are due, and from which gap on two of them were missed.

Scans are due every `interval_days` from the start; a step changes the interval from its day on. Two scans are missed
when the gap after the last adequate one exceeds the next two intervals in force and two windows, which is
2 * (interval + window) where nothing changes. Source: endpoints.md §6, §0.14, §14 `[schedule]`.
"""

from bisect import bisect_left
from functools import lru_cache

from fhir_adapter.core.protocol import Schedule

HORIZON = 366 * 20
"""Days after the start up to which scans are planned."""


def planned(schedule: Schedule) -> tuple[int, ...]:
    """Days after the start on which scans are due, the start itself (0) first; only that without a schedule."""
    return _planned(schedule.interval_days, schedule.steps)


@lru_cache(maxsize=64)
def _planned(interval: int | None, steps: tuple[tuple[int, int], ...]) -> tuple[int, ...]:
    schedule = Schedule(interval_days=interval, steps=steps)
    found = [0]
    while interval is not None and found[-1] < HORIZON:
        found.append(found[-1] + (schedule.interval(found[-1]) or HORIZON))
    return tuple(found)


def nearest_scan(schedule: Schedule, after: int) -> int:
    """The number of the scan that is due nearest to a day after the start; halfway between two, the later."""
    due = planned(schedule)
    place = min(bisect_left(due, after), len(due) - 1)
    return place if place == 0 or 2 * after >= due[place - 1] + due[place] else place - 1


def gap_allowed(schedule: Schedule, last: int) -> int | None:
    """The longest gap after an adequate scan so many days after the start that misses fewer than two scans."""
    one = schedule.interval(last)
    if one is None or schedule.window_days is None:
        return None
    return one + (schedule.interval(last + one) or one) + 2 * schedule.window_days
