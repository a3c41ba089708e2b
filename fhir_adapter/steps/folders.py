"""Reading folders like hospitals: FHIR files of everyone in them, and signed sheets."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.windows import Coverage, Entry, Page
from fhir_adapter.domains.enrolment import Member as Named
from fhir_adapter.domains.enrolment import members as named_by
from fhir_adapter.domains.reading import target
from fhir_adapter.fhir.decode import Unreadable, decode
from fhir_adapter.steps import cohort
from fhir_adapter.steps.asking import lean_on
from fhir_adapter.steps.intake import Intake, patient_of
from fhir_adapter.store.records import Identity, Kept, Member
from fhir_adapter.wire import files, plan, sheets


def read_files(intake: Intake, folder: Path) -> None:
    """A folder of NDJSON, Bundles or resources, read more than once so that none of it need be held in memory.

    With the cohort `all` it is every Patient in it, numbered by ResearchSubject, else at random; a record whose subject
    is none of them is kept and quarantined when it is mapped: unresolved_subject. Else the cohort is found in the
    folder as it is at a server, and all other records are counted and left out.
    """
    chosen = None if intake.hospital.cohort.all else _cohort(intake, folder)
    if chosen is None:
        _name_everyone(intake, (entry for page in files.pages(folder) for entry in page.entries
                                if entry.type in ("Patient", "ResearchSubject")))
    patients = frozenset(intake.work.vault.members(intake.hospital.id)) if chosen is None else chosen.members
    types: set[str] = set()
    for page in files.pages(folder):
        if any(outcome.code == "id-from-content" for outcome in page.outcomes):
            intake.say("Records without id were given the SHA-256 of their bytes as id.")
        types |= {entry.type for entry in page.entries}
        if chosen is None:
            intake.page(page, [Kept(entry=entry, patient=_patient(entry, patients)) for entry in page.entries])
        else:
            chosen.take(intake, page)
        intake.told(f"{intake.hospital.id}: reading files", 0, 0)
    if chosen is not None:
        _leaned_on(intake, folder)
    _whole(intake, types)


class _Found(msgspec.Struct, frozen=True):
    """The cohort of a folder: its studies or groups, the enrolments in them, and the patients to keep."""

    naming: dict[tuple[str, str], str | None]
    members: frozenset[str]

    def take(self, intake: Intake, page: Page) -> None:
        """Keeps what is the cohort's of one page; Medications wait until it is known who refers to them."""
        clinical = {*plan.clinical_types(intake.hospital), "Patient"}
        kept: list[Kept] = []
        entries = tuple(entry for entry in page.entries if entry.type != "Medication")
        for entry in entries:
            patient = entry.id if entry.type == "Patient" else patient_of(entry, self.members)
            if (entry.type, entry.id) in self.naming:
                kept.append(Kept(entry=entry, patient=self.naming[entry.type, entry.id]))
            elif entry.type in clinical and patient in self.members:
                kept.append(Kept(entry=entry, patient=patient))
                lean_on(intake, entry)
        intake.page(msgspec.structs.replace(page, entries=entries), kept)


def _leaned_on(intake: Intake, folder: Path) -> None:
    """The Medications of the folder that kept drug records refer to."""
    for page in files.pages(folder):
        entries = tuple(entry for entry in page.entries if entry.type == "Medication")
        if entries:
            kept = [Kept(entry=entry) for entry in entries if entry.id in intake.leaning]
            intake.page(Page(url=page.url, entries=entries), kept)


