"""Raw versions: pages go in whole, rows for mapping come out in order."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import hashlib
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

import msgspec

from fhir_adapter.core.windows import Damage
from fhir_adapter.store import succession
from fhir_adapter.store.coverage import move_coverage
from fhir_adapter.store.instants import cleaned, stamp, storable
from fhir_adapter.store.marks import Marks
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.quarantine import keep_damages
from fhir_adapter.store.records import Head, Kept, Kind, Lease, PageCounts, PageProgress, Version
from fhir_adapter.store.succession import Seen
from fhir_adapter.store.transaction import Transaction
from fhir_adapter.store.windows import move_window

_RESOURCE = ("key", "hospital", "type", "fhir_id", "patient", "ordinal", "ordinals", "kind", "version_id",
             "last_updated", "sha256", "canonical")
_VERSION = ("resource", "ordinal", "hospital", "seq", "kind", "version_id", "last_updated", "sha256", "body",
            "encoding", "url", "received_at", "run", "was_head")
PATIENTS = 50
"""Of so many patients records are named at once."""

_CONTENT, _DELETED = Kind.CONTENT.value, Kind.DELETED.value
_READ = (
    "SELECT r.key, v.ordinal, v.hospital, v.seq, r.type, r.fhir_id, r.patient, v.kind, v.version_id, v.last_updated, "
    "v.sha256, v.body, v.encoding, v.url, v.received_at, v.run, r.ordinal, v.was_head "
    "FROM version v JOIN resource r ON r.key = v.resource "
)


class _State(msgspec.Struct, gc=False):
    """A record as it stands while a page is worked in."""

    hospital: str
    type: str
    fhir_id: str
    patient: str | None
    ordinal: int
    ordinals: int
    kind: str
    seen: Seen
    body: bytes | None = None

    def row(self, key: str) -> tuple[Any, ...]:
        head = self.seen
        return (key, self.hospital, self.type, self.fhir_id, self.patient, self.ordinal, self.ordinals, self.kind,
                head.version_id, head.last_updated, head.sha256, head.canonical)


class _Intake:
    """Works the entries of one page into versions; writes nothing itself."""

    def __init__(self, transaction: Transaction, hospital: str, states: dict[str, _State], seen: Marks) -> None:
        self.transaction, self.hospital, self.states = transaction, hospital, states
        self.seen, self.fresh = seen, set[int]()
        self.versions: list[tuple[Any, ...]] = []
        """Rows of `version` without their place: sequence number, time and run are the same step for all of them."""
        self.changed: set[str] = set()
        self.begun: set[str] = set()
        self.unchanged = self.repeated = self.outside = 0

    def take(self, key: str, kept: Kept) -> None:
        """One entry: counted, and if it is new, made a version."""
        new = succession.seen(kept.entry)
        mark = _mark(key, new)
        state = self.states.get(key)
        if state is None:
            if kept.entry.deleted:
                self.outside += 1  # we never had it, so nothing is lost by its going
                return
            self._begin(key, kept, new)
            self._version(key, kept, new, is_head=True)
        else:
            verdict = succession.compare(new, state.seen, same_content=self._same_content(key, new, kept, state))
            if verdict == succession.UNCHANGED and state.kind == Kind.NOT_VISIBLE:
                verdict = succession.NEWER  # it is seen again, and that is kept
            unsure = verdict == succession.UNORDERED and new.version_id and state.kind != Kind.NOT_VISIBLE
            is_first = mark not in self.seen and mark not in self.fresh
            if state.kind == _DELETED and not state.seen.version_id and is_first:
                unsure = False  # only we found it to be gone, and here it is: a 404 can pass
            if verdict == succession.UNCHANGED and is_first:
                self.unchanged += 1
            elif verdict == succession.UNCHANGED or (
                (verdict == succession.OLDER or unsure) and self._have(key, new)
            ):
                self.repeated += 1
            else:
                self._version(key, kept, new, is_head=verdict != succession.OLDER)
        self.fresh.add(mark)

    def _same_content(self, key: str, new: Seen, kept: Kept, state: _State) -> bool:
        if not succession.needs_content(new, state.seen):
            return False
        if state.seen.canonical is None:
            body = state.body
            if body is None:
                body = bytes(self.transaction.value(
                    "SELECT body FROM version WHERE resource = ? AND ordinal = ?", (key, state.ordinal)
                ))
            state.seen = msgspec.structs.replace(state.seen, canonical=succession.canonical_sha(body))
        return (new.canonical or succession.canonical_sha(kept.entry.body)) == state.seen.canonical

    def _have(self, key: str, new: Seen) -> bool:
        """Whether this very version, older than the head, is kept already."""
        wanted = (key, _DELETED if new.deleted else _CONTENT, new.version_id, new.last_updated, new.sha256)
        if any((row[0], *row[2:6]) == wanted for row in self.versions):
            return True
        found = self.transaction.value(
            "SELECT 1 FROM version WHERE resource = ? AND kind = ? AND version_id = ? AND last_updated = ? "
            "AND sha256 = ?", wanted,
        )
        return found is not None

    def _begin(self, key: str, kept: Kept, new: Seen) -> None:
        entry = kept.entry
        self.begun.add(key)
        self.states[key] = _State(self.hospital, entry.type, entry.id, kept.patient, 0, 0, "", new)

    def _version(self, key: str, kept: Kept, new: Seen, *, is_head: bool) -> None:
        state, entry = self.states[key], kept.entry
        state.ordinals += 1
        kind = _DELETED if entry.deleted else _CONTENT
        if is_head:
            if not entry.version_id and not entry.deleted:  # from now on content alone tells what is new
                new = msgspec.structs.replace(new, canonical=succession.canonical_sha(entry.body))
            state.ordinal, state.kind, state.seen, state.body = state.ordinals, kind, new, entry.body
            if kept.patient is not None:
                state.patient = kept.patient
        self.changed.add(key)
        self.versions.append((key, state.ordinals, kind, new.version_id, new.last_updated, new.sha256, entry.body,
                              cleaned(entry.url), int(is_head)))


def _mark(key: str, new: Seen) -> int:
    """What tells in this process that an entry was met before; kept nowhere."""
    return hash((key, new))


class Raw(OpenVault):
    """Keeping what hospitals said, and giving it back."""

    def keep_page(self, lease: Lease, hospital: str, page: PageProgress, now: datetime) -> PageCounts:
        """Keeps one page in one transaction: raw versions, damages, the window's progress, and coverage.

        `unchanged` equals the head of its record; `repeated` was met before in the same run, or is an older version
        that is kept already; `new` became a version, as the head or (older by lastUpdated or version id) behind it.
        A deletion of a record that was never kept counts as `outside`. An entry whose id cannot be stored (NUL, lone
        surrogate) is `unreadable` and goes to quarantine.

        Raises:
            LeaseHeld: the lease is no longer ours.
        """
        kept, unstorable = _storable(page.kept)
        keys = [self.record_key(hospital, item.entry.type, item.entry.id) for item in kept]
        seen = self._seen.setdefault(page.run, Marks())
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            intake = _Intake(transaction, hospital, _states(transaction, set(keys)), seen)
            for key, item in zip(keys, kept, strict=True):
                intake.take(key, item)
            _write(transaction, intake, page.run, stamp(now))
            damages = page.damages + unstorable
            keep_damages(transaction, hospital, page, damages, now)
            if page.window is not None:
                move_window(transaction, page, now)
            if page.coverage:
                move_coverage(transaction, hospital, page.coverage)
        seen.update(intake.fresh)
        return PageCounts(
            outside=page.outside + intake.outside, unchanged=intake.unchanged, repeated=intake.repeated,
            unreadable=len(damages), new=len(intake.versions),
        )

    def keep_absence(self, lease: Lease, hospital: str, keys: Collection[str], run: int, now: datetime) -> int:
        """Records that the hospital no longer shows although nobody said they were deleted: a version of that kind.

        The head stays what it was, and so do its facts (Q30); the record is seen again with its next version.
        """
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            states = _states(transaction, set(keys))
            intake = _Intake(transaction, hospital, states, Marks())
            for key in sorted(states):
                state = states[key]
                if state.kind != Kind.CONTENT:
                    continue
                state.ordinals += 1
                state.kind = Kind.NOT_VISIBLE.value
                intake.changed.add(key)
                intake.versions.append((key, state.ordinals, state.kind, "", "", "", b"", "", 0))
            _write(transaction, intake, run, stamp(now))
        return len(intake.versions)

    def heads(self, hospital: str, resource_type: str, ids: Collection[str]) -> dict[str, Head]:
        """The newest versions of records by the hospital's ids, without bodies; ids that are not kept are left out."""
        by_key = {self.record_key(hospital, resource_type, fhir_id): fhir_id for fhir_id in ids}
        with self.database.reading() as transaction:
            return {by_key[row[0]]: Head(key=row[0], patient=row[4], ordinal=row[5], kind=row[7], version_id=row[8],
                                         last_updated=row[9], sha256=row[10])
                    for row in _resources(transaction, by_key)}

    def ids(self, hospital: str, resource_type: str, patient: str | None = None) -> list[str]:
        """The hospital's ids of all records of a type that are not deleted, or of one patient's, in order."""
        sql = "SELECT fhir_id FROM resource WHERE hospital = ? AND type = ? AND kind <> 'deleted'"
        values: tuple[str, ...] = (hospital, resource_type)
        if patient is not None:
            sql, values = sql + " AND patient = ?", (*values, patient)
        with self.database.reading() as transaction:
            return sorted(row[0] for row in transaction.rows(sql, values))

    def ids_of_patients(self, hospital: str, resource_type: str, patients: Collection[str], *, deleted: bool = False
                        ) -> Iterator[tuple[str, str]]:
        """Id and patient of a type's records that belong to these patients, some patients at a time.

        With `deleted` those instead that a reading found to be gone: no history or export has told of them.
        """
        kinds = "kind = 'deleted' AND last_updated = ''" if deleted else "kind <> 'deleted'"
        sql = f"SELECT fhir_id, patient FROM resource WHERE hospital = ? AND type = ? AND {kinds} AND patient IN (?)"
        named = sorted(patients)
        for start in range(0, len(named), PATIENTS):
            with self.database.reading() as transaction:
                some = named[start : start + PATIENTS]
                found = sorted((row[0], row[1]) for row in transaction.rows_in(sql, some, (hospital, resource_type)))
            yield from found

    def versions(self, hospital: str, after_seq: int, limit: int) -> list[Version]:
        """The next versions of a hospital, at most so many, in the order in which they were kept; none: that is all.

        Asked by a span of the sequence: with a LIMIT PostgreSQL may sort all that is left, for each batch anew.
        """
        with self.database.reading() as transaction:
            last = _last_seq(transaction, hospital)
            for start in range(after_seq, last, limit):  # an erased person leaves a gap
                rows = transaction.rows(_READ + "WHERE v.hospital = ? AND v.seq > ? AND v.seq <= ? ORDER BY v.seq",
                                        (hospital, start, start + limit))
                if rows:
                    return [Version(*row) for row in rows]
        return []

    def versions_of(self, keys: Collection[str]) -> list[Version]:
        """All versions of these records, by key and ordinal."""
        if not keys:
            return []
        with self.database.reading() as transaction:
            found = [Version(*row) for row in transaction.rows_in(_READ + "WHERE v.resource IN (?)", keys)]
        return sorted(found, key=lambda version: (version.key, version.ordinal))

    def head_of(self, key: str) -> Version | None:
        """The newest version of a record with its body (also when it says `deleted`); None if it is not kept."""
        return self.heads_of((key,)).get(key)

    def heads_of(self, keys: Collection[str]) -> dict[str, Version]:
        """The newest versions of several records, by key: for resolving references."""
        with self.database.reading() as transaction:
            rows = transaction.rows_in(_READ + "WHERE v.ordinal = r.ordinal AND v.resource IN (?)", keys)
            return {row[0]: Version(*row) for row in rows}

    def heads_of_type(self, hospital: str, resource_type: str) -> list[Version]:
        """The newest versions of all records of a type that are there, by key: for looking records up by content."""
        with self.database.reading() as transaction:
            rows = transaction.rows(
                _READ + "WHERE r.hospital = ? AND r.type = ? AND r.kind <> 'deleted' AND v.ordinal = r.ordinal",
                (hospital, resource_type),
            )
        return sorted((Version(*row) for row in rows), key=lambda version: version.key)

    def keys_of_patient(self, hospital: str, patient: str) -> list[str]:
        """The keys of all records of a hospital's patient: to be mapped again when the patient becomes another
        subject."""
        with self.database.reading() as transaction:
            rows = transaction.rows("SELECT key FROM resource WHERE hospital = ? AND patient = ?", (hospital, patient))
        return sorted(row[0] for row in rows)

    def last_seq(self, hospital: str) -> int:
        """The sequence number of the hospital's newest version; 0 without any."""
        with self.database.reading() as transaction:
            return _last_seq(transaction, hospital)

    def forget_run(self, run: int) -> None:
        """Frees what was remembered of a run's entries to tell repeated from unchanged."""
        self._seen.pop(run, None)


