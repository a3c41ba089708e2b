"""Reading folders like hospitals: FHIR files of everyone in them, and signed sheets."""

from collections.abc import Iterable
from pathlib import Path

from fhir_adapter.core.windows import Coverage, Entry, Page
from fhir_adapter.domains.enrolment import members as named_by
from fhir_adapter.fhir.decode import Unreadable, decode
from fhir_adapter.steps.intake import Intake
from fhir_adapter.store.records import Identity, Kept, Member
from fhir_adapter.wire import files, sheets


def read_files(intake: Intake, folder: Path) -> None:
    """A folder of NDJSON, Bundles or resources: the cohort is every Patient in it, numbered by ResearchSubject, else at
    random. A record whose subject is none of them is kept and quarantined when it is mapped: unresolved_subject.
    """
    pages = list(files.pages(folder))
    entries = [entry for page in pages for entry in page.entries]
    _name_everyone(intake, entries)
    patients = frozenset(intake.work.vault.members(intake.hospital.id))
    for done, page in enumerate(pages):
        if any(outcome.code == "id-from-content" for outcome in page.outcomes):
            said = "Records without id were given the SHA-256 of their bytes as id."
            intake.messages += [said] if said not in intake.messages else []
        intake.page(page, [Kept(entry=entry, patient=_patient(entry, patients)) for entry in page.entries])
        intake.told(f"{intake.hospital.id}: reading files", done + 1, len(pages))
    _whole(intake, {entry.type for entry in entries})


def _patient(entry: Entry, patients: frozenset[str]) -> str | None:
    """Whose record it is: the Patient itself, or the first subject that is in the folder; None: nobody's."""
    if entry.type == "Patient":
        return entry.id
    found = (subject.removeprefix("Patient/") for subject in entry.subjects)
    return next((patient for patient in found if patient in patients), None)


def _name_everyone(intake: Intake, entries: Iterable[Entry]) -> None:
    """Members and identities of a folder: trial numbers of its ResearchSubjects, random ones for the others."""
    vault, hospital, now = intake.work.vault, intake.hospital, intake.work.clock()
    everyone = sorted({entry.id for entry in entries if entry.type == "Patient" and entry.id})
    vault.set_members(intake.lease, hospital.id, [Member(patient=one, source="files") for one in everyone], now)
    numbers: dict[str, str] = {}
    for entry in entries:
        if entry.type == "ResearchSubject":
            numbers |= _numbers(intake, entry)
    known = {one.patient for one in vault.identities(hospital.id)}
    vault.assign(intake.lease, [
        Identity(hospital=hospital.id, patient=patient, subject=number, basis="trial number")
        for patient, number in sorted(numbers.items()) if patient in everyone and patient not in known
    ], now)
    for patient in everyone:
        vault.assign_random(intake.lease, hospital.id, patient, intake.work.random, now)


def _numbers(intake: Intake, entry: Entry) -> dict[str, str]:
    version = intake.hospital.fhir_version
    try:
        subject = decode("ResearchSubject", entry.body, version)
    except Unreadable:
        return {}
    named = named_by(subject, version, intake.work.study.protocol.trial.subject_system)
    return {
        (one.person.reference or "").rsplit("/", 1)[-1]: one.number for one in named if one.number
    }


def read_sheets(intake: Intake, folder: Path) -> None:
    """The signed sheets of a folder, whole each time; a row that is gone from its sheet is deleted."""
    vault, hospital = intake.work.vault, intake.hospital.id
    found: set[str] = set()
    for page in sheets.pages(folder):
        found |= {entry.id for entry in page.entries}
        intake.page(page, [Kept(entry=entry) for entry in page.entries])
    gone = tuple(Entry(type="Sheet", id=one, deleted=True) for one in vault.ids(hospital, "Sheet") if one not in found)
    if gone:
        intake.page(Page(url="", entries=gone), [Kept(entry=entry) for entry in gone])
    _whole(intake, {"Sheet"})


def _whole(intake: Intake, types: set[str]) -> None:
    """A folder is read whole or not at all."""
    now = intake.work.clock()
    rows = [Coverage(type=one, patient="*", mode="full_reread", whole_as_of=now) for one in sorted(types)]
    if rows and intake.code == 0:
        intake.work.vault.set_coverage(intake.lease, intake.hospital.id, rows, now)
