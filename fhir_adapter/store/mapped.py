"""Writing what mapping found: origins, facts, problems, doubts, and the cursor, in one transaction."""

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Any

from fhir_adapter.core.conflicts import Doubt, Standing
from fhir_adapter.core.problems import Problem
from fhir_adapter.store.batches import MappedRecord, Place
from fhir_adapter.store.instants import as_json, cleaned
from fhir_adapter.store.opened_trial import OpenTrial, clean_row, clean_rows, require_fence
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import Transaction
from fhir_adapter.store.trial_tables import fact_rows

_PAIR = ("resource", "ordinal")


class MappedFacts(OpenTrial):
    """The trial's side of mapping."""

    def write_mapping(self, lease: Lease, hospital: str, batch: Sequence[MappedRecord], place: Place | None) -> None:
        """Replaces what these versions said before by what they say now, and moves the hospital's cursor.

        Facts of other versions of the same records become superseded when the batch holds the newest one. The
        subjects concerned, before and now, are touched. `place` None leaves the cursor (a record mapped again because
        another one changed). One transaction: hand in at most about 1,000 rows or 1 s of work at a time.

        Raises:
            LeaseHeld: a later holder of the lease has written here.
        """
        resources = {record.resource for record in batch}
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            known = {(row[0], row[1]): (row[2], bool(row[3])) for row in transaction.rows_in(
                "SELECT resource, ordinal, subject, is_head FROM origin WHERE resource IN (?)", resources)}
            pairs = {(record.resource, record.ordinal) for record in batch}
            self._remove(transaction, sorted(pairs & set(known)))
            heads = {record.resource: record.ordinal for record in batch if record.is_head}
            late = [pair for pair, (_, is_head) in sorted(known.items())
                    if is_head and pair not in pairs and heads.get(pair[0], pair[1]) != pair[1]]
            self._supersede(transaction, late)
            self._add(transaction, batch, known)
            _depend(transaction, batch)
            subjects = {record.subject for record in batch} | {
                subject for pair, (subject, _) in known.items() if pair in pairs or pair in late}
            touch(transaction, subjects)
            _place(transaction, batch)
            if place is not None:
                _move(transaction, hospital, place)

    def cursor(self, name: str) -> Place:
        """Where a hospital's mapping (or `decisions`) stands; the beginning if it never began."""
        with self.database.reading() as transaction:
            row = transaction.row("SELECT seq, digest FROM cursor WHERE name = ?", (name,))
        return Place() if row is None else Place(row[0], row[1])

    def set_cursor(self, lease: Lease, name: str, place: Place) -> None:
        """Moves a cursor by itself: the one over decisions, or one back to the beginning for a changed mapping."""
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            _move(transaction, name, place)

    def touched(self) -> list[str]:
        """The subjects whose facts have changed since their conclusions were drawn."""
        with self.database.reading() as transaction:
            return sorted(row[0] for row in transaction.rows("SELECT subject FROM touched"))

    def sizes(self, subjects: Collection[str]) -> dict[str, int]:
        """How many versions of records each of these subjects has; one without any is left out."""
        with self.database.reading() as transaction:
            return {row[0]: row[1] for row in transaction.rows_in(
                "SELECT subject, count(*) FROM origin WHERE subject IN (?) GROUP BY subject", subjects)}

    def touch(self, lease: Lease, subjects: Collection[str]) -> None:
        """Marks subjects to be settled and derived again, for example because a decision concerns them."""
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            touch(transaction, subjects)

    def dependents(self, keys: Collection[str]) -> set[str]:
        """The records that were mapped with a look at one of these."""
        with self.database.reading() as transaction:
            return {row[0] for row in transaction.rows_in("SELECT resource FROM dependency WHERE needs IN (?)", keys)}

    def placements(self, hospital: str) -> dict[str, str]:
        """As which subjects the hospital's patients were mapped last, by opaque key: where the identity map says
        otherwise, the patient's records must be mapped again."""
        with self.database.reading() as transaction:
            rows = transaction.rows("SELECT patient, subject FROM placement WHERE hospital = ?", (hospital,))
        return {row[0]: row[1] for row in rows}

    def forget_records(self, lease: Lease, keys: Collection[str]) -> None:
        """Removes all that was made of these records: their persons were erased. Their subjects are touched."""
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            rows = list(transaction.rows_in(
                "SELECT resource, ordinal, subject FROM origin WHERE resource IN (?)", keys))
            pairs = sorted((row[0], row[1]) for row in rows)
            self._remove(transaction, pairs)
            transaction.delete("origin", _PAIR, pairs)
            for statement in ("dependency WHERE resource", "dependency WHERE needs", "placement WHERE patient",
                              "fact_origin WHERE resource"):
                transaction.run_in(f"DELETE FROM {statement} IN (?)", keys)  # noqa: S608 - written above
            touch(transaction, {row[2] for row in rows})

    def _remove(self, transaction: Transaction, pairs: Sequence[tuple[str, int]]) -> None:
        if not pairs:
            return
        transaction.delete_from_all((*self.tables.facts, "problem", "doubt"), _PAIR, pairs)
        transaction.delete("fact_origin", ("stated_in", "stated_ordinal"), pairs)

    def _supersede(self, transaction: Transaction, pairs: Sequence[tuple[str, int]]) -> None:
        if not pairs:
            return
        transaction.update("origin", ("is_head",), _PAIR, [(False, *pair) for pair in pairs])
        rows = [(Standing.SUPERSEDED.value, None, *pair) for pair in pairs]
        for table in self.tables.facts:
            transaction.update(table, ("standing", "held_by"), _PAIR, rows)

    def _add(self, transaction: Transaction, batch: Sequence[MappedRecord], known: Collection[tuple[str, int]]) -> None:
        origins = clean_rows([(record.resource, record.ordinal, record.hospital, record.type, record.subject,
                               record.outcome, record.reason, record.is_head) for record in batch])
        columns = self.tables.columns("origin")
        transaction.insert("origin", columns, [row for row in origins if row[:2] not in known])
        transaction.upsert("origin", columns, _PAIR, [row for row in origins if row[:2] in known])
        for table, rows in self._fact_rows(batch).items():
            transaction.insert(table, self.tables.columns(table), rows)
        problems = {row[0]: row for record in batch for row in _problems(record)}
        transaction.insert("problem", self.tables.columns("problem"), list(problems.values()))
        doubts = {row[0]: row for record in batch for row in _doubts(record)}
        transaction.insert("doubt", self.tables.columns("doubt"), list(doubts.values()))
        more = {(*row, record.resource, record.ordinal) for record in batch for row in record.more_origins}
        transaction.insert("fact_origin", self.tables.columns("fact_origin"), sorted(more))

    def _fact_rows(self, batch: Sequence[MappedRecord]) -> dict[str, list[tuple[Any, ...]]]:
        text = self.database.backend == "sqlite"
        rows: dict[str, list[tuple[Any, ...]]] = {}
        for record in batch:
            standing = Standing.CURRENT.value if record.is_head else Standing.SUPERSEDED.value
            for table, key, fact in record.facts:
                head = (key, record.subject, record.hospital, record.resource, record.ordinal)
                rows.setdefault(table, []).append(fact_rows(type(fact), text).row(head, standing, fact))
        return {table: clean_rows(found) for table, found in rows.items()}