def _cohort(intake: Intake, folder: Path) -> _Found:
    """Who takes part, by what the folder's own ResearchStudy and ResearchSubjects, Group or identifiers say.

    Raises:
        UsageError: the configured study, group or list names nobody in it.
    """
    hospital, way = intake.hospital, plan.only_cohort(intake.hospital)
    wanted = {"research_study": ("ResearchStudy", "ResearchSubject"), "group": ("Group",)}.get(way, ())
    entries = [entry for page in files.pages(folder) for entry in page.entries if entry.type in wanted]
    naming: dict[tuple[str, str], str | None] = {}
    if way == "identifiers":
        named = _listed(intake, folder)
    else:
        named, naming = (_enrolled if way == "research_study" else _grouped)(intake, entries)
    if not named:
        raise UsageError(f"{hospital.name}: the folder holds nobody of [cohort]; check research_study, group or list")
    named = cohort.permitted(intake, named)
    asked = {patient for patient, found in named.items() if found.ask}
    replaced: dict[str, str] = {}
    identifiers: set[str] = set()
    for page in files.pages(folder):
        for entry in page.entries:
            if entry.type != "Patient":
                continue
            survivor, values = cohort.links(hospital, entry)
            if entry.id in asked:
                intake.read.add(entry.id)
                identifiers |= values
            if survivor is not None:
                replaced[entry.id] = survivor
    replaced = {old: new for old, new in replaced.items() if old in asked or old in set(replaced.values())}
    found = cohort.settle_members(intake, named, replaced, identifiers)
    return _Found(naming, found.asked)


def _enrolled(intake: Intake, entries: list[Entry]) -> tuple[dict[str, Named], dict[tuple[str, str], str | None]]:
    """Members by the ResearchSubjects of the study, and the records that say so."""
    hospital, system = intake.hospital, intake.work.study.protocol.trial.subject_system
    question, known = plan.study(hospital), plan.study_id(hospital)
    token = question.parameters[0][1] if question is not None else None
    studies = {entry.id for entry in entries if entry.type == "ResearchStudy" and known in (None, entry.id)
               and cohort.is_study(hospital, entry, token)}
    naming: dict[tuple[str, str], str | None] = {("ResearchStudy", study): None for study in studies}
    named: dict[str, Named] = {}
    for entry in entries:
        if not cohort.is_of_study(hospital, entry, studies):
            continue
        found = cohort.member(hospital, entry, system)
        identity = target(found.person, "Patient", hospital.base_url) if found is not None else None
        if found is not None and identity is not None:
            named[identity[1]] = found
        naming[entry.type, entry.id] = identity[1] if identity is not None else None
    return named, naming


def _grouped(intake: Intake, entries: list[Entry]) -> tuple[dict[str, Named], dict[tuple[str, str], str | None]]:
    """Members of the Group."""
    hospital, named = intake.hospital, dict[str, Named]()
    naming: dict[tuple[str, str], str | None] = {}
    for entry in entries:
        if entry.id != plan.group_id(hospital):
            continue
        naming[entry.type, entry.id] = None
        try:
            group = decode("Group", entry.body, hospital.fhir_version)
        except Unreadable as error:
            raise UsageError(f"{hospital.name}: the Group of [cohort] cannot be used ({error.code})") from None
        for found in named_by(group, hospital.fhir_version, ""):
            identity = target(found.person, "Patient", hospital.base_url)
            if identity is not None:
                named[identity[1]] = found
    return named, naming


def _listed(intake: Intake, folder: Path) -> dict[str, Named]:
    """Members by business identifier."""
    rows, named = cohort.listed(intake), dict[str, Named]()
    for page in files.pages(folder):
        for entry in page.entries:
            mine = cohort.identifiers_of(intake.hospital, entry) & set(rows) if entry.type == "Patient" else set()
            if mine:
                named[entry.id] = cohort.named_as(entry.id, rows[sorted(mine)[0]])
    return named


def _patient(entry: Entry, patients: frozenset[str]) -> str | None:
    """Whose record it is: the Patient itself, or the first subject that is in the folder; None: nobody's."""
    if entry.type == "Patient":
        return entry.id
    found = (subject.removeprefix("Patient/") for subject in entry.subjects)
    return next((patient for patient in found if patient in patients), None)


def _name_everyone(intake: Intake, found: Iterable[Entry]) -> None:
    """Members and identities of a folder: trial numbers of its ResearchSubjects, random ones for the others."""
    entries = list(found)
    vault, hospital, now = intake.work.vault, intake.hospital, intake.work.clock()
    named = {entry.id for entry in entries if entry.type == "Patient" and entry.id}
    everyone = sorted(named - vault.erased(hospital.id, list(named)))
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
