"""Waiting: what is overdue of whom, as conflicts; found for everybody at once, after the conclusions it counts by.

Whose scan is overdue depends on how far the hospital has got, so a record of one subject can make another's overdue.
"""

from collections.abc import Collection, Iterable
from datetime import date
from typing import Any

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.review.disputes import Dispute, Member
from fhir_adapter.review.kinds import OVERDUE_KINDS
from fhir_adapter.review.overdue import as_of, overdue
from fhir_adapter.review.settling import Conflict, judged
from fhir_adapter.steps.workspace import Workspace

_CONCLUSIONS = ("alive_evidence", "assessment_compliance", "population")
_FACTS = ("disposition", "vital_status")


def overdue_conflicts(work: Workspace, decisions: Iterable[Decision],
                      subjects: Collection[str] | None = None) -> list[Conflict]:
    """The conflicts about what is overdue of these subjects (None: of all), with what was decided about them."""
    checks = [one for one in work.study.checks if one.kind in OVERDUE_KINDS]
    if not checks:
        return []
    people: dict[str, list[tuple[str, str]]] = {}
    for one in work.vault.identities():
        if subjects is None or one.subject in subjects:
            key = work.vault.key(one.hospital, "Patient", one.patient)
            people.setdefault(one.subject, []).append((one.hospital, key))
    frames = work.trial.frames(_CONCLUSIONS, subjects) | work.trial.frames(_FACTS, subjects, ("current", "held"))
    known = hospital_days(work)
    days = {subject: [known[hospital] for hospital, _ in records if hospital in known]
            for subject, records in people.items()}
    found = overdue(frames, checks, {subject: max(some) for subject, some in days.items() if some})
    return judged([_dispute(one, people[one.subject]) for one in found], decisions)


def hospital_days(work: Workspace) -> dict[str, date]:
    """How far each hospital has got (review/overdue.py), by the conclusions as they are written now."""
    subjects: dict[str, list[str]] = {}
    for one in work.vault.identities():
        subjects.setdefault(one.hospital, []).append(one.subject)
    return as_of(work.trial.frames(("alive_evidence",))["alive_evidence"], subjects)


def _dispute(one: Any, records: list[tuple[str, str]]) -> Dispute:
    members = tuple(sorted(Member("", "", hospital, key, "") for hospital, key in records))
    return Dispute(kind=one.check.kind, scope=(one.check.name, *(member.resource for member in members)),
                   subject=one.subject, members=members, values=one.values, message=one.message, holds=False)
