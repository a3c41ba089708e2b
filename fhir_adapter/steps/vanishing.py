"""What is no longer there, four ways kept apart: deleted, entered in error, merged away, not visible (Q29, Q30).

Entered-in-error is a version like any other, and a merge shows in the Patient (steps/cohort.py). Deletes are told by
histories and exports; for all else a record that is missing is read by id: 404 or 410 is deleted, 403 is no longer
visible and stays what it was.
"""

from collections.abc import Collection, Iterable
from datetime import datetime

import msgspec

from fhir_adapter.core.windows import Coverage, Entry, Gap, Page
from fhir_adapter.steps.asking import Asked, members_only
from fhir_adapter.steps.intake import Intake
from fhir_adapter.store.records import Kept
from fhir_adapter.wire import history, plan, read, search
from fhir_adapter.wire.connection import Connection

HISTORY = "/_history"
"""Ends the type of a coverage row that tells how far deletions have been read."""

MANY = 10
SHARE = 0.5
"""Of so many known records (`MANY` or more) at most this share may be gone at once; more is a server's fault."""


def deletions(connection: Connection, intake: Intake, started: datetime) -> None:
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
            kept = known_ones(intake, page.entries)
            intake.page(Page(url=page.url, entries=tuple(one.entry for one in kept), damages=page.damages), kept)
            for gap in page.gaps:
                intake.gap(f"{type}, what was deleted", gap)
        if whole:
            row = _read_back(type, max(before.since, intake.latest or before.since), started)
            vault.set_coverage(intake.lease, hospital.id, [row], intake.work.clock())


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
    """Known records that a whole reading of everything did not bring: each is read by id."""
    for type, asked in sorted(full.items()):
        if not asked.whole:
            continue
        absent = sorted(set(intake.work.vault.ids(intake.hospital.id, type)) - asked.ids)
        heads = intake.work.vault.heads(intake.hospital.id, type, absent)
        look_again(connection, intake, type,
                   [one for one in absent if one in heads and heads[one].patient in asked.patients],
                   frozenset(asked.patients))


def reread(connection: Connection, intake: Intake, patients: frozenset[str]) -> None:
    """Reads all known records by id, type by type, when `pull.reread` has passed since the last time.

    A type never read so begins its time now: it has just been read for the first time.
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
        ids = vault.ids(hospital.id, type)
        heads = vault.heads(hospital.id, type, ids)
        mine = [one for one in ids if one in heads and heads[one].patient in patients]
        _reconcile(connection, intake, type, (patients, len(mine)))
        if look_again(connection, intake, type, mine, patients):
            vault.learn(intake.lease, hospital.id, "reread", {type: ""}, now)


def _reconcile(connection: Connection, intake: Intake, type: str, ours: tuple[frozenset[str], int]) -> None:
    """Compares the server's count of a type with ours, where it counts: more there than here is a gap.

    Fewer there are found by reading by id. A hospital with `totals = "ignore"` estimates and is not asked.
    """
    patients, known = ours
    if intake.hospital.pull.totals == "ignore":
        return
    questions = plan.clinical(intake.hospital, connection.capability, patients, (), (type,))
    counts = [search.count(connection, question) for question in questions]
    told = [count for count in counts if count is not None]
    if questions and len(told) == len(questions) and sum(told) > known:
        said = f"the server counts {sum(told)} records of the cohort, we have {known}; the next sync reads all of them"
        intake.gap(type, Gap(code="short", message=said))
        now = intake.work.clock()
        rows = [msgspec.structs.replace(row, since=None, open_since=row.open_since or now)
                for (one, _), row in intake.work.vault.coverage(intake.hospital.id).items() if one == type]
        intake.work.vault.set_coverage(intake.lease, intake.hospital.id, rows, now)


def look_again(connection: Connection, intake: Intake, type: str, ids: Collection[str],
               patients: frozenset[str] = frozenset()) -> bool:
    """Reads known records by id and keeps what that says of each; whether all of them answered.

    A record that is now about somebody outside of the cohort (a merge taken back, Q29) is deleted as far as we may
    know. More than half of many gone at once is taken for a fault of the server, not for as many deletes.
    """
    vault, hospital = intake.work.vault, intake.hospital.id
    gone: list[str] = []
    moved: list[str] = []
    hidden: list[str] = []
    whole = True
    heads = vault.heads(hospital, type, ids)
    members = patients | {head.patient for head in heads.values() if head.patient is not None}
    for reading in read.read_many(connection, type, ids):
        whole = whole and not reading.page.gaps
        if reading.page.entries or reading.page.gaps:
            kept = members_only(reading.page.entries, frozenset(members))
            intake.page(reading.page, kept)
            ours = {one.entry.id for one in kept}
            moved += [entry.id for entry in reading.page.entries
                      if entry.type == type and entry.subjects and entry.id in heads and entry.id not in ours]
        for one in reading.missing:
            if one.why in ("gone", "not_found"):
                gone.append(one.id)
            elif one.why == "forbidden":
                hidden.append(one.id)
    gone += moved
    if len(ids) >= MANY and len(gone) > SHARE * len(ids):
        intake.gap(type, Gap(code="dropped", message=f"{len(gone)} of {len(ids)} known records are not found by id; "
                             "nothing is taken for deleted; ask the hospital"))
        return False
    entries = tuple(Entry(type=type, id=one, deleted=True) for one in sorted(gone))
    if entries:
        intake.page(Page(url="", entries=entries), known_ones(intake, entries))
        words = f", {len(moved)} of them given to somebody outside of the cohort" if moved else ""
        intake.say(f"{type}: {len(gone)} known records were deleted{words}.")
    if hidden:
        keys = [vault.key(hospital, type, one) for one in hidden]
        if vault.keep_absence(intake.lease, hospital, keys, intake.run, intake.work.clock()):
            intake.say(f"{type}: {len(hidden)} known records are no longer visible to us; their facts stay.")
    return whole
