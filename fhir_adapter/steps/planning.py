"""What will be asked of a hospital and why, without asking it; and where a connection fails, step by step."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from urllib.parse import unquote

import msgspec

from fhir_adapter.core.errors import INCOMPLETE, LEASE_HELD, UNAVAILABLE, WHOLE, LeaseHeld, UsageError
from fhir_adapter.core.study import Hospital
from fhir_adapter.core.windows import Question
from fhir_adapter.steps import exporting, remembering
from fhir_adapter.steps.leases import PullLeases
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.wire import plan, search
from fhir_adapter.wire.connection import Connection, joined
from fhir_adapter.wire.examination import Finding, examine

UNKNOWN = "<the cohort>"
"""Stands for the patients before the first pull has found them."""


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One question that will be asked (or will not: an empty `words`), how changes are found, and why it is so."""

    type: str
    words: str
    mode: str
    reason: str


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """The findings about one hospital, and the exit code that they come to."""

    hospital: str
    findings: tuple[Finding, ...]
    code: int


def plan_hospital(work: Workspace, name: str) -> list[Planned]:
    """Every question of the next pull with its reason; /metadata and a token are fetched, and nothing else.

    Patients are counted, never named. The evidence: what the server lists, what its token allows, what it refused
    before, how far the last answers reached, and the hospital's file. Raises LeaseHeld while another run asks it: one
    process at a time does, so that rate and concurrency are the hospital's, not each process's.
    """
    hospital = _hospital(work, name)
    if hospital.pull.mode in ("files", "sheet"):
        return [Planned(type="*", words=hospital.pull.path or "", mode="full_reread", reason="a folder is read whole")]
    until = remembering.paused_until(work, hospital)
    if until is not None:
        said = f"left alone until {until:%Y-%m-%d %H:%M %Z}; nothing is asked before, not even what it offers"
        return [Planned(type="*", words="", mode="", reason=said)]
    with PullLeases(work, [name]) as leases:
        leases.of(name)
        with joined(hospital, remembering.means(work), remembering.learned(work, hospital)) as connection:
            return [*_cohort(connection), *_clinical(work, connection), *_rest(connection)]


def _hospital(work: Workspace, name: str) -> Hospital:
    if name not in work.study.hospitals:
        raise UsageError(f"{name}: no such hospital; the study has {', '.join(sorted(work.study.hospitals))}.")
    return work.study.hospitals[name]


def _cohort(connection: Connection) -> list[Planned]:
    hospital = connection.hospital
    way = plan.only_cohort(hospital)
    rows: list[Question] = []
    if way == "research_study":
        found = plan.study(hospital)
        rows = [found] if found is not None else []
        rows += plan.enrolment([plan.study_id(hospital) or "<the study's id>"])
    elif way == "all":
        rows = [plan.everyone()]
    planned = [_planned(connection, one) for one in rows]
    if way == "group":
        planned.append(Planned(type="Group", words="Group/<the group's id>", mode="full_reread", reason="the cohort"))
    if way == "identifiers":
        planned.append(Planned(type="Patient", words="Patient?identifier=<20 of the list>", mode="full_reread",
                               reason="the cohort's list of identifiers"))
    planned.append(Planned(type="Patient", words="Patient/<each member>", mode="full_reread",
                           reason="read by id each time: a merge shows only there"))
    return planned


def _clinical(work: Workspace, connection: Connection) -> list[Planned]:
    hospital = connection.hospital
    members = frozenset(work.vault.members(hospital.id))
    patients = members or frozenset({UNKNOWN})
    rows: list[Planned] = []
    searched: Iterable[str] = plan.clinical_types(hospital)
    if hospital.pull.mode == "bulk":
        order = exporting.order(work, hospital, patients)
        brought = set(work.vault.lessons(hospital.id, "exported"))
        since = "changes since the last whole export" if order.since else "in full: a patient or type has none yet"
        words = "&".join(f"{name}={value}" for name, value in order.address)
        rows.append(Planned(type="*", words=f"{order.level or 'system'}/$export?{words}", mode="export", reason=since))
        searched = [type for type in searched if type not in plan.exported_types(hospital) or type not in brought]
    coverage = work.vault.coverage(hospital.id).values()
    questions = plan.clinical(hospital, connection.capability, patients, coverage, searched)
    rows += [_planned(connection, one, after_export=hospital.pull.mode == "bulk") for one in questions]
    for name, settings in sorted(hospital.types.items()):
        if settings.unavailable is not None:
            rows.append(Planned(type=name, words="", mode="", reason=f"declared unavailable since "
                                f"{settings.unavailable.since}: {settings.unavailable.reason}"))
    return rows


