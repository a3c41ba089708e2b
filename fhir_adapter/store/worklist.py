"""The queue of conflicts as a person asks for it: filtered, counted, paged by key, always through an index.

`worklist` is a projection like `completeness`: one row a conflict, outside the digest, made from the conflicts of the
trial and from what the vault knows of people's work on them.
"""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import json
import secrets
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.engine import Database
from fhir_adapter.store.opened_trial import OpenTrial, require_fence
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import Transaction, listed
from fhir_adapter.store.trial_tables import TrialTables

COLUMNS = tuple(WorkRow.__struct_fields__)


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """What a queue is asked for; an empty field asks for all. `scope`: the hospitals that may be seen (None: all)."""

    kind: str = ""
    state: str = "todo"
    severity: str = ""
    hospital: str = ""
    subject: str = ""
    code: str = ""
    assignee: str = ""
    query: str = ""
    since: str = ""
    before: str = ""
    search: str = ""
    keys: tuple[str, ...] = ()
    scope: tuple[str, ...] | None = None


TODO = ("open", "deferred", "proposed", "changed")
"""States in which somebody still has to do something."""

FEW = 5_000
"""Up to so many rows of a filter are sorted; more are met soon enough by walking the queue in its order."""

MARK = "worklist"
"""The trial's cursor that moves with every change of the queue: what was counted at the same mark still holds."""

KEPT = 500
"""Filters whose counts are kept."""

Group = tuple[str, bool, str, str, str, int]
"""Kind, blocking, hospitals (JSON), assignee, state, and how many rows."""


class Worklist(OpenTrial):
    """Reading and writing the queue."""

    def __init__(self, database: Database, tables: TrialTables) -> None:
        super().__init__(database, tables)
        self._counted: dict[Filter, tuple[int, list[Group]]] = {}

    def listed_conflicts(self, asked: Filter, after: tuple[int, str] | None, size: int,
                         total: int | None = None) -> list[WorkRow]:
        """Up to `size` rows after a place (place, key). `total`, where it is known, tells how best to find them."""
        if total == 0:
            return []
        where, values = self._where(asked)
        if after is not None:
            where += " AND (place, conflict_key) > (?, ?)"
            values += after
        place = "place + 0" if total is not None and total <= FEW else "place"  # not by the index of the whole queue
        sql = f"SELECT {listed(COLUMNS)} FROM worklist WHERE {where} ORDER BY {place}, conflict_key LIMIT ?"
        with self.database.reading() as transaction:
            return [_row(row) for row in transaction.rows(sql, (*values, size))]

    def counted_conflicts(self, asked: Filter) -> list[Group]:
        """How many rows a filter finds, by kind, blocking, hospitals, assignee and state; counted once a change."""
        where, values = self._where(asked)
        by = "state, kind, blocking, hospitals, assignee"
        with self.database.reading() as transaction:
            mark = transaction.value("SELECT seq FROM cursor WHERE name = ?", (MARK,)) or 0
            known = self._counted.get(asked)
            if known is not None and known[0] == mark:
                return known[1]
            found = [(kind, bool(blocking), hospitals, assignee, state, number)
                     for state, kind, blocking, hospitals, assignee, number in transaction.rows(
                         f"SELECT {by}, count(*) FROM worklist WHERE {where} GROUP BY {by}", values)]
        if len(self._counted) >= KEPT:
            self._counted.clear()
        self._counted[asked] = (mark, found)
        return found

    def open_conflicts(self) -> int:
        """How many conflicts are open."""
        with self.database.reading() as transaction:
            return int(transaction.value("SELECT count(*) FROM conflict WHERE state = 'open'"))

    def open_by_subject(self, asked: Filter) -> dict[str, tuple[int, int]]:
        """How many conflicts of each subject a filter finds: blocking ones, others."""
        where, values = self._where(asked)
        found: dict[str, tuple[int, int]] = {}
        with self.database.reading() as transaction:
            for subject, blocking, number in transaction.rows(
                    f"SELECT subject, blocking, count(*) FROM worklist WHERE {where} GROUP BY subject, blocking",
                    values):
                before = found.get(subject, (0, 0))
                found[subject] = (before[0] + number, before[1]) if blocking else (before[0], before[1] + number)
        return found

    def keys_of(self, asked: Filter, most: int) -> list[str]:
        """The keys of up to `most` conflicts of a filter, in the queue's order."""
        where, values = self._where(asked)
        with self.database.reading() as transaction:
            return [row[0] for row in transaction.rows(
                f"SELECT conflict_key FROM worklist WHERE {where} ORDER BY place, conflict_key LIMIT ?",
                (*values, most))]

    def work_rows(self, keys: Collection[str]) -> dict[str, WorkRow]:
        """The rows of these conflicts."""
        with self.database.reading() as transaction:
            return {row[0]: _row(row) for row in transaction.rows_in(
                f"SELECT {listed(COLUMNS)} FROM worklist WHERE conflict_key IN (?)", list(keys))}

    def conflict_row(self, key: str) -> dict[str, Any] | None:
        """One conflict."""
        found = self.rows("conflict", "key", [key])
        return found[0] if found else None

    def all_work(self) -> dict[str, tuple[Any, ...]]:
        """Every row as the database has it, by key."""
        with self.database.reading() as transaction:
            return {row[0]: tuple(row) for row in transaction.rows(f"SELECT {listed(COLUMNS)} FROM worklist")}

    def write_work(self, lease: Lease, rows: Sequence[WorkRow], gone: Collection[str] = ()) -> None:
        """Writes rows and removes others, in one transaction.

        Raises:
            LeaseHeld: a later holder of the lease has written here.
        """
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            transaction.run_in("DELETE FROM worklist WHERE conflict_key IN (?)", list(gone))
            transaction.upsert("worklist", COLUMNS, ("conflict_key",),
                               [self.tuple_of("worklist", row) for row in rows])
            _moved(transaction)

    def mark_work(self, keys: Collection[str], changes: dict[str, Any]) -> None:
        """What people have just done, shown at once; the next projection says the same from the vault."""
        sets = ", ".join(f"{name} = ?" for name in changes)
        with self.database.writing() as transaction:
            transaction.run_in(f"UPDATE worklist SET {sets} WHERE conflict_key IN (?)", list(keys),
                               list(changes.values()))
            _moved(transaction)

    def _where(self, asked: Filter) -> tuple[str, list[Any]]:
        return _where(asked, "strpos(words, ?)" if self.database.backend == "postgresql" else "instr(words, ?)")


