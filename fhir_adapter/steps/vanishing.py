"""What is no longer there, four ways kept apart: deleted, entered in error, merged away, not visible (Q29, Q30).

Entered-in-error is a version like any other, and a merge shows in the Patient (steps/cohort.py). Deletes are told by
histories and exports; for all else a record that is missing is read by id: 410 is deleted; so is 404 once a search, or
a second read in a later run, agrees; until then, and with 403, it is not visible and stays what it was.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import islice

import msgspec

from fhir_adapter.core.windows import Coverage, Entry, Gap, Page, Question
from fhir_adapter.steps.asking import Asked, members_only
from fhir_adapter.steps.intake import Intake
from fhir_adapter.store.records import Kept
from fhir_adapter.wire import division, history, plan, read, search
from fhir_adapter.wire.connection import Connection

HISTORY = "/_history"
"""Ends the type of a coverage row that tells how far deletions have been read."""

ABSENT = "absent"
"""The kind of lesson that tells which records a read by id did not find, and no search could say so too."""

AT_ONCE = 500
"""So many records are looked at together."""

MANY = 10
SHARE = 0.5
"""Of so many known records (`MANY` or more) at most this share may be gone at once; more is a server's fault."""


def deletions(connection: Connection, intake: Intake, started: datetime) -> None:
    """Deletes since the last sync, from the history of each type that offers one; only of records that we have.

    A type that the server does not list at all is tried too: sekmet-fhir keeps AdverseEvents without listing them
    (servers.md, trap 4), and only their history tells of deletes. A history that could not be read whole is open, as
    a type of its own, until a later run has read it. How far the others were read is noted at the end, for all types
    at once: a run that stops before reads the same again.
    """
    vault, hospital = intake.work.vault, intake.hospital
    coverage = vault.coverage(hospital.id)
    reached: list[Coverage] = []
    for type in ("ResearchSubject", "Patient", *plan.clinical_types(hospital)):
        listed = type in connection.capability.types
        before = coverage.get((type + HISTORY, "*"))
        if listed and not history.has_history(connection, type):
            if before is not None and before.open_since is not None:  # it once offered one: now ids are read
                vault.set_coverage(intake.lease, hospital.id, [_open(before, None)], intake.work.clock())
            continue
        if before is None or before.since is None:
            reached.append(_read_back(type, intake.latest or started, started))
            continue
        whole = True
        for page in history.deletes(connection, type, before.since - hospital.pull.overlap):
            whole = whole and not page.gaps
            if page.gaps and not listed:
                continue
            kept = known_ones(intake, page.entries)
            intake.page(Page(url=page.url, entries=tuple(one.entry for one in kept), damages=page.damages), kept)
            for gap in page.gaps:
                intake.gap(f"{type}, what was deleted", gap)
        if whole:
            reached.append(_read_back(type, max(before.since, intake.latest or before.since), started))
        elif listed:
            row = _open(before, before.open_since or started)
            vault.set_coverage(intake.lease, hospital.id, [row], intake.work.clock())
    if reached:
        vault.set_coverage(intake.lease, hospital.id, reached, intake.work.clock())


def _open(row: Coverage, since: datetime | None) -> Coverage:
    return msgspec.structs.replace(row, open_since=since)


def known_ones(intake: Intake, deleted: Iterable[Entry]) -> list[Kept]:
    """Of deleted records those that the vault has and does not know to be deleted."""
    vault, hospital = intake.work.vault, intake.hospital.id
    entries = [entry for entry in deleted if entry.deleted]
    kept = []
    for type in sorted({entry.type for entry in entries}):
        known = vault.heads(hospital, type, [entry.id for entry in entries if entry.type == type])
        kept += [Kept(entry=entry, patient=known[entry.id].patient) for entry in entries
                 if entry.type == type and entry.id in known and known[entry.id].kind != "deleted"]
    return kept


def _read_back(type: str, since: datetime, started: datetime) -> Coverage:
    """How far deletions have been read: by the server's own latest time, only without any by our start."""
    return Coverage(type=type + HISTORY, patient="*", mode="last_updated", since=since, whole_as_of=started)


