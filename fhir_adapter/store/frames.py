"""Whole tables as pandas frames: for settling, deriving, reports and files."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Collection
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from fhir_adapter.core.conflicts import Standing
from fhir_adapter.store.opened_trial import DECIDED, OpenTrial
from fhir_adapter.store.transaction import Transaction

if TYPE_CHECKING:
    import pandas as pd

COUNTED = (Standing.CURRENT.value, Standing.HELD.value)
"""Standings of facts that endpoints see."""


class Frames(OpenTrial):
    """Reading tables as frames."""

    def frames(self, tables: Collection[str], subjects: Collection[str] | None = None,
               standings: Collection[str] | None = None, *, decided: bool = True) -> "dict[str, pd.DataFrame]":
        """One frame a table, rows by primary key.

        `subjects` None means all; else only rows of these (a table without the column `subject` is given whole).
        `standings` chooses facts, for example `COUNTED`; `decided` False leaves out facts that decisions state, as
        settling makes them anew. Fact frames also have `held_kind`, the kind of the open conflict that holds the fact.
        Text and partial dates are str or None, decimals Decimal or None, booleans True, False or None (object);
        integers are int64, or float64 with NaN where some are missing.
        """
        with self.database.reading() as transaction:
            return {table: self._frame(transaction, table, subjects, (standings, decided)) for table in tables}

    def _frame(self, transaction: Transaction, table: str, subjects: Collection[str] | None,
               choice: tuple[Collection[str] | None, bool]) -> "pd.DataFrame":
        names = list(self.tables.columns(table))
        is_fact = table in self.tables.facts
        selected = [f't."{name}"' for name in names]
        source = f"{table} t"
        conditions: list[str] = []
        values: list[Any] = []
        if is_fact:
            selected.append("c.kind")
            source += f" LEFT JOIN conflict c ON c.key = t.held_by AND t.standing = '{Standing.HELD.value}'"
            standings, decided = choice
            if not decided:
                conditions.append(f"t.hospital <> '{DECIDED}'")
            if standings is not None:
                conditions.append(f"t.standing IN ({', '.join('?' * len(standings))})")
                values += list(standings)
        by_subject = subjects is not None and "subject" in names
        where = [*conditions, *(["t.subject IN (?)"] if by_subject else [])]
        sql = f"SELECT {', '.join(selected)} FROM {source}" + (f" WHERE {' AND '.join(where)}" if where else "")
        if by_subject:
            rows = [tuple(row) for row in transaction.rows_in(sql, list(subjects or ()), values)]
        else:
            rows = [tuple(row) for row in transaction.rows(sql, values)]
        places = [names.index(name) for name in self.tables.key(table)]
        rows.sort(key=lambda row: tuple(row[place] for place in places))
        kinds = {**self.tables.kinds(table), **({"held_kind": "text"} if is_fact else {})}
        return _assembled(kinds, rows)


def _assembled(kinds: dict[str, str], rows: list[tuple[Any, ...]]) -> "pd.DataFrame":
    import pandas as pd

    columns = list(zip(*rows, strict=True)) if rows else [()] * len(kinds)
    series = {name: _series(kind, values) for (name, kind), values in zip(kinds.items(), columns, strict=True)}
    return pd.DataFrame(series, columns=list(kinds))


def _series(kind: str, values: tuple[Any, ...]) -> "pd.Series[Any]":
    import pandas as pd

    if kind == "int":
        missing = None in values
        filled = [float("nan") if value is None else value for value in values] if missing else list(values)
        return pd.Series(filled, dtype="float64" if missing else "int64")
    if kind == "decimal":
        return pd.Series([None if value is None else Decimal(value) for value in values], dtype=object)
    if kind == "bool":
        return pd.Series([None if value is None else bool(value) for value in values], dtype=object)
    return pd.Series(list(values), dtype=object)