def all_versions(vault: Raw, hospital: str, after_seq: int, limit: int) -> Iterator[list[Version]]:
    """Batches of versions until there are no more."""
    while batch := vault.versions(hospital, after_seq, limit):
        yield batch
        after_seq = batch[-1].seq


def _last_seq(transaction: Transaction, hospital: str) -> int:
    return int(transaction.value("SELECT last FROM sequence WHERE hospital = ?", (hospital,)) or 0)


def _resources(transaction: Transaction, keys: Collection[str]) -> Iterator[Any]:
    return transaction.rows_in(f"SELECT {', '.join(_RESOURCE)} FROM resource WHERE key IN (?)", keys)


def _states(transaction: Transaction, keys: Collection[str]) -> dict[str, _State]:
    return {row[0]: _State(row[1], row[2], row[3], row[4], row[5], row[6], row[7],
                           Seen(row[8], row[9], row[7] == _DELETED, row[10], row[11]))
            for row in _resources(transaction, keys)}


def _storable(kept: tuple[Kept, ...]) -> tuple[list[Kept], tuple[Damage, ...]]:
    if storable("".join([text for item in kept for text in _texts(item)])):
        return list(kept), ()
    good: list[Kept] = []
    bad: list[Damage] = []
    for item in kept:
        entry = item.entry
        if storable("".join(_texts(item))):
            good.append(item)
        else:
            bad.append(Damage(code="bad_text", message="id, version or time holds NUL or a lone surrogate",
                              position=-1, length=len(entry.body), sha256=hashlib.sha256(entry.body).hexdigest(),
                              body=entry.body))
    return good, tuple(bad)


def _texts(item: Kept) -> tuple[str, ...]:
    entry = item.entry
    return entry.type, entry.id, entry.version_id, entry.last_updated, item.patient or ""


def _write(transaction: Transaction, intake: _Intake, run: int, at: str) -> None:
    """Gives the new versions their places in the hospital's sequence and writes them."""
    if not intake.versions:
        return
    count = len(intake.versions)
    last = transaction.value("INSERT INTO sequence (hospital, last) VALUES (?, ?) ON CONFLICT (hospital) "
                             "DO UPDATE SET last = sequence.last + excluded.last RETURNING last",
                             (intake.hospital, count))
    numbered = [(key, ordinal, intake.hospital, seq, *told, "identity", url, at, run, was_head)
                for seq, (key, ordinal, *told, url, was_head) in enumerate(intake.versions, start=last - count + 1)]
    states = intake.states
    transaction.insert("resource", _RESOURCE, [states[key].row(key) for key in sorted(intake.begun)])
    transaction.upsert("resource", _RESOURCE, ("key",),
                       [states[key].row(key) for key in sorted(intake.changed - intake.begun)])
    transaction.insert("version", _VERSION, numbered)

