"""Small looks at both databases: every table's rows, and which tables a step has written to."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from fhir_adapter.store.engine import Database
from fhir_adapter.store.transaction import Transaction

OBSERVED = "observed_writes"
Rows = dict[str, "Counter[tuple[Any, ...]]"]


def tables(transaction: Transaction) -> list[str]:
    """The tables of a database that hold data of ours."""
    if transaction.postgres:
        sql = ("SELECT table_name FROM information_schema.tables WHERE table_schema = current_schema() "
               "AND table_type = 'BASE TABLE'")
    else:
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    return sorted(row[0] for row in transaction.rows(sql) if row[0] != OBSERVED)


def rows(database: Database) -> Rows:
    """Every row of every table; on PostgreSQL with the transaction that wrote it, so that rewriting shows too."""
    with database.reading() as transaction:
        mark = "xmin::text, " if transaction.postgres else ""
        return {table: Counter(tuple(row) for row in transaction.rows(f'SELECT {mark}* FROM "{table}"'))
                for table in tables(transaction)}


def changed(before: Rows, after: Rows) -> set[str]:
    """The tables whose rows are others now."""
    return {table for table in before | after if before.get(table) != after.get(table)}


@contextmanager
def written(database: Database) -> Iterator[set[str]]:
    """The tables that the block writes to, also where it writes what was there already."""
    found: set[str] = set()
    if database.backend == "sqlite":
        with database.writing() as transaction:
            transaction.run(f"CREATE TABLE {OBSERVED} (name TEXT)")
            for table in tables(transaction):
                for action in ("INSERT", "UPDATE", "DELETE"):
                    transaction.run(f"CREATE TRIGGER observe_{table}_{action} AFTER {action} ON \"{table}\" "
                                    f"BEGIN INSERT INTO {OBSERVED} VALUES ('{table}'); END")
    before = rows(database)
    yield found
    found |= changed(before, rows(database))
    if database.backend == "sqlite":
        with database.writing() as transaction:
            found |= {row[0] for row in transaction.rows(f"SELECT DISTINCT name FROM {OBSERVED}")}
            for name in tables(transaction):
                for action in ("INSERT", "UPDATE", "DELETE"):
                    transaction.run(f"DROP TRIGGER observe_{name}_{action}")
            transaction.run(f"DROP TABLE {OBSERVED}")


def every_text(database: Database) -> Iterator[tuple[str, str, str]]:
    """Table, column and value of everything that can be read as text; bytes too."""
    with database.reading() as transaction:
        for table in tables(transaction):
            cursor = transaction.connection.exec_driver_sql(f'SELECT * FROM "{table}"')
            names = list(cursor.keys())
            for row in cursor:
                for name, value in zip(names, row, strict=True):
                    if isinstance(value, bytes | memoryview):
                        yield table, name, bytes(value).decode("utf-8", "replace")
                    elif isinstance(value, str):
                        yield table, name, value


def faults(database: Database) -> list[str]:
    """What the database itself finds wrong: integrity, foreign keys (PostgreSQL holds them by itself)."""
    if database.backend == "postgresql":
        return []
    with database.reading() as transaction:
        found = [str(row[0]) for row in transaction.rows("PRAGMA integrity_check") if row[0] != "ok"]
        return found + [f"foreign key of {row[0]}" for row in transaction.rows("PRAGMA foreign_key_check")]
