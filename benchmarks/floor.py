"""The least that anybody must do for the same result: scan the pages, write the very rows that we store by key.

The scan is msgspec's split of a page into its entries' bytes, with the head of each read: less than a simdjson parse
costs (performance.md §1). The rows are those of `version` (raw bodies), `origin` and the fact tables, read back from
the measured run, ready for the driver. As in performance.md §8 each table has its key and one index, and nothing else:
no CHECK, no foreign key; 1,000 resources a transaction; SQLite, opened as the adapter opens it, by upsert, PostgreSQL
by COPY straight into the table.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.engine import open_database
from fhir_adapter.store.transaction import listed

AT_ONCE = 1000


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    id: str = ""


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw(b"")


class _Page(msgspec.Struct):
    entry: list[_Entry] = []


_PAGE = msgspec.json.Decoder(_Page)
_HEAD = msgspec.json.Decoder(_Head)


def scan(pages: Sequence[bytes]) -> int:
    """Splits pages into entries and reads each one's type and id; how many entries."""
    count = 0
    for page in pages:
        for entry in _PAGE.decode(page).entry:
            _HEAD.decode(entry.resource)
            count += 1
    return count


@dataclass(frozen=True)
class Rows:
    """The rows of one table, with its key and one index; `types` are the columns' SQL types on PostgreSQL."""

    table: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    index: tuple[str, ...]
    types: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def stored(work: Workspace) -> list[Rows]:
    """What a run has stored: raw versions, origins, facts; before them the `resource` rows that versions refer to."""
    vault, trial = work.vault.database, work.trial.database
    found = [_read(vault, "resource", ("key",), ("hospital", "type"))]
    found += [_read(vault, "version", ("resource", "ordinal"), ("hospital", "seq"))]
    found.append(_read(trial, "origin", ("resource", "ordinal"), ("subject",)))
    found += [_read(trial, name, ("fact_key",), ("subject",)) for name in work.trial.tables.facts]
    return [one for one in found if one.rows]


def _read(database: Any, table: str, key: tuple[str, ...], index: tuple[str, ...]) -> Rows:
    with database.engine.connect() as connection:
        result = connection.exec_driver_sql(f"SELECT * FROM {table}")
        names = tuple(result.keys())
        rows = [tuple(row) for row in result]
        types: tuple[str, ...] = ()
        if database.backend == "postgresql":
            kinds = dict(tuple(row) for row in connection.exec_driver_sql(
                "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = %s "
                "AND table_schema = current_schema()", (table,)))
            types = tuple(kinds[name] for name in names)
    return Rows(table, names, key, index, types or ("",) * len(names), rows)


def write_as_declared(work: Workspace, tables: Sequence[Rows]) -> int:
    """Writes the rows into the adapter's own empty tables, with all their indexes, foreign keys and CHECKs."""
    count = 0
    for one in tables:
        database = (work.vault if one.table in ("resource", "version") else work.trial).database
        for start in range(0, len(one.rows), AT_ONCE):
            with database.writing() as transaction:
                transaction.insert(one.table, one.columns, one.rows[start : start + AT_ONCE])
        count += len(one.rows)
    return count


def write(url: str, tables: Sequence[Rows]) -> int:
    """Writes the rows into fresh tables; how many. The database is closed at the end."""
    database = open_database(url, "floor", schema="floor", create=True)
    with database.writing() as transaction:
        for one in tables:
            columns = ", ".join(f'"{name}" {type}' for name, type in zip(one.columns, one.types, strict=True))
            transaction.run(f"CREATE TABLE floor_{one.table} ({columns}, PRIMARY KEY ({listed(one.key)}))")
            transaction.run(f"CREATE INDEX ix_floor_{one.table} ON floor_{one.table} ({listed(one.index)})")
    count = 0
    streams = [(one, iter(one.rows)) for one in tables]
    batches = len(tables[0].rows) // AT_ONCE + 1
    for _ in range(batches):
        with database.writing() as transaction:
            for one, stream in streams:
                batch = list(itertools.islice(stream, len(one.rows) // batches + 1))
                if transaction.postgres:
                    transaction.insert(f"floor_{one.table}", one.columns, batch)
                else:
                    transaction.upsert(f"floor_{one.table}", one.columns, one.key, batch)
                count += len(batch)
    database.close()
    return count
