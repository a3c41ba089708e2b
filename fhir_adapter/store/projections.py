"""What the trial database repeats: reference tables from the study, runs and decisions from the vault."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Mapping, Sequence
from typing import Any

from fhir_adapter.store.opened_trial import OpenTrial, require_fence
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import Transaction, listed

GROWING = ("run", "decision", "audit_entry")
"""Projections to which rows are added; what is not handed in stays."""

WHOLE = ("site", "subject", "arm", "planned_assessment", "cut", "completeness")
"""Tables that hold exactly what is handed in."""


class Projections(OpenTrial):
    """Writing and reading projections."""

    def project(self, lease: Lease, tables: Mapping[str, Sequence[Any]]) -> dict[str, int]:
        """Writes rows of the tables named in `GROWING` and `WHOLE`, only where they differ; how many, by table.

        A row is a mapping or Struct with the table's columns: core's Decision and CompletenessRow, and the vault's
        Run, AuditEntry and Cut fit as they are.

        Raises:
            LeaseHeld: a later holder of the lease has written here.
        """
        with self.database.writing() as transaction:
            require_fence(transaction, lease)
            return {table: self._project(transaction, table, rows) for table, rows in tables.items()}

    def projected(self) -> dict[str, int]:
        """The highest number of each growing table, so that only later rows need be handed in."""
        with self.database.reading() as transaction:
            return {table: int(transaction.value(f"SELECT max({self.tables.key(table)[0]}) FROM {table}") or 0)
                    for table in GROWING}

    def _project(self, transaction: Transaction, table: str, rows: Sequence[Any]) -> int:
        if table not in (*GROWING, *WHOLE):
            raise ValueError(f"{table} is no projection")
        names, key = self.tables.columns(table), self.tables.key(table)
        places = [names.index(name) for name in key]

        def keyed(row: tuple[Any, ...]) -> tuple[Any, ...]:
            return tuple(row[place] for place in places)

        new = {keyed(row): row for row in (self.tuple_of(table, item) for item in rows)}
        sql = f"SELECT {listed(names)} FROM {table}"
        if table in WHOLE:
            found = transaction.rows(sql)
        else:
            found = list(transaction.rows_in(f"{sql} WHERE {key[0]} IN (?)", [one[0] for one in new]))
        old = {keyed(tuple(row)): tuple(row) for row in found}
        gone = [one for one in old if one not in new]
        changed = [row for one, row in new.items() if old.get(one) != row]
        transaction.delete(table, key, gone)
        transaction.upsert(table, names, key, changed)
        return len(gone) + len(changed)
