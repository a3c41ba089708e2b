"""Who is asked for: the study's ResearchSubjects, a Group, a list, or everyone; and which subjects they are."""

import csv
from collections.abc import Iterator
from datetime import datetime

import msgspec

from fhir_adapter.core.errors import AdapterError, HospitalUnavailable, UsageError
from fhir_adapter.core.study import Hospital
from fhir_adapter.core.windows import Coverage, Entry, Gap, Page, WindowState
from fhir_adapter.domains.enrolment import Member as Named
from fhir_adapter.domains.enrolment import members as named_by
from fhir_adapter.domains.enrolment import survivors
from fhir_adapter.domains.reading import target
from fhir_adapter.fhir.decode import Unreadable, decode
from fhir_adapter.fhir.elements import Reference
from fhir_adapter.steps import withdrawing
from fhir_adapter.steps.intake import Intake
from fhir_adapter.store.records import UNMERGED, Identity, Kept, Member
from fhir_adapter.wire import plan, read, search
from fhir_adapter.wire.connection import Connection
from fhir_adapter.wire.envelope import damage

_LISTS = {"research_study": "ResearchSubject", "group": "Group"}
"""The type that lists the members, by way of asking; for the other ways it is Patient."""


class Cohort(msgspec.Struct, frozen=True):
    """Patients of one hospital: those to ask for, and every member with the number that a source gives."""

    asked: frozenset[str]
    named: dict[str, Named]


def find_cohort(connection: Connection, intake: Intake) -> Cohort:
    """Asks the hospital who takes part, keeps the records that say so, and writes members and identities.

    Enrolled Patients are read by id at each sync: a merge shows only there (Q29). A patient that another replaces
    stays a member, its survivor becomes one. Raises UsageError when the configured study or group is not there.
    """
    way, started = plan.only_cohort(connection.hospital), intake.work.clock()
    finder = {"research_study": _by_study, "group": _by_group, "identifiers": _by_identifiers, "all": _everyone}[way]
    named = finder(connection, intake)
    gaps = {_LISTS.get(way, "Patient"): intake.gaps}
    named = permitted(intake, named)
    asked = {patient for patient, found in named.items() if found.ask}
    replaced, identifiers = _patients(connection, intake, asked)
    replaced |= _moved_away(connection, intake, set(named) | asked)
    gaps["Patient"] = intake.gaps - sum(gaps[one] for one in gaps if one != "Patient")
    _cover(intake, {type: count == 0 for type, count in gaps.items()}, started)
    cohort = settle_members(intake, named, replaced, identifiers)
    if not any(gaps.values()):
        intake.work.vault.narrow_coverage(intake.lease, intake.hospital.id, cohort.asked, intake.work.clock())
    return cohort


def permitted(intake: Intake, named: dict[str, Named]) -> dict[str, Named]:
    """The members who were not erased, each asked for or not as withdrawals allow (steps/withdrawing.py)."""
    vault, hospital = intake.work.vault, intake.hospital.id
    gone = vault.erased(hospital, list(named))
    subjects = {one.patient: one.subject for one in vault.identities(hospital)}
    withdrawals = withdrawing.known(intake.work, intake.work.clock().date())
    return {patient: msgspec.structs.replace(found, ask=withdrawals.may_ask(subjects.get(patient), found))
            for patient, found in named.items() if patient not in gone}


def settle_members(intake: Intake, named: dict[str, Named], replaced: dict[str, str], identifiers: set[str]) -> Cohort:
    """Writes members and identities: who replaces whom is followed, and no number may be a person's identifier."""
    asked = {patient for patient, found in named.items() if found.ask}
    named = {patient: _without_identifier(found, identifiers, intake) for patient, found in named.items()}
    final, circular = survivors(replaced)
    for old, new in final.items():
        if new not in named and old in named:
            named[new] = msgspec.structs.replace(named[old])
    for _ in circular:
        intake.messages.append("Patients replace each other in a circle (merge_cycle); they stay apart.")
    _write(intake, named, final)
    return Cohort(frozenset(asked | {new for old, new in final.items() if old in asked}), named)


def _cover(intake: Intake, whole: dict[str, bool], started: datetime) -> None:
    """Whether the list of members, and their Patients, were had whole: who is missing there is missing everywhere."""
    known = intake.work.vault.coverage(intake.hospital.id)
    rows = []
    for type, is_whole in sorted(whole.items()):
        before = known.get((type, "*"))
        rows.append(Coverage(
            type=type, patient="*", mode="full_reread",
            whole_as_of=started if is_whole else (before.whole_as_of if before is not None else None),
            open_since=None if is_whole else ((before.open_since if before is not None else None) or started),
        ))
    intake.work.vault.set_coverage(intake.lease, intake.hospital.id, rows, intake.work.clock())


