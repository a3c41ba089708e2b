"""From a declared record to its SQL table: one declaration, one table, one line of the data dictionary a column."""

from collections.abc import Iterable
from decimal import Decimal
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import msgspec
from sqlalchemy import CheckConstraint, Column, Numeric, Text, TypeDecorator
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import registry
from sqlalchemy.types import Boolean, Integer
from sqlmodel import Field, SQLModel

from fhir_adapter.core.dates import PartialDate


class ExactDecimal(TypeDecorator[Decimal]):
    """A decimal that stays exact: NUMERIC on PostgreSQL, text on SQLite."""

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """Text on SQLite, whose NUMERIC would become a float."""
        return dialect.type_descriptor(Text() if dialect.name == "sqlite" else Numeric(asdecimal=True))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        """To the database."""
        return str(value) if value is not None and dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        """From the database."""
        return None if value is None else Decimal(value)


class ColumnSpec(msgspec.Struct, frozen=True):
    """One SQL column: where its value comes from in the record, and what it means."""

    name: str
    type: type[Any]
    nullable: bool
    meaning: str
    unit: str = ""
    codes: tuple[str, ...] = ()
    source: str = ""
    field: str = ""
    part: str = ""


_SQL_TYPES: dict[type[Any], Any] = {str: Text, int: Integer, bool: Boolean, Decimal: ExactDecimal}

FACT_COLUMNS = (
    ColumnSpec("fact_key", str, False, "128-bit hash of resource key, ordinal, domain, element path and index"),
    ColumnSpec("subject", str, False, "trial number of the subject"),
    ColumnSpec("hospital", str, False, "hospital that states it"),
    ColumnSpec("resource", str, False, "opaque key of the record"),
    ColumnSpec("ordinal", int, False, "version of the record, counted by us from 1"),
    ColumnSpec("element", str, False, "element path inside the record"),
    ColumnSpec("position", int, False, "tells facts of one element apart"),
    ColumnSpec("standing", str, False, "what the fact counts for",
               codes=("current", "held", "overruled", "superseded", "retracted")),
    ColumnSpec("held_by", str, True, "key of the open conflict that holds it, or of the decision that overrules it"),
)
"""The columns that stand before every domain's own."""


def columns_of(record: type[msgspec.Struct], *, skip: tuple[str, ...] = ()) -> tuple[ColumnSpec, ...]:
    """The columns of a declared record in order; a PartialDate becomes `x`, `x_precision` and `x_written`.

    `x` is the local calendar date as text (`YYYY`, `YYYY-MM` or `YYYY-MM-DD`), which sorts by its earliest day.
    """
    hints = get_type_hints(record, include_extras=True)
    specs: list[ColumnSpec] = []
    for field in msgspec.structs.fields(record):
        if field.name not in skip:
            specs.extend(_columns(field.name, hints[field.name]))
    return tuple(specs)


def _columns(name: str, hint: Any) -> tuple[ColumnSpec, ...]:
    plain, meta = (hint.__origin__, hint.__metadata__[0]) if get_origin(hint) is Annotated else (hint, msgspec.Meta())
    options = get_args(plain) if get_origin(plain) in (Union, UnionType) else (plain,)
    nullable = NoneType in options
    kind = next(option for option in options if option is not NoneType)
    about: dict[str, Any] = {"meaning": meta.description or "", **(meta.extra or {})}
    if kind is not PartialDate:
        return (ColumnSpec(name, kind, nullable, field=name, **about),)
    note = about["meaning"]
    return (
        ColumnSpec(name, str, nullable, field=name, part="text", **about),
        ColumnSpec(f"{name}_precision", str, nullable, f"{note}: precision", field=name, part="precision",
                   codes=("year", "month", "day")),
        ColumnSpec(f"{name}_written", str, nullable, f"{note}: as written, with its offset", field=name,
                   part="written"),
    )


def sql_column(spec: ColumnSpec, *, primary_key: bool = False) -> Column[Any]:
    """The SQLAlchemy column of a spec, with its meaning as comment."""
    return Column(spec.name, _SQL_TYPES[spec.type](), nullable=spec.nullable, primary_key=primary_key,
                  comment=spec.meaning)


def check_of(table: str, spec: ColumnSpec) -> CheckConstraint | None:
    """The CHECK of a closed code list; None for an open column."""
    if not spec.codes:
        return None
    return CheckConstraint(one_of(spec.name, spec.codes), name=f"ck_{table}_{spec.name}")


def one_of(column: str, values: Iterable[str]) -> str:
    """The condition that a column holds one of these texts, or nothing.

    Comparison by comparison: for `IN (...)` of three and more SQLite fills a temporary table anew with each row that
    is written, which was half of what writing facts cost.
    """
    return " OR ".join(f"{column} = '{value}'" for value in values)


def table_of(name: str, specs: tuple[ColumnSpec, ...], key: tuple[str, ...], title: str) -> type[SQLModel]:
    """A SQLModel table built from declared columns; `key` names its primary key. Each has a registry of its own."""
    annotations: dict[str, Any] = {}
    namespace: dict[str, Any] = {"__tablename__": name, "__doc__": title, "__module__": __name__}
    for spec in specs:
        annotations[spec.name] = spec.type | None if spec.nullable else spec.type
        namespace[spec.name] = Field(
            default=None if spec.nullable else ..., sa_column=sql_column(spec, primary_key=spec.name in key)
        )
    checks = tuple(check for spec in specs if (check := check_of(name, spec)) is not None)
    namespace["__annotations__"] = annotations
    namespace["__table_args__"] = (*checks, {"comment": title})
    metaclass: Any = type(SQLModel)
    base = metaclass("Base", (SQLModel,), {"__module__": __name__}, registry=registry())
    table: type[SQLModel] = metaclass(_class_name(name), (base,), namespace, table=True)
    return table


def _class_name(table: str) -> str:
    return "".join(part.capitalize() for part in table.split("_"))