def missing(connection: Connection, intake: Intake, full: dict[str, Asked]) -> None:
    """Known records that a whole reading of everything did not bring: each is read by id.

    So are those that an earlier run did not find and nothing else spoke of.
    """
    vault, hospital = intake.work.vault, intake.hospital.id
    waiting: dict[str, list[str]] = {}
    for name in vault.lessons(hospital, ABSENT):
        type, _, id = name.partition("/")
        waiting.setdefault(type, []).append(id)
    for type in sorted({*waiting, *full}):
        heads = vault.heads(hospital, type, waiting.get(type, ()))
        absent = {id: head.patient for id, head in heads.items() if head.patient is not None}
        asked, known = full.get(type, Asked(whole=False)), 0
        for id, patient in vault.ids_of_patients(hospital, type, asked.patients) if asked.whole else ():
            known += 1
            if hash(id) not in asked.ids:
                absent[id] = patient
        look_again(connection, intake, type, Known(sorted(absent.items()), known, searched=asked.whole))


def reread(connection: Connection, intake: Intake, patients: frozenset[str]) -> None:
    """Reads all known records by id, type by type, when `pull.reread` has passed since the last time.

    Also those that only a read by id has told to be gone: a server may have been wrong about them. A type never read
    so begins its time now: it has just been read for the first time.
    """
    vault, hospital, now = intake.work.vault, intake.hospital, intake.work.clock()
    every = hospital.pull.reread
    if not every:
        return
    before = vault.lessons(hospital.id, "reread")
    first = {type: "" for type in plan.clinical_types(hospital) if type not in before}
    vault.learn(intake.lease, hospital.id, "reread", first, now)
    for type in plan.clinical_types(hospital):
        if type in first or now - before[type].at < every:
            continue
        count = sum(1 for _ in vault.ids_of_patients(hospital.id, type, patients))
        _reconcile(connection, intake, type, (patients, count))
        mine = vault.ids_of_patients(hospital.id, type, patients)
        gone = [id for id, _ in vault.ids_of_patients(hospital.id, type, patients, deleted=True)]
        whole = look_again(connection, intake, type, Known(mine, count), patients)
        for reading in read.read_many(connection, type, gone):
            intake.page(reading.page, members_only(reading.page.entries, patients))
            whole = whole and not reading.page.gaps
        if whole:
            vault.learn(intake.lease, hospital.id, "reread", {type: ""}, now)


def _reconcile(connection: Connection, intake: Intake, type: str, ours: tuple[frozenset[str], int]) -> None:
    """Compares the server's count of a type with ours, where it counts: more there than here is a gap.

    A count may be estimated, or be everybody's (Q5, Q6): before it alarms anybody, the type is read until a record
    comes that we do not have; if none does, its counts are not asked for again for a month, and that is said. Fewer
    there are found by reading by id. A hospital with `totals = "ignore"` is not asked.
    """
    patients, known = ours
    if intake.hospital.pull.totals == "ignore":
        return
    questions = plan.clinical(intake.hospital, connection.capability, patients, (), (type,))
    counts = [search.count(connection, question) for question in questions]
    told = [count for count in counts if count is not None]
    if not questions or len(told) != len(questions) or sum(told) <= known:
        return
    if not any(_lacks(connection, intake, question, patients) for question in questions):
        connection.learn(type, "no_count")
        intake.say(f"{type}: the server counts more than it shows; its counts are not used.")
        return
    said = f"the server counts {sum(told)} records of the cohort, we have {known}; the next sync reads all of them"
    intake.gap(type, Gap(code="short", message=said))
    now = intake.work.clock()
    rows = [msgspec.structs.replace(row, since=None, open_since=row.open_since or now)
            for (one, _), row in intake.work.vault.coverage(intake.hospital.id).items() if one == type]
    intake.work.vault.set_coverage(intake.lease, intake.hospital.id, rows, now)


def _lacks(connection: Connection, intake: Intake, question: Question, patients: frozenset[str]) -> bool:
    """Whether the answer holds a record of the cohort that we do not have, or could not be read.

    That it is `short` of the server's own total is what is being looked into: only a record that comes tells.
    """
    vault, hospital = intake.work.vault, intake.hospital.id
    for page in division.answer(connection, question):
        ids = {one.entry.id for one in members_only(page.entries, patients) if one.entry.type == question.type}
        heads = vault.heads(hospital, question.type, ids)
        failed = any(gap.code != "short" for gap in page.gaps)
        if failed or any(id not in heads or heads[id].kind == "deleted" for id in ids):
            return True
    return False


