"""Databases to measure on: SQLite in a folder, and PostgreSQL that keeps its promises (fsync on)."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from benchmarks.clocks import Clock
from tests.databases import Databases, PostgresMissing, postgres_databases, postgres_server, sqlite_databases


@dataclass(frozen=True)
class Place:
    """One kind of database: fresh ones for each round, and the clock that sees who works for it."""

    name: str
    fresh: Callable[[ExitStack], Databases]
    clock: Clock


@contextmanager
def places() -> Iterator[list[Place]]:
    """SQLite, and PostgreSQL where there is one; without it a line says so."""
    with ExitStack() as stack:
        found = [Place("SQLite", _sqlite, Clock())]
        try:
            server = stack.enter_context(postgres_server())
        except PostgresMissing as missing:
            print(f"not measured: {missing}")
        else:
            found.append(Place("PostgreSQL", lambda inner: inner.enter_context(postgres_databases(server)),
                               Clock(_durable(server))))
        yield found


def _sqlite(stack: ExitStack) -> Databases:
    return sqlite_databases(Path(stack.enter_context(TemporaryDirectory(prefix="bench-"))))


def _durable(server: str) -> int | None:
    """Turns fsync and its kin on (the tests' server has them off); the postmaster's process id, if it is ours."""
    if os.environ.get("TEST_POSTGRES_URL"):
        return None
    with psycopg.connect(server, autocommit=True) as connection:
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(f"ALTER SYSTEM SET {setting} = on")
        connection.execute("SELECT pg_reload_conf()")
        folder = connection.execute("SHOW data_directory").fetchone()
    assert folder is not None
    return int((Path(folder[0]) / "postmaster.pid").read_text().splitlines()[0])
