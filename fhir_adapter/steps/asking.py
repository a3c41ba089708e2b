"""Asking for the clinical types of a cohort, window by window, and for what their records lean on."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import msgspec

from fhir_adapter.core.windows import Coverage, Entry, Gap, Question, WindowState
from fhir_adapter.fhir.references import medication_id
from fhir_adapter.steps.cohort import last_told
from fhir_adapter.steps.intake import Intake, patient_of
from fhir_adapter.store.marks import Marks
from fhir_adapter.store.raw import all_versions
from fhir_adapter.store.records import Kept, StoredWindow
from fhir_adapter.wire import division, instants, plan, read
from fhir_adapter.wire.connection import Connection

FEWEST = 20
"""Below so many records a drop is no alarm."""

DROP = 0.5
"""A full reading that brings less than this share of the last one's records for each patient is an alarm."""


class Asked(msgspec.Struct, kw_only=True):
    """What full readings of one type brought in this run."""

    ids: Marks = msgspec.field(default_factory=Marks)
    """Hashes of their ids: of a large hospital they are many."""
    patients: set[str] = msgspec.field(default_factory=set)
    whole: bool = True


def clinical(connection: Connection, intake: Intake, patients: frozenset[str], started: datetime,
             types: Iterable[str] | None = None) -> dict[str, Asked]:
    """The clinical types of the cohort (or only `types`), window by window; what full readings brought, by type.

    Records of people outside of `patients` are counted and dropped, whatever the server thought of the question.
    """
    vault, hospital = intake.work.vault, intake.hospital
    coverage = vault.coverage(hospital.id)
    intake.latest = _latest(intake.latest, coverage.values())
    questions = plan.clinical(hospital, connection.capability, patients, coverage.values(), types)
    windows = intake.windows(questions)
    full: dict[str, Asked] = {}
    for done, window in enumerate(windows):
        intake.told(f"{hospital.id}: asking", done, len(windows))
        asked = full.setdefault(window.question.type, Asked())
        _answer(connection, intake, window, patients, (coverage, started, asked))
    intake.told(f"{hospital.id}: asking", len(windows), len(windows))
    return full


def _answer(connection: Connection, intake: Intake, window: StoredWindow, members: frozenset[str],
            books: tuple[dict[tuple[str, str], Coverage], datetime, Asked]) -> None:
    """One window: its pages are kept as they come; with its last whole page its patients' coverage moves."""
    coverage, started, asked = books
    question = window.question
    newest: dict[str, datetime] = {}
    whole, sound = True, True
    # A window that had something wrong on an earlier page is read from its beginning.
    resume = window.next if window.attempts > 1 and not window.issues else None
    begun = window.opened_at if resume is not None else intake.work.clock()
    for page, last in last_told(division.answer(connection, question, resume=resume)):
        kept = members_only(page.entries, members)
        whole, sound = whole and not page.gaps, sound and not page.damages
        for one in kept:
            at = instants.read(one.entry.last_updated)
            # A record dated into the future must not carry us past those of tomorrow.
            if one.patient is not None and at is not None and at <= started and one.entry.type == question.type:
                newest[one.patient] = max(at, newest.get(one.patient, at))
            lean_on(intake, one.entry)
        asked.ids.update(hash(one.entry.id) for one in kept if one.entry.type == question.type)
        if not last:
            intake.page(page, kept, window=window)
            continue
        # What could not be opened may have been damaged on its way: the same span is asked for again.
        reached = _reached(intake, newest, begun) if sound else None
        moved = [_moved(question, coverage.get((question.type, patient)), patient, reached, min(started, begun),
                        whole=whole) for patient in question.patients]
        state = WindowState.WHOLE if whole else WindowState.OPEN
        intake.page(page, kept, window=window, state=state, coverage=tuple(moved))
    asked.patients.update(question.patients)
    # Changes alone, a resumed answer, or damage tell nothing of what is no longer there.
    asked.whole = asked.whole and whole and sound and question.since is None and resume is None