def _by_study(connection: Connection, intake: Intake) -> dict[str, Named]:
    """Members by ResearchSubject; a server may ignore `study` (sekmet-fhir), so each one's study is checked here."""
    studies = _study_ids(connection, intake)
    system = intake.work.study.protocol.trial.subject_system
    named: dict[str, Named] = {}
    for window in intake.windows(plan.enrolment(sorted(studies))):
        for page, last in last_told(search.pages(connection, window.question)):
            kept, entries, damages = [], list(page.entries), list(page.damages)
            for entry in page.entries:
                ours = is_of_study(connection.hospital, entry, studies)
                found = member(connection.hospital, entry, system)
                identity = target(found.person, "Patient", connection.hospital.base_url) if found is not None else None
                if ours and found is not None and identity is not None:
                    named[identity[1]] = found
                if ours:  # also one that names nobody whom we understand: mapping says what is wrong with it
                    kept.append(Kept(entry=entry, patient=identity[1] if identity is not None else None))
                elif ours is None:
                    entries.remove(entry)
                    damages.append(damage("unreadable_head", "an enrolment does not say whose or which study's it is",
                                          -1, entry.body, keep=False))
            state = WindowState.WHOLE if last and not page.gaps else WindowState.OPEN
            read_page = msgspec.structs.replace(page, entries=tuple(entries), damages=tuple(damages))
            intake.page(read_page, kept, window=window, state=state)
    return named


def _study_ids(connection: Connection, intake: Intake) -> set[str]:
    """The ids of the configured ResearchStudy at this hospital, which is kept as well."""
    question, known = plan.study(connection.hospital), plan.study_id(connection.hospital)
    pages = search.pages(connection, question) if question is not None else iter(())
    if known is not None:
        pages = iter((read.read(connection, "ResearchStudy", known).page,))
    found: set[str] = set()
    for page in pages:
        kept = [Kept(entry=entry) for entry in page.entries if entry.type == "ResearchStudy" and is_study(
            connection.hospital, entry, question.parameters[0][1] if question is not None else None)]
        found |= {one.entry.id for one in kept}
        intake.page(page, kept)
    if not found:
        raise _nobody(intake, f"{connection.hospital.name}, the ResearchStudy of [cohort]")
    return found


def is_study(hospital: Hospital, entry: Entry, token: str | None) -> bool:
    """Whether a ResearchStudy carries the identifier `system|value`: a server may ignore the question."""
    if token is None:
        return True
    try:
        study = decode("ResearchStudy", entry.body, hospital.fhir_version)
    except Unreadable:
        return False
    return any(f"{one.system}|{one.value}" == token for one in study.identifier)


class _StudyOf(msgspec.Struct):
    study: Reference | None = None


def is_of_study(hospital: Hospital, entry: Entry, studies: set[str]) -> bool | None:
    """Whether an entry is a ResearchSubject of the study; None for one whose study cannot be read."""
    if entry.type != "ResearchSubject":
        return False
    try:
        reference = msgspec.json.decode(entry.body, type=_StudyOf).study
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
    study = target(reference, "ResearchStudy", hospital.base_url)
    return study is not None and study[1] in studies


def member(hospital: Hospital, entry: Entry, subject_system: str) -> Named | None:
    """Whom a ResearchSubject names; None if it is withdrawn as an error, or cannot be used."""
    version = hospital.fhir_version
    if entry.type != "ResearchSubject":
        return None
    try:
        return next(iter(named_by(decode("ResearchSubject", entry.body, version), version, subject_system)), None)
    except Unreadable:
        return None


def _nobody(intake: Intake, message: str) -> AdapterError:
    """Nobody to ask for: the configuration's fault, unless the hospital's answers were broken."""
    if intake.gaps or intake.counts.unreadable:
        return HospitalUnavailable(f"{message}: its answer was broken; run again")
    return UsageError(f"{message}: not found there; check [cohort] in its file and our permission to read it")


