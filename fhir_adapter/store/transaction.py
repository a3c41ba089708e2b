"""Statements within one transaction, alike on both backends: `?` marks a value, rows go in sets.

SQLite gets `executemany` of tuples; PostgreSQL gets COPY, into a temporary table first where many rows may exist
(performance.md §3).
"""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

import msgspec
from sqlalchemy.engine import Connection

Row = Sequence[Any]


SPOKEN = 500
"""Up to so many rows of an upsert go to PostgreSQL as one JSON text: a temporary table would cost more."""


def listed(names: Iterable[str]) -> str:
    """Column names in a statement, quoted: some, such as `end`, are words of SQL."""
    return ", ".join(f'"{name}"' for name in names)


class Transaction:
    """What can be said to the database until the block ends; see `engine.Database.writing`.

    Statements go straight to the driver: what SQLAlchemy adds to each would be a tenth of a sync's work.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.postgres = connection.dialect.name == "postgresql"
        self._driver: Any = connection.connection.driver_connection

    def _execute(self, sql: str, values: Row) -> Any:
        if self.postgres:
            return self._driver.execute(sql.replace("?", "%s"), values or None, binary=bool(values))
        return self._driver.execute(sql, values)

    def run(self, sql: str, values: Row = ()) -> int:
        """One statement; the number of rows it touched."""
        return int(self._execute(sql, values).rowcount)

    def rows(self, sql: str, values: Row = ()) -> list[Any]:
        """All rows of a question, as tuples."""
        found: list[Any] = self._execute(sql, values).fetchall()
        return found

    def row(self, sql: str, values: Row = ()) -> Any:
        """The first row, or None."""
        cursor = self._execute(sql, values)
        row = cursor.fetchone()
        cursor.close()
        return row

    def value(self, sql: str, values: Row = ()) -> Any:
        """The first column of the first row, or None."""
        row = self.row(sql, values)
        return None if row is None else row[0]

    def many(self, sql: str, rows: Sequence[Row]) -> None:
        """One statement for each row."""
        if rows:
            self._driver.cursor().executemany(sql.replace("?", "%s") if self.postgres else sql, rows)

    def rows_in(self, sql: str, keys: Collection[Any], before: Row = ()) -> Iterator[Any]:
        """The rows of a question whose text holds `IN (?)` last: the key list goes in as one value.

        Works for any number of text or integer keys; `before` are the values of earlier marks.
        """
        if keys:
            yield from self._execute(*self._listed(sql, keys, before))

    def run_in(self, sql: str, keys: Collection[Any], before: Row = ()) -> int:
        """A statement whose text holds `IN (?)` last, as in `rows_in`."""
        return int(self._execute(*self._listed(sql, keys, before)).rowcount) if keys else 0

    def _listed(self, sql: str, keys: Collection[Any], before: Row) -> tuple[str, tuple[Any, ...]]:
        head, mark, tail = sql.rpartition("IN (?)")
        if not mark:
            raise ValueError("the statement has no IN (?)")
        if self.postgres:
            kind = "text[]" if isinstance(next(iter(keys)), str) else "bigint[]"
            return f"{head}= ANY(?::{kind}){tail}", (*before, _array(keys))
        told = msgspec.json.encode(list(keys)).decode()
        return f"{head}IN (SELECT value FROM json_each(?)){tail}", (*before, told)

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Rows that are not there yet."""
        if not rows:
            return
        if self.postgres:
            self._copy(table, columns, rows)
        else:
            self.many(f"INSERT INTO {table} ({listed(columns)}) VALUES ({_marks(columns)})", rows)

    def upsert(self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Row]) -> None:
        """Rows that may be there already, by `key`; those are overwritten. A key stands once in `rows`."""
        if not rows:
            return
        others = [name for name in columns if name not in key]
        sets = ", ".join(f'"{name}" = excluded."{name}"' for name in others)
        action = f"DO UPDATE SET {sets}" if others else "DO NOTHING"
        conflict = f"ON CONFLICT ({listed(key)}) {action}"
        names = listed(columns)
        if self.postgres and len(rows) <= SPOKEN:
            told = msgspec.json.encode([dict(zip(columns, row, strict=True)) for row in rows]).decode()
            self.run(f"INSERT INTO {table} ({names}) SELECT {names} "
                     f"FROM json_populate_recordset(NULL::{table}, ?::json) {conflict}", (told,))
        elif self.postgres:
            stage = self._stage(table)
            self._copy(stage, columns, rows)
            self.run(f"INSERT INTO {table} ({names}) SELECT {names} FROM {stage} {conflict}")
            self.run(f"DELETE FROM {stage}")
        else:
            self.many(f"INSERT INTO {table} ({names}) VALUES ({_marks(columns)}) {conflict}", rows)

    def update(self, table: str, columns: Sequence[str], key: Sequence[str], rows: Sequence[Row]) -> None:
        """Sets `columns` of existing rows found by `key`; each row holds the columns' values, then the key's."""
        if not rows:
            return
        if self.postgres:
            sets = ", ".join(f'"{name}" = s."{name}"' for name in columns)
            source, arrays = _unnested((*columns, *key), rows)
            self.run(f"UPDATE {table} t SET {sets} FROM {source} WHERE {_same(key)}", arrays)
        else:
            sets = ", ".join(f'"{name}" = ?' for name in columns)
            where = " AND ".join(f'"{name}" = ?' for name in key)
            self.many(f"UPDATE {table} SET {sets} WHERE {where}", rows)

    def delete(self, table: str, key: Sequence[str], rows: Sequence[Row]) -> None:
        """The rows found by `key`."""
        if not rows:
            return
        if self.postgres:
            source, arrays = _unnested(key, rows)
            self.run(f"DELETE FROM {table} t USING {source} WHERE {_same(key)}", arrays)
        else:
            where = " AND ".join(f'"{name}" = ?' for name in key)
            self.many(f"DELETE FROM {table} WHERE {where}", rows)

    def delete_from_all(self, tables: Sequence[str], key: Sequence[str], rows: Sequence[Row]) -> None:
        """The rows of several tables that have the same key columns; PostgreSQL hears of the keys once."""
        if not rows:
            return
        if not self.postgres:
            for table in tables:
                self.delete(table, key, rows)
            return
        columns = ", ".join(f'"{name}" {"bigint" if isinstance(value, int) else "text"}'
                            for name, value in zip(key, rows[0], strict=True))
        self.run(f"CREATE TEMPORARY TABLE doomed ({columns}) ON COMMIT DROP")
        self._copy("doomed", key, rows)
        statements = [f"DELETE FROM {table} t USING doomed s WHERE {_same(key)}" for table in tables]
        self._driver.execute("; ".join(["ANALYZE doomed", *statements, "DROP TABLE doomed"]))

    def _stage(self, table: str) -> str:
        stage = f"stage_{table}"
        if self.value("SELECT to_regclass(?)", (f"pg_temp.{stage}",)) is None:
            self.run(f"CREATE TEMPORARY TABLE {stage} ON COMMIT DROP AS SELECT * FROM {table} WITH NO DATA")
        return stage

    def _copy(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """COPY as text, but in binary where there are bytes, which as text would be twice as long."""
        types = _binary_types(rows) if bytes in map(type, rows[0]) else []
        how = " WITH (FORMAT binary)" if types else ""
        with self._driver.cursor() as cursor, cursor.copy(f"COPY {table} ({listed(columns)}) FROM STDIN{how}") as copy:
            if types:
                copy.set_types(types)
            for row in rows:
                copy.write_row(row)


_BINARY = {str: "text", int: "int8", bytes: "bytea"}


def _binary_types(rows: Sequence[Row]) -> list[str]:
    """PostgreSQL's types of the columns of raw versions and damages: texts, counts and bytes."""
    return [_BINARY[type(next((value for value in column if value is not None), ""))]
            for column in zip(*rows, strict=True)]


def _marks(columns: Sequence[str]) -> str:
    return ", ".join("?" * len(columns))


def _same(key: Sequence[str]) -> str:
    return " AND ".join(f't."{name}" = s."{name}"' for name in key)


def _array(values: Iterable[Any]) -> str:
    """PostgreSQL: an array as it is written. psycopg takes microseconds for each value of a list; and of an array
    that stands in the question the planner knows the length, while a table that it looks through hashes it."""
    told = [str(value).replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(told) + '"}'


_ARRAYS = {bool: "boolean[]", int: "bigint[]"}


def _unnested(columns: Sequence[str], rows: Sequence[Row]) -> tuple[str, tuple[list[Any], ...]]:
    """PostgreSQL: rows as one array a column; a temporary table for each statement would cost more."""
    arrays = tuple(list(column) for column in zip(*rows, strict=True))
    marks = ", ".join(f"?::{_ARRAYS.get(type(array[0]), 'text[]')}" for array in arrays)
    return f"unnest({marks}) AS s({listed(columns)})", arrays
