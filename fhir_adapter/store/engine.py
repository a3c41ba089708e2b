"""Opens databases: SQLite in a file, or PostgreSQL in a schema; one way to write on both.

SQLite: WAL, `synchronous=FULL`, foreign keys, a busy time-out of 30 s, `BEGIN IMMEDIATE` for writers, mode 0600.
PostgreSQL: every session's search path is its database's schema, so the same statements serve both.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import URL, Connection, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from fhir_adapter.core.errors import DatabaseError, UsageError, ValueRefused
from fhir_adapter.store.transaction import Transaction

BUSY_SECONDS = 30

IDLE_SECONDS = 600
"""PostgreSQL ends a session of ours that does nothing amid a transaction for as long as a lease lasts without being
renewed: its process hangs or its machine is gone, and its locks would keep out whoever takes the lease over."""


class Database:
    """One open database: its engine, its backend's name, and (PostgreSQL) its schema."""

    def __init__(self, engine: Engine, which: str, schema: str | None) -> None:
        self.engine = engine
        self.which = which
        self.schema = schema

    @property
    def backend(self) -> str:
        """`sqlite` or `postgresql`."""
        return self.engine.dialect.name

    @property
    def path(self) -> Path | None:
        """The file of a SQLite database."""
        return Path(self.engine.url.database or "") if self.backend == "sqlite" else None

    @contextmanager
    def reading(self) -> Iterator[Transaction]:
        """One consistent look at the database; nothing is written.

        Raises:
            DatabaseError: the database cannot be read.
        """
        with told(self.which), self.engine.connect() as connection:
            if self.backend == "postgresql":  # SQLite's readers see one moment anyway
                connection = connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            begun = connection.begin()
            try:
                with _given_up_once_lost(connection):
                    yield Transaction(connection)
            finally:
                begun.rollback()

    @contextmanager
    def writing(self) -> Iterator[Transaction]:
        """One transaction: committed as a whole when the block ends well, else nothing of it.

        Raises:
            DatabaseError: the database refused; nothing of the transaction is there.
        """
        with told(self.which), self.engine.connect() as connection:
            connection = connection.execution_options(writer=True)
            with connection.begin(), _given_up_once_lost(connection):
                yield Transaction(connection)

    def close(self) -> None:
        """Gives all connections back."""
        self.engine.dispose()


def open_database(url: str, which: str, *, schema: str, create: bool) -> Database:
    """Opens `sqlite:///path` (or `sqlite:path`) or `postgresql://...`; with `create`, makes file or schema.

    `which` names the database in errors ("vault", "trial"). Connections are made when they are needed.

    Raises:
        UsageError: the address is of no kind that we know.
        DatabaseError: there is no such database and `create` is False.
    """
    address = read_address(url)
    if address.get_backend_name() == "sqlite":
        _prepare_file(address, which, create=create)
        engine = create_engine(address, hide_parameters=True, connect_args={"timeout": BUSY_SECONDS})
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return Database(engine, which, None)
    engine = create_engine(address, hide_parameters=True, pool_pre_ping=True)

    def set_path(connection: Any, _record: Any) -> None:
        before, connection.autocommit = connection.autocommit, True
        idle = f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
        connection.execute(f'SET search_path TO "{schema}"; {idle}')
        connection.autocommit = before

    event.listen(engine, "connect", set_path, insert=True)
    database = Database(engine, which, schema)
    if create:
        with database.writing() as transaction:
            if not transaction.value("SELECT count(*) FROM pg_namespace WHERE nspname = ?", (schema,)):
                transaction.run(f'CREATE SCHEMA IF NOT EXISTS "{schema}"')
    return database


def read_address(url: str) -> URL:
    """The address of a database as written in settings, with the driver that we use.

    Raises:
        UsageError: it is neither `sqlite:` nor `postgresql:`; the text does not repeat it (it may hold a password).
    """
    if url.startswith("sqlite:") and not url.startswith("sqlite://"):
        url = "sqlite:///" + url.removeprefix("sqlite:")
    try:
        address = make_url(url)
    except ArgumentError:
        raise UsageError("a database address must read sqlite:PATH or postgresql://USER@HOST/NAME") from None
    if address.get_backend_name() == "postgresql":
        return address.set(drivername="postgresql+psycopg")
    if address.get_backend_name() != "sqlite" or not address.database or address.database == ":memory:":
        raise UsageError("a database address must read sqlite:PATH or postgresql://USER@HOST/NAME")
    return address


