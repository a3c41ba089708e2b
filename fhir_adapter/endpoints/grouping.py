"""Scans that belong together: one time point of one evaluator.

1. Scans with the same visit belong together; a visit name used again far away is another time point.
2. Scans without a visit go with a time point that spans their day or stands in the same scheduled window.
3. The others belong together within `timepoint_days` of the first, but never across two scheduled windows, nor across
   the first study treatment.
A lesion (or an overall response) judged on two days of such a group makes the grouping ambiguous: a doubt; meanwhile
there is one time point for each scheduled interval. Source: endpoints.md §0.1.
"""

from collections import defaultdict
from collections.abc import Iterable

import msgspec

from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import Ground, Row, Trial, day, first_day, ground, last_day
from fhir_adapter.endpoints.schedule import nearest_scan, planned

OVERALL = "overall"
"""Stands among a scan's lesions for a stated overall response."""

Series = tuple[str, str]
"""Subject and evaluator."""


class Scan(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One statement about one scan: its days, its visit if stated, what it judges."""

    subject: str
    evaluator: str
    first: int
    last: int
    visit: str | None
    judges: str | None
    stated_baseline: bool
    imputed: bool = False
    ground: Ground


class Group(msgspec.Struct, kw_only=True, gc=False):
    """Scans of one time point; `refs` names the facts that belong to it."""

    first: int
    last: int
    visit: str | None
    grouping: str
    window: int | None = None
    judged: dict[str, int] = {}
    stated_baseline: bool = False
    ambiguous: bool = False
    imputed: bool = False
    ground: Ground = Ground()

    def add(self, scan: Scan) -> None:
        """Take a scan in."""
        self.first, self.last = min(self.first, scan.first), max(self.last, scan.last)
        self.stated_baseline = self.stated_baseline or scan.stated_baseline
        self.ground = self.ground | scan.ground
        if scan.judges is not None:
            self.judged.setdefault(scan.judges, scan.first)

    def repeats(self, scan: Scan) -> bool:
        """Whether the scan judges on another day what this group has judged already."""
        return scan.judges is not None and self.judged.get(scan.judges, scan.first) != scan.first


class Plan(msgspec.Struct, frozen=True):
    """Where scans are due: the day the schedule counts from, the first study treatment, and the protocol."""

    start: int | None
    treated: int | None
    protocol: Protocol

    def window(self, number: int) -> int | None:
        """The scheduled scan in whose window a day lies; None outside every window, and before treatment."""
        nearest, window = self.interval(number), self.protocol.schedule.window_days
        if not nearest or self.start is None or window is None:
            return None
        due = planned(self.protocol.schedule)[nearest]
        return nearest if abs(number - self.start - due) <= window else None

    def interval(self, number: int) -> int | None:
        """The number of the scheduled scan that is nearest to a day; None before treatment or without a schedule."""
        if self.start is None or self.protocol.schedule.interval_days is None or number <= self.start:
            return None
        return nearest_scan(self.protocol.schedule, number - self.start)

    def same_interval(self, one: int, other: int) -> bool:
        """Whether two days are nearest to the same scheduled scan."""
        return self.interval(one) is not None and self.interval(one) == self.interval(other)

    def same_side(self, one: int, other: int) -> bool:
        """Whether two days are both up to the start of treatment or both after it."""
        return self.treated is None or (one <= self.treated) == (other <= self.treated)


def scans(trial: Trial) -> dict[Series, list[Scan]]:
    """Every statement that names a scan day, by series and day; statements without a full day are left out.

    A stated progression that is known only to the month or year counts from the first day it can be (§0.15).
    """
    found: dict[Series, list[Scan]] = defaultdict(list)
    for row in trial.rows("tumor_assessment"):
        _take(found, "tumor_assessment", row, (row.start_date, row.end_date), None)
    for row in trial.rows("lesion_measurement"):
        _take(found, "lesion_measurement", row, (row.date, None), row.lesion)
    partial = []
    for row in trial.rows("response_assessment"):
        if row.category == OVERALL and row.value == "PD" and row.date and day(row.date) is None:
            partial.append(row)
        elif row.category != "best_overall":
            _take(found, "response_assessment", row, (row.date, row.end_date),
                  OVERALL if row.category == OVERALL else None)
    for row in partial:
        series = (row.subject, row.evaluator)
        begins = _first_possible(row.date, found[series])
        found[series].append(_scan("response_assessment", row, (begins, begins), OVERALL, imputed=True))
    return {series: sorted(some, key=_order) for series, some in sorted(found.items())}


def _take(found: dict[Series, list[Scan]], table: str, row: Row, dates: tuple[str | None, str | None],
          judges: str | None) -> None:
    begins, ends = day(dates[0]), day(dates[1])
    if begins is not None:
        found[row.subject, row.evaluator].append(_scan(table, row, (begins, max(begins, ends or begins)), judges))


def _scan(table: str, row: Row, days: tuple[int, int], judges: str | None, *, imputed: bool = False) -> Scan:
    return Scan(
        subject=row.subject, evaluator=row.evaluator, first=days[0], last=days[1], visit=row.visit or None,
        judges=judges, stated_baseline=bool(getattr(row, "stated_baseline", False)), imputed=imputed,
        ground=ground(table, row),
    )


def _first_possible(partial: str, others: list[Scan]) -> int:
    """The first day that a progression known to the month or year can be: after the last other scan before it."""
    begins, ends = first_day(partial) or 0, last_day(partial) or 0
    before = [scan.last for scan in others if scan.first <= ends]
    return min(ends, max([begins, *(number + 1 for number in before)]))


def _order(scan: Scan) -> tuple[int, int, str, list[str]]:
    return scan.first, scan.last, scan.visit or "", sorted(scan.ground.refs)


def groups(series: list[Scan], plan: Plan) -> list[Group]:
    """The time points of one series in time order."""
    labelled = [scan for scan in series if scan.visit]
    found = _by_visit(labelled, plan)
    rest: list[Scan] = []
    for scan in series:
        if not scan.visit and not _into(found, scan, plan):
            rest.append(scan)
    found.extend(_by_days(rest, plan))
    return sorted(found, key=lambda group: (group.first, group.last, group.visit or ""))


def _by_visit(labelled: list[Scan], plan: Plan) -> list[Group]:
    latest: dict[str, Group] = {}
    found: list[Group] = []
    for scan in labelled:
        group = latest.get(scan.visit or "")
        far = group is not None and scan.first - group.last > plan.protocol.response.timepoint_days
        if group is None or (far and not plan.same_interval(group.first, scan.first)):
            group = _new(scan, plan, "visit")
            latest[scan.visit or ""] = group
            found.append(group)
        elif far:
            group.ambiguous = True
        group.add(scan)
    return found


def _into(found: list[Group], scan: Scan, plan: Plan) -> bool:
    """Put a scan without a visit into the visit that spans its day or stands in its window."""
    window = None if scan.imputed else plan.window(scan.first)
    spanning = [group for group in found if group.first <= scan.first <= group.last]
    windowed = [group for group in found if window is not None and group.window == window]
    if not spanning and not windowed:
        return False
    group = (spanning or windowed)[0]
    if group.repeats(scan) and not spanning:
        return False
    group.add(scan)
    return True


def _by_days(rest: list[Scan], plan: Plan) -> list[Group]:
    found: list[Group] = []
    for scan in rest:
        group = found[-1] if found else None
        if group is None or not _joins(group, scan, plan):
            group = _new(scan, plan, "days")
            found.append(group)
        group.add(scan)
        if group.window is None:
            group.window = plan.window(scan.first)
        group.grouping = "days" if group.window is None else "window"
    return found


def _joins(group: Group, scan: Scan, plan: Plan) -> bool:
    """Whether the next scan belongs to the group before it; marks the group when that is open."""
    window = plan.window(scan.first)
    if scan.imputed or not plan.same_side(group.first, scan.first):
        return False
    if None not in (window, group.window) and window != group.window:
        return False
    same_window = window is not None and window == group.window
    near = scan.first - group.first <= plan.protocol.response.timepoint_days
    if not near and not same_window:
        return scan.first <= group.last
    if not group.repeats(scan):
        return True
    joined = same_window or (window is None and group.window is None)
    group.ambiguous = True
    return joined


def _new(scan: Scan, plan: Plan, grouping: str) -> Group:
    return Group(first=scan.first, last=scan.last, visit=scan.visit, grouping=grouping, judged={},
                 window=plan.window(scan.first))


def ambiguous(series: Series, found: Iterable[Group]) -> list[Doubt]:
    """A doubt for each time point whose scans may belong to two."""
    return [
        Doubt(
            kind="ambiguous_time_point", subject=series[0], ground=group.ground,
            message="scans that may belong to one time point or to two", values=(series[1],),
        )
        for group in found
        if group.ambiguous
    ]
