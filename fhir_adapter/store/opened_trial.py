"""What every part of the trial database stands on: the open database, its tables, and the fence."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from fhir_adapter.core.errors import LeaseHeld
from fhir_adapter.store.engine import Database
from fhir_adapter.store.instants import as_json, cleaned
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import Transaction, listed
from fhir_adapter.store.trial_tables import TrialTables

DECIDED = "decision"
"""The hospital of facts that a decision states."""


class OpenTrial:
    """An open trial database and the tables that it has."""

    def __init__(self, database: Database, tables: TrialTables) -> None:
        self.database = database
        self.tables = tables

    def raise_fence(self, lease: Lease) -> None:
        """Says that this lease writes from now on: whoever held it before can write nothing more."""
        with self.database.writing() as transaction:
            require_fence(transaction, lease)

    def rows(self, table: str, column: str, values: Collection[Any]) -> list[dict[str, Any]]:
        """The rows of a table whose column has one of these values, by primary key; decimals and booleans as such."""
        names = self.tables.columns(table)
        if column not in names:
            raise ValueError(f"{table} has no column {column}")
        sql = f"SELECT {listed(names)} FROM {table} WHERE \"{column}\" IN (?)"
        with self.database.reading() as transaction:
            found = [self._typed(table, row) for row in transaction.rows_in(sql, list(values))]
        return self._sorted(table, found)

    def all_rows(self, table: str) -> list[dict[str, Any]]:
        """All rows of a table, by primary key."""
        names = self.tables.columns(table)
        with self.database.reading() as transaction:
            found = [self._typed(table, row) for row in transaction.rows(f"SELECT {listed(names)} FROM {table}")]
        return self._sorted(table, found)

    def _sorted(self, table: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return sorted(rows, key=lambda row: tuple(row[name] for name in self.tables.key(table)))

    def _typed(self, table: str, row: Iterable[Any]) -> dict[str, Any]:
        kinds = self.tables.kinds(table)
        return {name: _read(kind, value) for (name, kind), value in zip(kinds.items(), row, strict=True)}

    def tuple_of(self, table: str, item: Any) -> tuple[Any, ...]:
        """A row of a table from a mapping or Struct with its column names; what it lacks is NULL.

        A column `x_text` is also filled from `x`. Lists and mappings become JSON text.
        """
        got = item if isinstance(item, Mapping) else msgspec.structs.asdict(item)
        text = self.database.backend == "sqlite"
        return tuple(
            written(kind, got[name] if name in got else got.get(name.removesuffix("_text")), decimals_as_text=text)
            for name, kind in self.tables.kinds(table).items()
        )

    def close(self) -> None:
        """Gives the database back."""
        self.database.close()


def require_fence(transaction: Transaction, lease: Lease) -> None:
    """Checks, inside the writing transaction, that no later holder of the lease has written here.

    Raises:
        LeaseHeld: one has; nothing of this transaction is written.
    """
    lock = " FOR UPDATE" if transaction.postgres else ""
    known = transaction.value(f"SELECT number FROM fence WHERE name = ?{lock}", (lease.name,))
    if known is not None and known > lease.number:
        raise LeaseHeld(f"the lease {lease.name} was taken by another run; this one stops without writing")
    if known != lease.number:
        transaction.upsert("fence", ("name", "number"), ("name",), [(lease.name, lease.number)])


def _read(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "bool":
        return bool(value)
    return Decimal(value) if kind == "decimal" else value


def written(kind: str, value: Any, *, decimals_as_text: bool) -> Any:
    """A value as its column takes it; NaN and other marks of absence become NULL."""
    if isinstance(value, tuple | list | Mapping):
        return as_json(value)
    if value is None or type(value).__name__ in ("NAType", "NaTType") or value != value:
        return None
    if kind == "bool":
        return bool(value)
    if kind == "int":
        if int(value) != value:
            raise ValueError("a column of whole numbers was given a fraction")
        return int(value)
    if kind == "decimal":
        exact = value if isinstance(value, Decimal) else Decimal(str(value))
        return str(exact) if decimals_as_text else exact
    return cleaned(str(value))


def clean_rows(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows, with any text that a backend could not keep made keepable; a guard, mappers refuse such texts."""
    try:
        if b"\\u0000" not in msgspec.json.encode(rows):  # the quickest look at all texts of all rows
            return rows
    except (UnicodeEncodeError, OverflowError):
        pass
    return [clean_row(row) for row in rows]


def clean_row(row: tuple[Any, ...]) -> tuple[Any, ...]:
    """One row, likewise."""
    return tuple(cleaned(value) if isinstance(value, str) else value for value in row)
