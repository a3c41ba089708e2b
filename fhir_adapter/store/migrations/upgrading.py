"""Running revisions, and telling whether they end where the metadata stands."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import MetaData

from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.store.engine import Database, told
from fhir_adapter.store.schema import Furnish
from fhir_adapter.store.transaction import Transaction

if TYPE_CHECKING:
    from alembic.config import Config

HERE = Path(__file__).resolve().parent


def upgrade(database: Database, furnish: Furnish, revision: str = "head") -> None:
    """Brings a database to a revision, all or nothing, then makes its triggers and views anew.

    Raises:
        DatabaseError: the database refused; it is as before.
    """
    from alembic import command

    with _writing(database) as (transaction, config):
        unfurnish(transaction)
        command.upgrade(config, revision)
        furnish(transaction)


def downgrade(database: Database, furnish: Furnish, revision: str) -> None:
    """Takes a database back to a revision (`base`: no tables at all)."""
    from alembic import command

    with _writing(database) as (transaction, config):
        unfurnish(transaction)
        command.downgrade(config, revision)
        if revision != "base":
            furnish(transaction)


def differences(database: Database, metadata: MetaData) -> list[Any]:
    """What Alembic would change to make the database agree with the metadata; nothing, if they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    with database.reading() as transaction:
        context = MigrationContext.configure(transaction.connection, opts={"compare_type": True})
        return list(compare_metadata(context, metadata))


def unfurnish(transaction: Transaction) -> None:
    """Takes all triggers and views off, so that tables can be rewritten."""
    if transaction.postgres:
        views = transaction.rows("SELECT viewname FROM pg_views WHERE schemaname = current_schema()")
        triggers = transaction.rows(
            "SELECT DISTINCT trigger_name, event_object_table FROM information_schema.triggers "
            "WHERE trigger_schema = current_schema()"
        )
        for view in views:
            transaction.run(f'DROP VIEW IF EXISTS "{view[0]}" CASCADE')
        for name, table in triggers:
            transaction.run(f'DROP TRIGGER IF EXISTS "{name}" ON "{table}"')
        return
    for kind, name in transaction.rows("SELECT type, name FROM sqlite_master WHERE type IN ('view', 'trigger')"):
        transaction.run(f'DROP {kind.upper()} IF EXISTS "{name}"')


@contextmanager
def _writing(database: Database) -> Iterator[tuple[Transaction, "Config"]]:
    """One transaction for all revisions; SQLite's foreign keys rest meanwhile, and are checked before it ends."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(HERE / database.which))
    with told(database.which), database.engine.connect() as connection:
        sqlite = database.backend == "sqlite"
        driver: Any = connection.connection.driver_connection
        if sqlite:
            driver.execute("PRAGMA foreign_keys=OFF")
        try:
            writer = connection.execution_options(writer=True)
            with writer.begin():
                config.attributes["connection"] = writer
                transaction = Transaction(writer)
                yield transaction, config
                if sqlite and transaction.rows("PRAGMA foreign_key_check"):
                    raise DatabaseError(f"a migration would break the {database.which} database; nothing was changed")
        finally:
            if sqlite:
                driver.execute("PRAGMA foreign_keys=ON")


def run_in_context() -> None:
    """What Alembic calls through `env.py`: runs the revisions on the connection that it was handed."""
    from alembic import context

    connection = context.config.attributes["connection"]
    context.configure(connection=connection, render_as_batch=connection.dialect.name == "sqlite",
                      transactional_ddl=True)
    context.run_migrations()
