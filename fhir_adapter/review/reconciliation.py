"""Reconciliation: the sponsor's list of serious adverse events against the adverse events that hospitals report.

Two statements tell of one event when their terms are the same and their onsets are the same day, or lie within
`ONSET_DAYS` of each other and no other event of that term is nearer. What is left over on either side, and what two
statements of one event say differently (onset, seriousness, outcome), is a dispute.
"""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pandas as pd

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.review.disputes import Dispute, Member, scope_of

Frames = dict[str, pd.DataFrame]

ONSET_DAYS = 7
"""How far two onsets of one event may lie apart: safety databases often have the day of hospitalisation."""


def reconcile(frames: Frames) -> Iterator[Dispute]:
    """Every difference between the safety list and the hospitals' adverse events of the subjects in the frames."""
    reports, events = frames.get("safety_report"), frames.get("adverse_event")
    if reports is None or reports.empty:
        return
    mine = [] if events is None else list(events.sort_values("fact_key").itertuples())
    for report in reports.sort_values("fact_key").itertuples():
        near = sorted((gap, event.fact_key, event) for event in mine if (gap := _gap(report, event)) is not None)
        if not near:
            yield _dispute("serious_event_not_reported", [_member("safety_report", report)], report, (),
                           "The safety database has an event that no hospital reports.")
            continue
        event: Any = near[0][2]
        differing = [name for name in ("onset", "serious", "outcome") if _differ(report, event, name)]
        if differing:
            members = [_member("safety_report", report), _member("adverse_event", event)]
            values = tuple(f"{name}: {_text(getattr(report, name))} / {_text(getattr(event, name))}"
                           for name in differing)
            yield _dispute("safety_report_differs", members, report, values,
                           f"The safety database and the hospital disagree about {', '.join(differing)}.")


def _gap(report: Any, event: Any) -> int | None:
    """Days between two onsets of one term; None when they cannot be one event."""
    known = _text(report.term) or _text(report.term_text)
    if not known or known.casefold() not in {_text(event.term).casefold(), _text(event.term_text).casefold()}:
        return None
    mine, theirs = _days(report.onset), _days(event.onset)
    if mine is None or theirs is None:
        return ONSET_DAYS
    apart = max(0, (mine[0] - theirs[1]).days, (theirs[0] - mine[1]).days)
    return apart if apart <= ONSET_DAYS else None


def _differ(report: Any, event: Any, name: str) -> bool:
    """Both say something, and not the same; a date known to the month holds any of its days."""
    mine, theirs = getattr(report, name), getattr(event, name)
    if pd.isna(mine) or pd.isna(theirs):
        return False
    if name == "onset":
        days, others = _days(mine), _days(theirs)
        return days is not None and others is not None and (days[0] > others[1] or others[0] > days[1])
    return bool(mine != theirs)


def _days(written: Any) -> tuple[date, date] | None:
    if pd.isna(written):
        return None
    known = PartialDate(text=written, written="")
    return known.earliest, known.latest


def _member(table: str, row: Any) -> Member:
    return Member(table, row.fact_key, row.hospital, row.resource, row.element)


def _dispute(kind: str, members: list[Member], report: Any, values: tuple[str, ...], message: str) -> Dispute:
    return Dispute(kind=kind, scope=scope_of(members), subject=report.subject, members=tuple(sorted(members)),
                   values=values or (_text(report.term) or _text(report.term_text), _text(report.onset)),
                   message=message, holds=False)


def _text(value: Any) -> str:
    return "" if pd.isna(value) else str(value)