def touch(transaction: Transaction, subjects: Iterable[str | None]) -> None:
    """Notes subjects to be settled and derived again."""
    named = sorted({subject for subject in subjects if subject is not None})
    transaction.upsert("touched", ("subject",), ("subject",), [(subject,) for subject in named])


def _move(transaction: Transaction, name: str, place: Place) -> None:
    transaction.upsert("cursor", ("name", "seq", "digest"), ("name",), [(name, place.seq, place.digest)])


def _depend(transaction: Transaction, batch: Sequence[MappedRecord]) -> None:
    needs = {(record.resource, key) for record in batch if record.is_head for key in record.needs}
    heads = {record.resource for record in batch if record.is_head}
    known = {(row[0], row[1]) for row in transaction.rows_in(
        "SELECT resource, needs FROM dependency WHERE resource IN (?)", heads)}
    transaction.delete("dependency", ("resource", "needs"), sorted(known - needs))
    transaction.insert("dependency", ("resource", "needs"), sorted(needs - known))


def _place(transaction: Transaction, batch: Sequence[MappedRecord]) -> None:
    places = {(record.hospital, record.patient): record.subject for record in batch
              if record.patient is not None and record.subject is not None}
    transaction.upsert("placement", ("hospital", "patient", "subject"), ("hospital", "patient"),
                       [(*pair, subject) for pair, subject in sorted(places.items())])


def row_key(*parts: object) -> str:
    """A row's key from what it says: 128 bits of SHA-256 over the parts."""
    return hashlib.sha256(as_json([str(part) for part in parts]).encode()).hexdigest()[:32]


def _problems(record: MappedRecord) -> Iterable[tuple[Any, ...]]:
    for problem in record.problems:
        yield _problem(problem, record)


def _problem(problem: Problem, record: MappedRecord) -> tuple[Any, ...]:
    where = (record.hospital, record.type, record.resource, record.ordinal, problem.origin.element)
    _, code, message, *place, subject, refuses = clean_row(
        ("", problem.code, problem.message, *where, record.subject, problem.refuses))
    return (row_key(code, *place, message), code, message, *place, subject, refuses)


def _doubts(record: MappedRecord) -> Iterable[tuple[Any, ...]]:
    for doubt in record.doubts:
        yield _doubt(doubt, record)


def _doubt(doubt: Doubt, record: MappedRecord) -> tuple[Any, ...]:
    where = (record.hospital, record.type, record.resource, record.ordinal, doubt.origin.element)
    kind, scope, *place, subject, message, values, holds = clean_row(
        (doubt.kind, _listed(doubt.scope), *where, record.subject, doubt.message, _listed(doubt.values), doubt.holds))
    return (row_key(kind, scope, *place, values), kind, scope, *place, subject, message, values, holds)


def _listed(texts: tuple[str, ...]) -> str:
    return as_json([cleaned(text) for text in texts]) if texts else ""
