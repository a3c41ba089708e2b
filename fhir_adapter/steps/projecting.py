"""What the trial database repeats for its readers: sites, subjects, the plan, runs, decisions, completeness."""

import json
from collections.abc import Collection
from datetime import datetime
from typing import Any

from fhir_adapter.core.runs import CompletenessRow
from fhir_adapter.core.study import Hospital
from fhir_adapter.core.windows import Coverage
from fhir_adapter.steps.pulling import EVERYTHING
from fhir_adapter.steps.vanishing import HISTORY
from fhir_adapter.steps.worklist import refresh
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Lease

PLANNED = 43
"""Planned assessments that are written down: 60 months of the shortest usual interval (42 days)."""


def project(work: Workspace, lease: Lease, *, queue: bool = True) -> None:
    """Brings the projections up to date; rows that are the same already stay untouched.

    Without `queue` (in a cut) nothing is noticed of conflicts: they are not work to be done.
    """
    later = work.trial.projected()
    work.trial.project(lease, {
        "site": [_site(one) for one in work.study.hospitals.values()],
        "subject": _subjects(work),
        "arm": [{"arm": work.study.protocol.trial.arm, "title": work.study.protocol.trial.title}],
        "planned_assessment": _plan(work),
        "cut": work.vault.cuts(),
        "completeness": completeness(work),
        "decision": work.vault.decisions(later["decision"]),
        "run": work.vault.runs(50),
        "audit_entry": work.vault.audit_entries(later["audit_entry"]),
    })
    if queue:
        refresh(work, lease)


def project_decided(work: Workspace, lease: Lease, subjects: Collection[str]) -> None:
    """The same for what a decision about some subjects has changed, and no more."""
    later = work.trial.projected()
    work.trial.project(lease, {"decision": work.vault.decisions(later["decision"]),
                               "audit_entry": work.vault.audit_entries(later["audit_entry"])})
    refresh(work, lease, subjects)


def completeness(work: Workspace) -> list[CompletenessRow]:
    """Hospital x type: whole as of the patient read longest ago, open since the first gap, declared gaps named."""
    rows: list[CompletenessRow] = []
    for hospital in sorted(work.study.hospitals.values(), key=lambda one: one.id):
        grouped: dict[str, list[Coverage]] = {}
        for row in work.vault.coverage(hospital.id).values():
            # Of the hospital as a whole, and of its histories, only gaps are told.
            if row.open_since is not None or not (row.type.endswith(HISTORY) or row.type == EVERYTHING):
                grouped.setdefault(row.type, []).append(row)
        rows += [_row(hospital, type, found) for type, found in sorted(grouped.items())]
        rows += [_declared(hospital, type) for type, settings in sorted(hospital.types.items())
                 if settings.unavailable is not None]
    return rows


def _row(hospital: Hospital, type: str, found: list[Coverage]) -> CompletenessRow:
    gaps = [one.open_since for one in found if one.open_since is not None]
    whole = [one.whole_as_of for one in found]
    modes = {one.mode for one in found}
    return CompletenessRow(
        hospital=hospital.id, type=type, mode="last_updated" if "last_updated" in modes else sorted(modes)[0],
        whole_as_of=None if None in whole else _text(min(one for one in whole if one is not None)),
        open_since=_text(min(gaps)) if gaps else None,
    )


def _declared(hospital: Hospital, type: str) -> CompletenessRow:
    gap = hospital.types[type].unavailable
    reason = f"since {gap.since.isoformat()}: {gap.reason} (signed by {gap.signed_by})" if gap is not None else ""
    return CompletenessRow(hospital=hospital.id, type=type, mode="unavailable", whole_as_of=None, open_since=None,
                           declared_gap=reason)


def _text(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _site(hospital: Hospital) -> dict[str, Any]:
    return {"hospital": hospital.id, "name": hospital.name, "mode": hospital.pull.mode,
            "fhir_version": hospital.fhir_version}


def _subjects(work: Workspace) -> list[dict[str, Any]]:
    hospitals: dict[str, set[str]] = {}
    states: dict[str, str] = {}
    members = {one: work.vault.members(one) for one in work.study.hospitals}
    for one in work.vault.identities():
        hospitals.setdefault(one.subject, set()).add(one.hospital)
        member = members.get(one.hospital, {}).get(one.patient)
        if member is not None and member.state:
            states[one.subject] = member.state
    return [{"subject": subject, "hospitals": json.dumps(sorted(known)), "state": states.get(subject)}
            for subject, known in sorted(hospitals.items())]


def _plan(work: Workspace) -> list[dict[str, Any]]:
    """The planned scans by study day: every interval in force, from day 1 of treatment."""
    schedule = work.study.protocol.schedule
    if schedule.interval_days is None:
        return []
    rows, day = [], 0
    for number in range(1, PLANNED + 1):
        day += schedule.interval(day) or 0
        window = schedule.window_days or 0
        rows.append({"arm": work.study.protocol.trial.arm, "number": number, "day": day, "early": window,
                     "late": window})
    return rows
