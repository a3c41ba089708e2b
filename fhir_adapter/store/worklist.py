"""The queue of conflicts as a person asks for it: filtered, counted, paged by key, always through an index.

`worklist` is a projection like `completeness`: one row a conflict, outside the digest, made from the conflicts of the
trial and from what the vault knows of people's work on them.
"""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import json
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from fhir_adapter.store.bookkeeping import WorkRow
from fhir_adapter.store.opened_trial import OpenTrial, require_fence
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import listed

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


class Worklist(OpenTrial):
    """Reading and writing the queue."""

    def listed_conflicts(self, asked: Filter, after: tuple[int, str] | None, size: int) -> list[WorkRow]:
        """Up to `size` rows after a place (place, key)."""
        where, values = _where(asked)
        if after is not None:
            where += " AND (place, conflict_key) > (?, ?)"
            values += after
        sql = f"SELECT {listed(COLUMNS)} FROM worklist WHERE {where} ORDER BY place, conflict_key LIMIT ?"
        with self.database.reading() as transaction:
            return [_row(row) for row in transaction.rows(sql, (*values, size))]

    def counted_conflicts(self, asked: Filter) -> list[tuple[Any, ...]]:
        """How many rows a filter finds, by kind, blocking, hospitals, assignee and state."""
        where, values = _where(asked)
        by = "kind, blocking, hospitals, assignee, state"
        with self.database.reading() as transaction:
            return [tuple(row) for row in transaction.rows(
                f"SELECT {by}, count(*) FROM worklist WHERE {where} GROUP BY {by}", values)]

    def keys_of(self, asked: Filter, most: int) -> list[str]:
        """The keys of up to `most` conflicts of a filter, in the queue's order."""
        where, values = _where(asked)
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

    def mark_work(self, keys: Collection[str], changes: dict[str, Any]) -> None:
        """What people have just done, shown at once; the next projection says the same from the vault."""
        sets = ", ".join(f"{name} = ?" for name in changes)
        with self.database.writing() as transaction:
            transaction.run_in(f"UPDATE worklist SET {sets} WHERE conflict_key IN (?)", list(keys),
                               list(changes.values()))


def _row(row: Any) -> WorkRow:
    values = dict(zip(COLUMNS, row, strict=True))
    values["blocking"] = bool(values["blocking"])
    return WorkRow(**values)


def _where(asked: Filter) -> tuple[str, list[Any]]:
    """A filter as SQL: only constants of ours in the text, everything asked for in the values."""
    parts: list[str] = ["1 = 1"]
    values: list[Any] = []

    def add(sql: str, *given: Any) -> None:
        parts.append(sql)
        values.extend(given)

    for name in ("kind", "subject", "code", "query"):
        if getattr(asked, name):
            add(f"{name} = ?", getattr(asked, name))
    if asked.state == "todo":
        add(f"state IN ({', '.join('?' * len(TODO))})", *TODO)
    elif asked.state != "all":
        add("state = ?", asked.state)
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
        like = _holding(asked.search.lower())
        add("(lower(message) LIKE ? ESCAPE '!' OR lower(subject) LIKE ? ESCAPE '!' OR lower(code) LIKE ? ESCAPE '!' "
            "OR conflict_key LIKE ? ESCAPE '!')", like, like, like, like)
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