def _by_group(connection: Connection, intake: Intake) -> dict[str, Named]:
    group = plan.group_id(connection.hospital) or ""
    reading = read.read(connection, "Group", group)
    intake.page(reading.page, [Kept(entry=entry) for entry in reading.page.entries])
    if not reading.page.entries:
        raise _nobody(intake, f"{connection.hospital.name}, the Group of [cohort]")
    named: dict[str, Named] = {}
    for entry in reading.page.entries:
        try:
            resource = decode("Group", entry.body, connection.hospital.fhir_version)
        except Unreadable as error:
            raise HospitalUnavailable(f"{connection.hospital.name}: the Group of [cohort] cannot be used "
                                      f"({error.code}: {error.message}); ask the hospital to mend it") from None
        for found in named_by(resource, connection.hospital.fhir_version, ""):
            identity = target(found.person, "Patient", connection.hospital.base_url)
            if identity is not None:
                named[identity[1]] = found
    return named


def _by_identifiers(connection: Connection, intake: Intake) -> dict[str, Named]:
    """Members by a CSV of `system,value[,subject]`; `subject` is the trial number, if there is one."""
    rows = listed(intake)
    named: dict[str, Named] = {}
    for question in plan.by_identifier(sorted(rows)):
        for page in search.pages(connection, question):
            kept = []
            for entry in page.entries:
                mine = identifiers_of(connection.hospital, entry) & set(rows)
                if mine:
                    named[entry.id] = named_as(entry.id, rows[sorted(mine)[0]])
                    kept.append(Kept(entry=entry, patient=entry.id))
            intake.page(page, kept)
    return named


def listed(intake: Intake) -> dict[str, str | None]:
    """The identifier list of the cohort: `system|value` and, if it is given, the trial number."""
    path = intake.work.study.folder / "sync" / (intake.hospital.cohort.identifiers or "")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return {f"{row['system']}|{row['value']}": row.get("subject") or None for row in csv.DictReader(file)}
    except (OSError, KeyError) as error:
        raise UsageError(f"{intake.hospital.name}: the identifier list cannot be read ({type(error).__name__}); "
                         "it is a CSV with the columns system,value and, if wanted, subject") from None


def identifiers_of(hospital: Hospital, entry: Entry) -> set[str]:
    """The business identifiers of a patient, as `system|value`."""
    try:
        patient = decode("Patient", entry.body, hospital.fhir_version)
    except Unreadable:
        return set()
    return {f"{system}|{value}" for system, value in patient.identifiers}


def _everyone(connection: Connection, intake: Intake) -> dict[str, Named]:
    named: dict[str, Named] = {}
    for page in search.pages(connection, plan.everyone()):
        named |= {entry.id: named_as(entry.id, None) for entry in page.entries if entry.type == "Patient"}
        intake.page(page, [Kept(entry=entry, patient=entry.id) for entry in page.entries if entry.type == "Patient"])
    return named


def named_as(patient: str, number: str | None) -> Named:
    """A member whom a list or a hospital names, not a ResearchSubject."""
    return Named(person=Reference(reference=f"Patient/{patient}"), number=number, ask=True)


def _without_identifier(found: Named, identifiers: set[str], intake: Intake) -> Named:
    """A trial number that equals an identifier of a patient is refused: it would carry a person's name tag out."""
    if not {found.number, found.local} & identifiers:
        return found
    intake.messages.append("A trial number equals an identifier of a patient (number_is_identifier); one at random is "
                           "used instead.")
    return msgspec.structs.replace(found, number=None, local=None)


def _patients(connection: Connection, intake: Intake, asked: set[str]) -> tuple[dict[str, str], set[str]]:
    """Reads every asked Patient by id, and those that replace them; who is replaced by whom, and all identifiers."""
    replaced: dict[str, str] = {}
    identifiers: set[str] = set()
    todo, seen = sorted(asked), set(asked)
    while todo:
        following: list[str] = []
        for reading in read.read_many(connection, "Patient", todo):
            intake.page(reading.page, [Kept(entry=entry, patient=entry.id) for entry in reading.page.entries])
            for missing in reading.missing:
                if missing.why == "forbidden":
                    intake.gap("Patient", Gap(code="refused", message="a Patient of the cohort is forbidden to us"))
                elif missing.why != "failed":
                    intake.messages.append(f"A Patient of the cohort is {missing.why.replace('_', ' ')}.")
            intake.read.update(entry.id for entry in reading.page.entries)
            for entry in reading.page.entries:
                survivor, values = links(connection.hospital, entry)
                identifiers |= values
                if survivor is not None:
                    replaced[entry.id] = survivor
                    if survivor not in seen:
                        seen.add(survivor)
                        following.append(survivor)
        todo = sorted(following)
    return replaced, identifiers