def _prepare_file(address: URL, which: str, *, create: bool) -> None:
    path = Path(address.database or "")
    if path.exists():
        return
    if not create:
        raise DatabaseError(f"there is no {which} database at {path}; `fhir-adapter sync` makes one")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise DatabaseError(f"the {which} database cannot be made at {path}: {error.strerror}") from None


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "secure_delete=ON", "temp_store=MEMORY"):
        connection.execute(f"PRAGMA {pragma}").fetchall()


def _begin_sqlite(connection: Connection) -> None:
    writer = connection.get_execution_options().get("writer", False)
    driver: Any = connection.connection.driver_connection
    driver.execute("BEGIN IMMEDIATE" if writer else "BEGIN")


@contextmanager
def told(which: str) -> Iterator[None]:
    """Turns a driver's error into a person's text, without statement and without values."""
    try:
        with _stopping():
            yield
    except DBAPIError as error:
        raise _fault(which, error.orig) from None
    except SQLAlchemyError as error:
        raise DatabaseError(f"the {which} database cannot be used ({type(error).__name__})") from None
    except OverflowError:  # SQLite's driver, before the database hears of it
        raise ValueRefused(f"the {which} database refused a number: it is too large; nothing was written") from None
    except Exception as error:  # drivers raise classes of their own; anything else goes on as it is
        if not type(error).__module__.startswith(("psycopg", "sqlite3")):
            raise
        raise _fault(which, error) from None


@contextmanager
def _given_up_once_lost(connection: Connection) -> Iterator[None]:
    """A connection that the server ended has nothing to roll back: what counts is why it ended."""
    try:
        yield
    except Exception:  # of whatever kind: the driver knows whether there is a connection left
        if getattr(connection.connection.driver_connection, "closed", False):
            connection.invalidate()
        raise


@contextmanager
def _stopping() -> Iterator[None]:
    """A connection that was stopped amid a statement may refuse to roll back: being stopped is what counts then."""
    try:
        yield
    except Exception as error:
        found: BaseException | None = error
        while found is not None and not isinstance(found, KeyboardInterrupt):
            found = found.__cause__ or found.__context__
        if found is not None:
            raise found from None
        raise


def _fault(which: str, error: BaseException | None) -> DatabaseError:
    kind = ValueRefused if _is_about_a_value(error) else DatabaseError
    return kind(_words(which, error))


def _is_about_a_value(error: BaseException | None) -> bool:
    """Whether a column does not take a value. A key that is there twice, or refers to nothing, is another matter."""
    if type(error).__module__.startswith("sqlite3"):
        return type(error).__name__ == "DataError" or str(error).startswith(("CHECK ", "NOT NULL "))
    state = getattr(error, "sqlstate", None) or ""
    return state.startswith("22") or state in ("23502", "23514")  # data exceptions, NOT NULL, CHECK


def _words(which: str, error: BaseException | None) -> str:
    state = getattr(error, "sqlstate", None)
    name = type(error).__name__
    if type(error).__module__.startswith("sqlite3"):
        # SQLite's own texts name tables and columns, never values
        return f"the {which} database refused: {error}; nothing of this step was written. " + _advice(str(error))
    constraint = getattr(getattr(error, "diag", None), "constraint_name", None)
    detail = f", constraint {constraint}" if constraint else ""
    return (
        f"the {which} database refused: {name} (SQLSTATE {state or 'none: no connection'}{detail}); "
        "nothing of this step was written. Check that the server is up and that its user may write, then run again"
    )


def _advice(text: str) -> str:
    if "locked" in text:
        return f"Another program has held it for more than {BUSY_SECONDS} s; run again when it is done"
    if "full" in text:
        return "Make room on the disk, then run again"
    if "readonly" in text or "unable to open" in text:
        return "Check the rights on the file and its folder, then run again"
    return "Run again; if it stays, check the file with `PRAGMA integrity_check`"
