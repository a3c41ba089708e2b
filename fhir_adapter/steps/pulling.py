"""Pulling one hospital: cohort, patients, clinical types, references, deletions (DESIGN §4, order of a pull)."""

from collections.abc import Iterable
from datetime import datetime
from random import SystemRandom

from fhir_adapter.core.errors import AdapterError, HospitalUnavailable, worst
from fhir_adapter.core.runs import HospitalOutcome, Progress
from fhir_adapter.core.study import Hospital
from fhir_adapter.core.windows import Coverage, Entry, Gap, Page, WindowState
from fhir_adapter.fhir.references import medication_id
from fhir_adapter.steps import folders
from fhir_adapter.steps.cohort import find_cohort, last_told
from fhir_adapter.steps.intake import Intake, patient_of
from fhir_adapter.steps.leases import take
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.leases import pull_lease
from fhir_adapter.store.raw import all_versions
from fhir_adapter.store.records import Kept, StoredWindow
from fhir_adapter.wire import history, instants, plan, read, search
from fhir_adapter.wire.connection import Connection, connect

HISTORY = "/_history"
"""Ends the type of a coverage row that tells how far deletions have been read."""

EVERYTHING = "*"
"""The type of a coverage row that tells since when a hospital has given nothing, not even its cohort."""


def pull_hospital(work: Workspace, hospital: Hospital, run: int, told: Progress) -> HospitalOutcome:
    """Everything that a hospital says about the cohort, into the vault; what it ended with, as a value.

    Windows that fail stay open and are taken up by the next run; coverage moves only over whole ones. A hospital that
    gives nothing at all opens the coverage of everything that was asked of it before.
    """
    lease = take(work, pull_lease(hospital.id))
    intake = Intake(work, hospital, run, lease, told)
    try:
        _ask(intake)
        work.vault.prune_windows(intake.lease, hospital.id, work.clock())
    except AdapterError as error:
        intake.code = worst([intake.code, error.exit_code])
        intake.messages.append(str(error))
        if isinstance(error, HospitalUnavailable):
            _open_everything(intake)
    finally:
        work.vault.release(intake.lease)
    return HospitalOutcome(hospital=hospital.id, code=intake.code, counts=intake.counts,
                           messages=tuple(intake.messages))


def _ask(intake: Intake) -> None:
    hospital, work = intake.hospital, intake.work
    if hospital.pull.mode == "sheet":
        folders.read_sheets(intake, work.study.folder / "sync" / (hospital.pull.path or ""))
        return
    if hospital.pull.mode == "files":
        folders.read_files(intake, work.study.folder / "sync" / (hospital.pull.path or ""))
        return
    with connect(hospital, folder=work.folder, clock=work.clock, sleep=work.sleep, random=SystemRandom(),
                 transport=work.transport) as connection:
        started = work.clock()
        cohort = find_cohort(connection, intake)
        _answers_again(intake, started)
        unfinished = _begin_references(intake)
        _clinical(connection, intake, cohort.asked, started)
        _references(connection, intake, unfinished)
        _deletions(connection, intake, started)


def _clinical(connection: Connection, intake: Intake, patients: frozenset[str], started: datetime) -> None:
    """The clinical types of the cohort, window by window."""
    vault, hospital = intake.work.vault, intake.hospital
    coverage = vault.coverage(hospital.id)
    windows = intake.windows(plan.clinical(hospital, connection.capability, patients, coverage.values()))
    members = frozenset(vault.members(hospital.id))
    for done, window in enumerate(windows):
        intake.told(f"{hospital.id}: asking", done, len(windows))
        _answer(connection, intake, window, members, coverage, started)
    intake.told(f"{hospital.id}: asking", len(windows), len(windows))


def _answer(connection: Connection, intake: Intake, window: StoredWindow, members: frozenset[str],
            coverage: dict[tuple[str, str], Coverage], started: datetime) -> None:
    """One window: its pages are kept as they come; with its last whole page its patients' coverage moves."""
    question = window.question
    reached: dict[str, datetime] = {}
    whole, sound = True, True
    # A window that had something wrong on an earlier page is read from its beginning.
    resume = window.next if window.attempts > 1 and not window.issues else None
    for page, last in last_told(search.pages(connection, question, resume=resume)):
        kept = _members_only(page.entries, members)
        whole, sound = whole and not page.gaps, sound and not page.damages
        for one in kept:
            at = instants.read(one.entry.last_updated)
            # A record dated into the future must not carry us past those of tomorrow.
            if one.patient is not None and at is not None and at <= started and one.entry.type == question.type:
                reached[one.patient] = max(at, reached.get(one.patient, at))
            if (medication := medication_id(one.entry.type, one.entry.body)) is not None:
                intake.leaning.add(medication)
        if not last:
            intake.page(page, kept, window=window)
            continue
        # What could not be opened may have been damaged on its way: the same span is asked for again.
        moved = [_moved(window, coverage, patient, reached.get(patient) if sound else None, started, whole=whole)
                 for patient in question.patients]
        state = WindowState.WHOLE if whole else WindowState.OPEN
        intake.page(page, kept, window=window, state=state, coverage=tuple(moved))


def _moved(window: StoredWindow, coverage: dict[tuple[str, str], Coverage], patient: str, reached: datetime | None,
           started: datetime, *, whole: bool) -> Coverage:
    """A patient's coverage after a window: forward over a whole one; open since this one otherwise.

    `since` comes from the server's own times, never from our clock (Q19); a patient without any record keeps none and
    is asked in full again, which costs an empty answer.
    """
    question = window.question
    before = coverage.get((question.type, patient))
    since = before.since if before is not None else None
    if whole:
        since = max((one for one in (since, reached) if one is not None), default=None)
    return Coverage(
        type=question.type, patient=patient, mode=question.mode, since=since,
        whole_as_of=started if whole else (before.whole_as_of if before is not None else None),
        open_since=None if whole else ((before.open_since if before is not None else None) or started),
    )