def _latest(met: datetime | None, coverage: Iterable[Coverage]) -> datetime | None:
    """The newest instant of its own that the server has ever shown us, in this run or an earlier one."""
    known = (row.since for row in coverage if row.mode != "event_window" and row.patient != "*")
    return max((one for one in (met, *known) if one is not None), default=None)


class _Reached(msgspec.Struct, frozen=True):
    """Up to which of the server's own instants an answer surely held everything (docs/decisions/0006).

    That is a patient's own newest record, or the hospital's newest less `pull.late`, whichever is later; less the time
    that the answer took, for an edit made meanwhile may belong to a page that had been read.
    """

    newest: Mapping[str, datetime]
    others: datetime | None
    took: timedelta

    def by(self, patient: str, before: datetime | None) -> datetime | None:
        """As far as this answer and those before it reach for a patient; None for one who has no record at all."""
        own = self.newest.get(patient)
        if own is None and before is None:
            return None
        reached = max(one for one in (own, self.others, before) if one is not None) - self.took
        return reached if before is None else max(before, reached)


def _reached(intake: Intake, newest: Mapping[str, datetime], begun: datetime) -> _Reached:
    pull = intake.hospital.pull
    latest = max((one for one in (intake.latest, *newest.values()) if one is not None), default=None)
    late = max(pull.late - pull.overlap, timedelta(0))  # the question that follows goes back by the overlap as well
    return _Reached(newest, latest - late if latest is not None else None, intake.work.clock() - begun)


def _moved(question: Question, before: Coverage | None, patient: str, reached: _Reached | None, as_of: datetime, *,
           whole: bool) -> Coverage:
    """A patient's coverage after a window: forward over a whole one; open since this one otherwise.

    `since` comes from the server's own times, never from our clock (Q19); a patient without any record keeps none and
    is asked in full again, which costs an empty answer. For an `event_window` it is when everything was read last.
    """
    since = before.since if before is not None and (before.mode == question.mode or
                                                    question.mode != "event_window") else None
    if whole and question.mode == "event_window":
        since = as_of if question.since is None else since
    elif whole and reached is not None:
        since = reached.by(patient, since)
    return Coverage(
        type=question.type, patient=patient, mode=question.mode, since=since,
        whole_as_of=as_of if whole else (before.whole_as_of if before is not None else None),
        open_since=None if whole else ((before.open_since if before is not None else None) or as_of),
    )


def members_only(entries: Iterable[Entry], members: frozenset[str]) -> list[Kept]:
    """The entries that are about members of the cohort, whatever the server thought of the question."""
    kept = []
    for entry in entries:
        patient = patient_of(entry, members)
        if patient is not None:
            kept.append(Kept(entry=entry, patient=patient))
    return kept


def lean_on(intake: Intake, entry: Entry) -> None:
    """Takes note of the Medication that a drug record refers to."""
    if (medication := medication_id(entry.type, entry.body)) is not None:
        intake.leaning.add(medication)


def alarm(intake: Intake, full: dict[str, Asked]) -> None:
    """Compares full readings with the last ones: labs that fell by half since an upgrade are no truth yet."""
    vault, hospital, now = intake.work.vault, intake.hospital.id, intake.work.clock()
    before = vault.lessons(hospital, "count")
    counts: dict[str, str] = {}
    for type, asked in full.items():
        if not asked.whole or not asked.patients:
            continue
        written = f"{len(asked.ids)}/{len(asked.patients)}"
        if type in before and before[type].value != written:
            records, patients = map(int, before[type].value.split("/"))
            if records >= FEWEST and len(asked.ids) / len(asked.patients) < DROP * records / max(1, patients):
                intake.gap(type, Gap(code="dropped", message="far fewer records for each patient than at the last full "
                                     "reading; ask the hospital what has changed"))
        if type not in before or before[type].value != written:
            counts[type] = written
    vault.learn(intake.lease, hospital, "count", counts, now)


def references(connection: Connection, intake: Intake, unfinished: bool) -> None:
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


def begin_references(intake: Intake) -> bool:
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