def _moved_away(connection: Connection, intake: Intake, named: set[str]) -> dict[str, str]:
    """Patients of ours whom the cohort names no more, and who replaces them: a merge moves the enrolment as well.

    Whoever left the cohort without being replaced is counted as outside of it, and nothing new is kept.
    """
    vault, hospital = intake.work.vault, intake.hospital.id
    former = set(vault.members(hospital)) & set(vault.ids(hospital, "Patient")) - named
    replaced: dict[str, str] = {}
    for reading in read.read_many(connection, "Patient", sorted(former - vault.erased(hospital, list(former)))):
        found = {entry.id: links(connection.hospital, entry)[0] for entry in reading.page.entries}
        replaced |= {old: new for old, new in found.items() if new is not None}
        intake.read.update(found)
        intake.page(reading.page, [Kept(entry=entry, patient=entry.id) for entry in reading.page.entries
                                   if entry.id in replaced])
    if any(new not in named for new in replaced.values()):
        intake.say("A patient who has left the cohort was replaced by one whom it does not name either; ask the "
                   "hospital whether the enrolment was forgotten.")
    return {old: new for old, new in replaced.items() if new in named}


def links(hospital: Hospital, entry: Entry) -> tuple[str | None, set[str]]:
    """Who replaces a patient, and the values of the patient's identifiers."""
    try:
        patient = decode("Patient", entry.body, hospital.fhir_version)
    except Unreadable:
        return None, set()
    identity = target(patient.replaced_by, "Patient", hospital.base_url)
    return (identity[1] if identity is not None else None), {value for _, value in patient.identifiers}


def last_told(pages: Iterator[Page]) -> Iterator[tuple[Page, bool]]:
    """Each page, and whether it is the last."""
    previous: Page | None = None
    for page in pages:
        if previous is not None:
            yield previous, False
        previous = page
    if previous is not None:
        yield previous, True


def _write(intake: Intake, named: dict[str, Named], final: dict[str, str]) -> None:
    """Members, and which subject each is: the trial's number, a qualified one, or one at random; once given, it stays.

    Joining and splitting are decisions (steps/identity.py); here a survivor takes the number of the one it replaces.
    """
    vault, hospital, now = intake.work.vault, intake.hospital.id, intake.work.clock()
    vault.set_members(intake.lease, hospital, [
        Member(patient=patient, state=found.state or "", source="cohort") for patient, found in sorted(named.items())
    ], now)
    known = {one.patient: one for one in vault.identities(hospital)}
    fresh: list[Identity] = []
    for patient, found in sorted(named.items()):
        if patient in known:
            continue
        if found.number:
            fresh.append(Identity(hospital=hospital, patient=patient, subject=found.number, basis="trial number"))
        elif found.local:
            number = f"{hospital}:{found.local}"
            fresh.append(Identity(hospital=hospital, patient=patient, subject=number, basis="qualified"))
        else:
            vault.assign_random(intake.lease, hospital, patient, intake.work.random, now)
    vault.assign(intake.lease, fresh, now)
    numbers = {one.patient: one.subject for one in vault.identities(hospital)}
    joined = [
        Identity(hospital=hospital, patient=new, subject=numbers[old], basis="replaced-by")
        for old, new in sorted(final.items())
        if old in numbers and numbers.get(new) != numbers[old] and not _split(known.get(new))
    ]
    vault.assign(intake.lease, joined, now)
    _unmerge(intake, named, final)


def _unmerge(intake: Intake, named: dict[str, Named], final: dict[str, str]) -> None:
    """A survivor of a merge that the hospital took back becomes a subject of its own again (Q29)."""
    vault, hospital, now = intake.work.vault, intake.hospital.id, intake.work.clock()
    identities = vault.identities(hospital)
    for one in identities:
        others = [other.patient for other in identities if other.subject == one.subject and other != one]
        is_back = one.basis == "replaced-by" and one.patient not in final.values()
        # Only those who were read just now, and name nobody any more, can say that they are themselves again.
        if not is_back or not others or not all(other in intake.read for other in others):
            continue
        own = named.get(one.patient)
        number = own.number if own is not None and own.number not in {None, one.subject} else f"{one.subject}~2"
        vault.split(intake.lease, Identity(hospital=hospital, patient=one.patient, subject=number or "",
                                           basis=f"{UNMERGED}{others[0]}"), now)
        intake.say(f"A merge of patients was taken back by the hospital: {one.subject} and {number} are two again; "
                   "see `fhir-adapter conflicts list --kind merge_taken_back`.")


def _split(identity: Identity | None) -> bool:
    """Whether a person has decided that this patient is somebody else."""
    return identity is not None and identity.basis.startswith("decision")
