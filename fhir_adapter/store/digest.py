"""One number for everything that the trial database says: the same on both backends, whatever came first."""
# ruff: noqa: S608 - names of tables and columns are our own

import hashlib
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec

from fhir_adapter.store.opened_trial import OpenTrial
from fhir_adapter.store.transaction import Transaction, listed

MANNER = {"site": frozenset({"mode"})}
"""Columns that tell how a hospital was asked, not what it said: searched, exported or delivered, the truth is one."""


class Digest(OpenTrial):
    """Digesting the tables that DESIGN §4 names."""

    def digest(self) -> str:
        """SHA-256 over reference, fact, problem, doubt, conflict and conclusion tables, origins, decisions and cuts.

        Tables by name, rows in key order, values in one canonical text: numbers without trailing zeros, texts as JSON.
        Not in it: run, audit_entry, completeness, the machinery, and how a site is asked.
        """
        total = hashlib.sha256()
        for digest in self.table_digests().values():
            total.update(digest.encode())
        return total.hexdigest()

    def table_digests(self) -> dict[str, str]:
        """The digest of each table by name: where two databases differ, these say in which table."""
        with self.database.reading() as transaction:
            return {table: self._table(transaction, table) for table in self.tables.digested}

    def _table(self, transaction: Transaction, table: str) -> str:
        kinds = {name: kind for name, kind in self.tables.kinds(table).items() if name not in MANNER.get(table, ())}
        found = hashlib.sha256(msgspec.json.encode([table, *kinds]))
        odd = [(place, kind) for place, kind in enumerate(kinds.values()) if kind in ("bool", "decimal")]
        for row in self._rows(transaction, table, kinds):
            values = list(row)
            for place, kind in odd:
                values[place] = _canonical(kind, values[place])
            found.update(msgspec.json.encode(values))
            found.update(b"\n")
        return found.hexdigest()

    def _rows(self, transaction: Transaction, table: str, kinds: dict[str, str]) -> Iterator[Any]:
        collate = ' COLLATE "C"' if transaction.postgres else ""
        order = ", ".join(f'"{name}"{collate if kinds[name] == "text" else ""}' for name in self.tables.key(table))
        connection = transaction.connection.execution_options(stream_results=True, yield_per=2000)
        yield from connection.exec_driver_sql(f"SELECT {listed(kinds)} FROM {table} ORDER BY {order}")


def _canonical(kind: str, value: Any) -> Any:
    if value is None:
        return None
    if kind == "bool":
        return bool(value)
    number = Decimal(value).normalize()
    return "0" if number == 0 else format(number, "f")
