"""All tables of a trial database as one metadata: the store's own and those that it was handed."""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import cache, cached_property, lru_cache
from operator import attrgetter
from typing import Any, cast

import msgspec
from sqlalchemy import Boolean, ForeignKeyConstraint, Index, Integer, MetaData, PrimaryKeyConstraint, Table
from sqlmodel import SQLModel

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.core.facts import Fact
from fhir_adapter.core.tables import FACT_COLUMNS, ExactDecimal, check_of, columns_of, sql_column
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
        specs = columns_of(fact, skip=("element", "index"))
        self._get: Callable[[Fact], tuple[Any, ...]] = attrgetter("element", "index", *(spec.field for spec in specs))
        self._dates = [place for place, spec in enumerate(specs, start=2) if spec.part == "text"]
        self._decimals = [place for place, spec in enumerate(specs, start=2)
                          if decimals_as_text and spec.type is Decimal]

    def row(self, head: tuple[Any, ...], standing: str, fact: Fact) -> tuple[Any, ...]:
        """The whole row: `head` (up to the ordinal), element and index, `standing`, held by nobody, the fact's own."""
        values = list(self._get(fact))
        for place in self._dates:
            if values[place] is not None:
                values[place : place + 3] = _parts(values[place])
        for place in self._decimals:
            if values[place] is not None:
                values[place] = str(values[place])
        return (*head, *values[:2], standing, None, *values[2:])


@cache
def fact_rows(fact: type[Fact], decimals_as_text: bool) -> FactRows:
    """How facts of a Struct become rows; found out once."""
    return FactRows(fact, decimals_as_text=decimals_as_text)


@lru_cache(maxsize=16_384)
def _parts(date: PartialDate) -> tuple[str, str, str]:
    """A date's three columns."""
    return date.text, date.precision.value, date.written


def plain(values: Iterable[Any]) -> tuple[Any, ...]:
    """A row fit for SQLite's driver: decimals as text."""
    return tuple(str(value) if isinstance(value, Decimal) else value for value in values)
