"""All tables of a trial database as one metadata: the store's own and those that it was handed."""

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any, cast

import msgspec
from sqlalchemy import Boolean, ForeignKeyConstraint, Index, Integer, MetaData, PrimaryKeyConstraint, Table
from sqlmodel import SQLModel

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact
from fhir_adapter.core.tables import FACT_COLUMNS, ColumnSpec, ExactDecimal, check_of, columns_of, sql_column
from fhir_adapter.store.bookkeeping import DECLARED

BASE = tuple(spec.name for spec in FACT_COLUMNS)
"""The columns before every domain's own."""


class TrialTables:
    """The tables of a trial database: `facts` and `conclusions` by name as SQLModel classes, and the store's own."""

    def __init__(self, facts: Mapping[str, type[SQLModel]], conclusions: Mapping[str, type[SQLModel]]) -> None:
        self.facts = tuple(facts)
        self.conclusions = tuple(conclusions)
        self._handed = {**facts, **conclusions}

    @cached_property
    def metadata(self) -> MetaData:
        """Every table with its keys, foreign keys and indexes; without a schema: the search path gives it."""
        metadata = MetaData()
        for declared in DECLARED:
            specs = columns_of(declared.row)
            checks = [check for spec in specs if (check := check_of(declared.name, spec)) is not None]
            columns = [sql_column(spec) for spec in specs]
            keys = PrimaryKeyConstraint(*declared.key, name=f"pk_{declared.name}")
            indexes = [Index(f"ix_{declared.name}_{'_'.join(names)}", *names) for names in declared.indexes]
            Table(declared.name, metadata, *columns, keys, *checks, *indexes, comment=_title(declared.row))
        for name, model in self._handed.items():
            table = cast("Table", model.__table__).to_metadata(metadata)  # type: ignore[attr-defined]
            for column in table.primary_key.columns:
                column.autoincrement = False
            if name in self.facts:
                table.append_constraint(ForeignKeyConstraint(
                    ["resource", "ordinal"], ["origin.resource", "origin.ordinal"], name=f"fk_{name}_origin"))
                Index(f"ix_{name}_origin", table.c.resource, table.c.ordinal)
            if "subject" in table.c and next(iter(table.primary_key.columns)).name != "subject":
                Index(f"ix_{name}_subject", table.c.subject)
        return metadata

    @property
    def digested(self) -> tuple[str, ...]:
        """The tables under the digest, by name."""
        own = [declared.name for declared in DECLARED if declared.digested]
        return tuple(sorted((*own, *self.facts, *self.conclusions)))

    def columns(self, table: str) -> tuple[str, ...]:
        """The columns of a table in order."""
        return tuple(self.kinds(table))

    def key(self, table: str) -> tuple[str, ...]:
        """The primary key of a table."""
        return tuple(str(column.name) for column in self.metadata.tables[table].primary_key.columns)

    def kinds(self, table: str) -> dict[str, str]:
        """`text`, `int`, `bool` or `decimal` by column, in order."""
        return self.kinds_by_table[table]

    @cached_property
    def kinds_by_table(self) -> dict[str, dict[str, str]]:
        """The same for every table, by name."""
        return {name: {str(column.name): _kind(column.type) for column in table.columns}
                for name, table in self.metadata.tables.items()}


def _title(row: type[msgspec.Struct]) -> str:
    return (row.__doc__ or "").strip().splitlines()[0]


def _kind(type_: Any) -> str:
    if isinstance(type_, ExactDecimal):
        return "decimal"
    if isinstance(type_, Boolean):
        return "bool"
    return "int" if isinstance(type_, Integer) else "text"


class FactRows:
    """Turns facts of one Struct into rows of their table: the domain's own columns in order."""

    def __init__(self, fact: type[Fact], *, decimals_as_text: bool) -> None:
        self._steps = [_step(spec, decimals_as_text) for spec in columns_of(fact, skip=("element", "index"))]

    def own(self, fact: Fact) -> tuple[Any, ...]:
        """The domain's own columns of a fact."""
        return tuple(_value(getattr(fact, field), part, text) for field, part, text in self._steps)


def _step(spec: ColumnSpec, decimals_as_text: bool) -> tuple[str, str, bool]:
    return spec.field, spec.part, decimals_as_text and spec.type is Decimal


def _value(value: Any, part: str, as_text: bool) -> Any:
    if value is None:
        return None
    if part:
        date: PartialDate = value
        return date.text if part == "text" else date.written if part == "written" else date.precision.value
    return str(value) if as_text else value


def plain(values: Iterable[Any]) -> tuple[Any, ...]:
    """A row fit for SQLite's driver: decimals as text."""
    return tuple(str(value) if isinstance(value, Decimal) else value for value in values)