def _members_only(entries: Iterable[Entry], members: frozenset[str]) -> list[Kept]:
    """The entries that are about members of the cohort, whatever the server thought of the question."""
    kept = []
    for entry in entries:
        patient = patient_of(entry, members)
        if patient is not None:
            kept.append(Kept(entry=entry, patient=patient))
    return kept


def _references(connection: Connection, intake: Intake, unfinished: bool) -> None:
    """The Medications that kept drug records refer to; read by id each time, since nothing tells when they change.

    After a run that did not come this far (`unfinished`) all drug records of the vault are looked through.
    """
    vault, hospital = intake.work.vault, intake.hospital.id
    wanted = set(vault.ids(hospital, "Medication")) | intake.leaning
    if unfinished:
        for batch in all_versions(vault, hospital, 0, 1000):
            wanted |= {found for version in batch if (found := medication_id(version.type, version.body)) is not None}
    whole = True
    for reading in read.read_many(connection, "Medication", sorted(wanted)):
        whole = whole and not reading.page.gaps
        intake.page(reading.page, [Kept(entry=entry) for entry in reading.page.entries])
    if whole:
        vault.set_coverage(intake.lease, hospital, [_references_coverage(intake, None)], intake.work.clock())


def _begin_references(intake: Intake) -> bool:
    """Marks the references as not read yet; whether an earlier run left them so."""
    vault, hospital = intake.work.vault, intake.hospital.id
    before = vault.coverage(hospital).get(("Medication", "*"))
    if before is None or before.open_since is None:
        vault.set_coverage(intake.lease, hospital, [_references_coverage(intake, intake.work.clock())],
                           intake.work.clock())
    return before is not None and before.open_since is not None


def _references_coverage(intake: Intake, open_since: datetime | None) -> Coverage:
    whole_as_of = intake.work.clock() if open_since is None else None
    if open_since is not None:
        before = intake.work.vault.coverage(intake.hospital.id).get(("Medication", "*"))
        whole_as_of = before.whole_as_of if before is not None else None
    return Coverage(type="Medication", patient="*", mode="full_reread", whole_as_of=whole_as_of, open_since=open_since)


def _deletions(connection: Connection, intake: Intake, started: datetime) -> None:
    """Deletes since the last sync, from the history of each type that offers one; only of records that we have.

    A type that the server does not list at all is tried too: sekmet-fhir keeps AdverseEvents without listing them
    (servers.md, trap 4), and only their history tells of deletes.
    """
    vault, hospital = intake.work.vault, intake.hospital
    coverage = vault.coverage(hospital.id)
    for type in ("ResearchSubject", "Patient", *plan.clinical_types(hospital)):
        listed = type in connection.capability.types
        if listed and not history.has_history(connection, type):
            continue
        before = coverage.get((type + HISTORY, "*"))
        if before is None or before.since is None:
            row = _read_back(type, intake.latest or started, started)
            vault.set_coverage(intake.lease, hospital.id, [row], intake.work.clock())
            continue
        whole = True
        for page in history.deletes(connection, type, before.since - hospital.pull.overlap):
            whole = whole and not page.gaps
            if page.gaps and not listed:
                continue
            known = vault.heads(hospital.id, type, [entry.id for entry in page.entries])
            kept = [Kept(entry=entry, patient=known[entry.id].patient)
                    for entry in page.entries if entry.id in known and known[entry.id].kind != "deleted"]
            intake.page(Page(url=page.url, entries=tuple(one.entry for one in kept), damages=page.damages,
                             gaps=page.gaps), kept)
        if whole:
            row = _read_back(type, max(before.since, intake.latest or before.since), started)
            vault.set_coverage(intake.lease, hospital.id, [row], intake.work.clock())


def _read_back(type: str, since: datetime, started: datetime) -> Coverage:
    """How far deletions have been read: by the server's own latest time, only without any by our start."""
    return Coverage(type=type + HISTORY, patient="*", mode="last_updated", since=since, whole_as_of=started)


def _open_everything(intake: Intake) -> None:
    """A hospital that could not be asked: nothing of it is whole any more as of now."""
    now = intake.work.clock()
    rows = [Coverage(type=row.type, patient=row.patient, mode=row.mode, since=row.since, whole_as_of=row.whole_as_of,
                     open_since=row.open_since or now)
            for row in intake.work.vault.coverage(intake.hospital.id).values() if not row.type.endswith(HISTORY)]
    if rows:
        intake.work.vault.set_coverage(intake.lease, intake.hospital.id, rows, now)
    else:
        everything = Coverage(type=EVERYTHING, patient="*", mode="full_reread", open_since=now)
        intake.work.vault.set_coverage(intake.lease, intake.hospital.id, [everything], now)
        intake.gap("everything", Gap(code="failed", message="the hospital gave nothing at all"))


def _answers_again(intake: Intake, started: datetime) -> None:
    """A hospital that gave nothing at all has answered now: from here on each type speaks for itself."""
    vault, hospital = intake.work.vault, intake.hospital.id
    before = vault.coverage(hospital).get((EVERYTHING, "*"))
    if before is not None and before.open_since is not None:
        row = Coverage(type=EVERYTHING, patient="*", mode="full_reread", whole_as_of=started)
        vault.set_coverage(intake.lease, hospital, [row], intake.work.clock())
