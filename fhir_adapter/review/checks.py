"""Edit checks over the standing facts of subjects: mappings/checks.csv says which, and how much each lets pass.

A check that is broken is one dispute per subject, with every fact that breaks it, so that the queue does not flood; a
check never holds a fact: it asks. A partial date breaks a rule only if each of its days would.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.checks import STUDY_DRUGS, Check, Place
from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Protocol
from fhir_adapter.review import overdue, rules
from fhir_adapter.review.disputes import Dispute, Member
from fhir_adapter.review.kinds import BY_NAME, OVERDUE_KINDS

Frames = dict[str, pd.DataFrame]
Row = Any


class Sight(msgspec.Struct, frozen=True):
    """What a rule looks at: the facts of one subject by table, the check, and what the trial asks."""

    rows: dict[str, list[Row]]
    check: Check
    protocol: Protocol

    def of(self, table: str) -> list[Row]:
        """The subject's facts of a table, in key order."""
        return self.rows.get(table, [])

    def at(self, place: Place) -> list[Row]:
        """Those of a place whose column is filled and whose filter holds."""
        drugs = self.protocol.trial.study_drugs
        return [
            row for row in self.of(place.table) if not pd.isna(getattr(row, place.column))
            and (not place.name or getattr(row, place.name) == place.value
                 or (place.value == STUDY_DRUGS and getattr(row, place.name) in drugs))
        ]


Rule = Callable[[Sight], list[tuple[str, Row]]]
"""Gives the facts that break the check, with their tables; none: it holds."""


def broken(frames: Frames, checks: tuple[Check, ...], protocol: Protocol) -> Iterator[Dispute]:
    """One dispute for every subject and check that is broken; in order of check and subject.

    In: standing facts (`current` and `held`). A table that is not there has no rows. Raises UsageError for a row of
    mappings/checks.csv that names a rule, a kind or a column that there is not.
    """
    _known(checks, frames)
    by_subject: dict[str, dict[str, list[Row]]] = {}
    for table, frame in sorted(frames.items()):
        if not frame.empty:
            told: Iterable[Row] = frame.sort_values("fact_key").itertuples()
            for row in told:
                by_subject.setdefault(row.subject, {}).setdefault(table, []).append(row)
    for check in (one for one in checks if one.rule in RULES):
        for subject, rows in sorted(by_subject.items()):
            found = RULES[check.rule](Sight(rows, check, protocol))
            if found:
                yield _dispute(check, subject, found)


def _known(checks: tuple[Check, ...], frames: Frames) -> None:
    for check in checks:
        places = [one for one in (check.left, check.right) if one is not None]
        if check.rule not in (*RULES, *overdue.RULES) or check.kind not in BY_NAME \
                or (check.rule in overdue.RULES) != (check.kind in OVERDUE_KINDS):
            raise UsageError(f"mappings/checks.csv: {check.name}: no such rule or kind of conflict; "
                             f"rules are {', '.join(sorted((*RULES, *overdue.RULES)))}")
        for one in places:
            frame = frames.get(one.table)
            if frame is not None and not {one.column, one.name or one.column} <= set(frame.columns):
                raise UsageError(f"mappings/checks.csv: {check.name}: {one.table} has no such column")


def _dispute(check: Check, subject: str, found: list[tuple[str, Row]]) -> Dispute:
    members = tuple(sorted({Member(table, row.fact_key, row.hospital, row.resource, row.element)
                            for table, row in found}))
    scope = (check.name, *sorted({f"{one.resource}#{one.element}" for one in members}))
    return Dispute(kind=check.kind, scope=scope, subject=subject, members=members, holds=False,
                   values=tuple(sorted(one.fact_key for one in members)), message=check.message)


def _not_before(sight: Sight) -> list[tuple[str, Row]]:
    return _out_of_order(sight, later=True)


def _not_after(sight: Sight) -> list[tuple[str, Row]]:
    return _out_of_order(sight, later=False)


def _out_of_order(sight: Sight, *, later: bool) -> list[tuple[str, Row]]:
    """Dates that must not lie before (`later`) or after another date: of the same fact, or of any of the subject's."""
    left, right = sight.check.left, sight.check.right
    if left is None or right is None:
        return []
    slack = timedelta(days=int(sight.check.tolerance))
    within = left.table == right.table
    found: list[tuple[str, Row]] = []
    limits = [] if within else sight.at(right)
    for row in sight.at(left):
        others = ([row] if not pd.isna(getattr(row, right.column)) else []) if within else limits
        first, last = _days(getattr(row, left.column))
        wrong = [other for other in others if _breaks((first, last), _days(getattr(other, right.column)), slack, later)]
        if others and len(wrong) == len(others):  # any stated consent before the dose is a consent before the dose
            found += [(left.table, row), *((right.table, other) for other in wrong)]
    return found


def _breaks(mine: tuple[date, date], limit: tuple[date, date], slack: timedelta, later: bool) -> bool:
    return mine[1] + slack < limit[0] if later else mine[0] - slack > limit[1]


def _days(written: str) -> tuple[date, date]:
    known = PartialDate(text=written, written="")
    return known.earliest, known.latest


RULES: dict[str, Rule] = {"not_before": _not_before, "not_after": _not_after, **rules.ALL}
"""Every rule that a row may name, besides those of what is overdue (review/overdue.py)."""
