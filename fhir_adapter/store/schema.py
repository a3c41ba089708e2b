"""Making a database's tables, and telling whether those that are there are the ones that we know.

A new database is made from the metadata at once and marked with the newest revision; an older one goes through
Alembic (`migrations`). A test proves that both ways end at the same tables.
"""

from collections.abc import Callable

from sqlalchemy import MetaData

from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.store.engine import Database
from fhir_adapter.store.migrations import HEADS
from fhir_adapter.store.transaction import Transaction

Furnish = Callable[[Transaction], None]
"""What is made anew after every change of the tables: triggers and views."""


def prepare(database: Database, metadata: MetaData, furnish: Furnish, *, create: bool) -> bool:
    """Makes the tables of an empty database if `create`, else checks the revision; True if it made them.

    Raises:
        DatabaseError: the database is empty and `create` is False, or of another revision than this program's.
    """
    with database.reading() as transaction:
        revision = _revision(transaction)
    wanted = HEADS[database.which]
    if revision == wanted:
        return False
    if revision is not None:
        raise DatabaseError(
            f"the {database.which} database has revision {revision}, this program needs {wanted}: "
            "make a backup, then run `fhir-adapter db upgrade`"
        )
    if not create:
        raise DatabaseError(f"the {database.which} database is empty; `fhir-adapter sync` fills it")
    with database.writing() as transaction:
        if transaction.postgres:  # two programs that begin at once: one makes, the other waits and finds
            transaction.run("SELECT pg_advisory_xact_lock(4711)")
        if _revision(transaction) is not None:
            return False
        metadata.create_all(transaction.connection)
        transaction.run(
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, "
            "CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num))"
        )
        transaction.run("INSERT INTO alembic_version (version_num) VALUES (?)", (wanted,))
        furnish(transaction)
    return True


def _revision(transaction: Transaction) -> str | None:
    if transaction.postgres:
        there = transaction.value("SELECT to_regclass(?)", ("alembic_version",))
    else:
        there = transaction.value("SELECT name FROM sqlite_master WHERE name = 'alembic_version'")
    return None if there is None else transaction.value("SELECT version_num FROM alembic_version")