class Known(msgspec.Struct, frozen=True):
    """Known records to be looked at again, as id and patient; how many are known of the type; whether a whole search
    has just left these out."""

    records: Iterable[tuple[str, str]]
    count: int
    searched: bool = False


class _Gone(msgspec.Struct):
    """What looking again came to: ids of records that are gone, given to others, hidden, and not found for once."""

    looked: int = 0
    whole: bool = True
    gone: list[str] = []
    moved: list[str] = []
    hidden: list[str] = []
    absent: list[str] = []
    there: set[str] = set()


def look_again(connection: Connection, intake: Intake, type: str, known: Known,
               patients: frozenset[str] = frozenset()) -> bool:
    """Reads known records by id and keeps what that says of each; whether all of them answered.

    A record that is now about somebody outside of the cohort (a merge taken back, Q29) is deleted as far as we may
    know. More than half of many gone at once is taken for a fault of the server, not for as many deletes.
    """
    vault, hospital = intake.work.vault, intake.hospital.id
    before = {name.partition("/")[2]: lesson.value for name, lesson in vault.lessons(hospital, ABSENT).items()
              if name.partition("/")[0] == type}
    found = _Gone()
    for batch in _batches(known.records):
        found.looked += len(batch)
        members = patients | {patient for _, patient in batch}
        for reading in read.read_many(connection, type, [id for id, _ in batch]):
            _take(intake, reading, {id for id, _ in batch}, members, found)
            for one in reading.missing:
                # Asked again in a later run, or searched for: then a 404 is believed.
                sure = known.searched or one.searched or before.get(one.id, str(intake.run)) != str(intake.run)
                if one.why == "gone" or (one.why == "not_found" and sure):
                    found.gone.append(one.id)
                elif one.why == "not_found":
                    found.absent.append(one.id)
                elif one.why == "forbidden":
                    found.hidden.append(one.id)
    total, lost = max(known.count, found.looked), len(found.gone) + len(found.moved) + len(found.absent)
    if total >= MANY and lost > SHARE * total:
        intake.gap(type, Gap(code="dropped", message=f"{lost} of {total} known records are not found by id; "
                             "nothing is taken for deleted; ask the hospital"))
        return False
    _record(intake, type, found, before)
    return found.whole


def _batches(records: Iterable[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    rest = iter(records)
    while batch := list(islice(rest, AT_ONCE)):
        yield batch


def _take(intake: Intake, reading: read.Reading, known: set[str], members: frozenset[str], found: _Gone) -> None:
    """Keeps what one reading brought."""
    found.whole = found.whole and not reading.page.gaps
    if not reading.page.entries and not reading.page.gaps:
        return
    kept = members_only(reading.page.entries, members)
    intake.page(reading.page, kept)
    ours = {one.entry.id for one in kept}
    found.there |= ours
    found.moved += [entry.id for entry in reading.page.entries
                    if entry.subjects and entry.id in known and entry.id not in ours]


def _record(intake: Intake, type: str, found: _Gone, before: dict[str, str]) -> None:
    """Writes what is gone, what is out of sight, and what has to be looked for once more."""
    vault, hospital, now = intake.work.vault, intake.hospital.id, intake.work.clock()
    gone = sorted({*found.gone, *found.moved})
    entries = tuple(Entry(type=type, id=one, deleted=True) for one in gone)
    if entries:
        intake.page(Page(url="", entries=entries), known_ones(intake, entries))
        words = f", {len(found.moved)} of them given to somebody outside of the cohort" if found.moved else ""
        intake.say(f"{type}: {len(gone)} known records were deleted{words}.")
    keys = [vault.key(hospital, type, one) for one in (*found.hidden, *found.absent)]
    if keys and vault.keep_absence(intake.lease, hospital, keys, intake.run, now):
        intake.say(f"{type}: {len(keys)} known records are no longer visible to us; their facts stay.")
    if found.absent:
        vault.learn(intake.lease, hospital, ABSENT, {f"{type}/{one}": str(intake.run) for one in found.absent}, now)
        intake.say(f"{type}: {len(found.absent)} of them are not found by id; they are deleted if the next sync does "
                   "not find them either.")
    over = ({*gone, *found.hidden, *found.there} & set(before)) - set(found.absent)
    vault.unlearn(intake.lease, hospital, ABSENT, [f"{type}/{one}" for one in over], now)