def _moved(transaction: Transaction) -> None:
    """Begins anywhere, so that no two databases in the same place are taken for one another."""
    transaction.run("INSERT INTO cursor (name, seq, digest) VALUES (?, ?, '') "
                    "ON CONFLICT (name) DO UPDATE SET seq = cursor.seq + 1", (MARK, secrets.randbelow(10**9)))


def _row(row: Any) -> WorkRow:
    values = dict(zip(COLUMNS, row, strict=True))
    values["blocking"] = bool(values["blocking"])
    return WorkRow(**values)


def _where(asked: Filter, holds: str) -> tuple[str, list[Any]]:
    """A filter as SQL: only constants of ours in the text, everything asked for in the values."""
    parts: list[str] = ["1 = 1"]
    values: list[Any] = []

    def add(sql: str, *given: Any) -> None:
        parts.append(sql)
        values.extend(given)

    for name in ("kind", "subject", "code", "query"):
        if getattr(asked, name):
            add(f"{name} = ?", getattr(asked, name))
    state = "+state" if asked.search and holds.startswith("instr") else "state"  # SQLite: read the table as it lies
    if asked.state == "todo":
        add(f"{state} IN ({', '.join('?' * len(TODO))})", *TODO)
    elif asked.state != "all":
        add(f"{state} = ?", asked.state)
    if asked.severity:
        add("blocking = ?", asked.severity == "blocking")
    if asked.assignee:
        add("assignee = ?", "" if asked.assignee == "nobody" else asked.assignee)
    if asked.since:
        add("since >= ?", asked.since)
    if asked.before:
        add("since < ?", asked.before)
    if asked.hospital:
        add("hospitals LIKE ? ESCAPE '!'", _holding(json.dumps(asked.hospital)))
    if asked.search:
        add(f"{holds} > 0", asked.search.lower())
    if asked.scope is not None:
        said = " OR ".join(["hospitals LIKE ? ESCAPE '!'"] * len(asked.scope)) or "1 = 0"
        add(f"({said})", *(_holding(json.dumps(one)) for one in asked.scope))
    if asked.keys:
        add(f"conflict_key IN ({', '.join('?' * len(asked.keys))})", *asked.keys)
    return " AND ".join(parts), values


def _holding(text: str) -> str:
    for sign in "!%_":
        text = text.replace(sign, "!" + sign)
    return f"%{text}%"