def _planned(connection: Connection, question: Question, *, after_export: bool = False) -> Planned:
    """A question in the words in which it will be asked; patients counted."""
    name = plan.patient_parameter(question.type)
    count = len(question.patients)
    who = (f"<{connection.hospital.pull.patients_per_question} patients of the cohort at a time>"
           if question.patients == (UNKNOWN,) else f"<{count} patient{'s' if count > 1 else ''}>")
    masked = tuple((key, who if key == name and question.patients else value) for key, value in question.parameters)
    words = unquote(search.words(connection, msgspec.structs.replace(question, parameters=masked)))
    why = [question.reason]
    habits = connection.learned.get(question.type, set())
    if habits:
        why.append(f"learned before: {', '.join(sorted(habits))}")
    if question.type not in connection.capability.types:
        why.append("not listed by the server, asked nevertheless")
    if connection.granted is not None and not covers(connection.granted, question.type):
        why.append("the token's scopes do not name it")
    if after_export:
        why.append("an export has not brought it yet")
    return Planned(type=question.type, words=words.removeprefix(connection.address("")), mode=question.mode,
                   reason="; ".join(why))


def _rest(connection: Connection) -> list[Planned]:
    hospital = connection.hospital
    rows = [Planned(type="Medication", words="Medication/<each that a kept record refers to>", mode="full_reread",
                    reason="drugs often stand in records of their own")]
    types = [type for type in ("ResearchSubject", "Patient", *plan.clinical_types(hospital))
             if type not in connection.capability.types or connection.capability.of(type).has_history]
    rows += [Planned(type=type, words=f"{type}/_history?_since=<the last time>", mode="last_updated",
                     reason="deletes stand in the history alone") for type in types]
    if hospital.pull.reread:
        rows.append(Planned(type="*", words="<every known record by id>", mode="full_reread",
                            reason=f"every {hospital.pull.reread.days} days: what is gone or no longer visible"))
    return rows


def covers(granted: str, type: str) -> bool:
    """Whether scopes (SMART v1 `system/Observation.read`, v2 `system/Observation.rs`) let a type be searched."""
    for scope in granted.split():
        kind, _, right = scope.rpartition("/")[2].partition(".")
        if kind in ("*", type) and (right in ("read", "*") or "s" in right.split("?")[0]):
            return True
    return False


def examine_hospitals(work: Workspace, names: Sequence[str]) -> list[Examined]:
    """Examines the named hospitals, or all; what stands before the first question makes a hospital unavailable."""
    chosen = [_hospital(work, name) for name in names] or sorted(work.study.hospitals.values(), key=lambda one: one.id)
    found = []
    for hospital in chosen:
        found.append(_examined(work, hospital))
    return found


def _examined(work: Workspace, hospital: Hospital) -> Examined:
    """One hospital, unless it is to be left alone or another run is asking it."""
    if hospital.pull.mode in ("files", "sheet"):
        finding = _folder(work.study.folder / "sync" / (hospital.pull.path or ""))
        return Examined(hospital=hospital.id, findings=(finding,), code=WHOLE if finding.is_well else UNAVAILABLE)
    until = remembering.paused_until(work, hospital)
    if until is not None:
        finding = Finding(step="turn", is_well=False, seen=f"to be left alone until {until:%Y-%m-%d %H:%M %Z}",
                          remedy="nothing was asked; wait, or change quiet_hours in its file")
        return Examined(hospital=hospital.id, findings=(finding,), code=INCOMPLETE)
    with PullLeases(work, [hospital.id]) as leases:
        try:
            leases.of(hospital.id)
        except LeaseHeld:
            finding = Finding(step="turn", is_well=False, seen="another run is asking it",
                              remedy="nothing was asked; wait until that run has ended (`fhir-adapter status`)")
            return Examined(hospital=hospital.id, findings=(finding,), code=LEASE_HELD)
        members = sorted(work.vault.members(hospital.id))
        findings = tuple(examine(hospital, remembering.means(work), members[0] if members else None))
    is_reached = any(one.step == "metadata" and one.is_well for one in findings)
    is_well = all(one.is_well for one in findings)
    return Examined(hospital=hospital.id, findings=findings,
                    code=WHOLE if is_well else INCOMPLETE if is_reached else UNAVAILABLE)


def _folder(path: Path) -> Finding:
    well = path.is_dir() and any(path.iterdir())
    return Finding(step="folder", is_well=well, seen=path.name,
                   remedy="" if well else "put the files there, or mend pull.path in the hospital's file")


def paused_lines(work: Workspace) -> list[str]:
    """Which hospitals are left alone, and until when; for the status."""
    found: list[tuple[Hospital, datetime]] = []
    for hospital in sorted(work.study.hospitals.values(), key=lambda one: one.id):
        until = remembering.paused_until(work, hospital)
        if until is not None:
            found.append((hospital, until))
    return [f"{hospital.id} is left alone, paused until {until:%Y-%m-%d %H:%M %Z}." for hospital, until in found]
