"""Revisions end where the models stand; they go down and up again."""

from collections.abc import Iterator

import pytest
from sqlalchemy import MetaData, inspect

from fhir_adapter.store.engine import Database, open_database
from fhir_adapter.store.migrations.freezing import first_revision
from fhir_adapter.store.migrations.upgrading import HERE, differences, downgrade, upgrade
from fhir_adapter.store.schema import Furnish, prepare
from fhir_adapter.store.trial import furnish_trial
from fhir_adapter.store.vault import furnish_vault
from fhir_adapter.store.vault_tables import VAULT
from tests.databases import Databases
from tests.store.build import tables

Subject = tuple[Database, MetaData, Furnish]


@pytest.fixture(params=["vault", "trial"])
def subject(request: pytest.FixtureRequest, database_urls: Databases) -> Iterator[Subject]:
    """An empty database, its metadata and what furnishes it."""
    which = request.param
    url = database_urls.vault if which == "vault" else database_urls.trial
    database = open_database(url, which, schema=which, create=True)
    if which == "vault":
        yield database, VAULT, furnish_vault
    else:
        yield database, tables().metadata, furnish_trial(tables())
    database.close()


def shape(database: Database) -> dict[str, object]:
    """Columns, keys, checks, foreign keys and indexes of all tables, as the database itself has them."""
    inspector = inspect(database.engine)
    return {table: (
        [(column["name"], str(column["type"]), column["nullable"]) for column in inspector.get_columns(table)],
        inspector.get_pk_constraint(table)["constrained_columns"],
        sorted((str(check["name"]), check["sqltext"]) for check in inspector.get_check_constraints(table)),
        sorted((str(key["name"]), key["constrained_columns"], key["referred_table"])
               for key in inspector.get_foreign_keys(table)),
        sorted((str(index["name"]), index["column_names"], bool(index["unique"]))
               for index in inspector.get_indexes(table)),
    ) for table in sorted(inspector.get_table_names())}


def test_revisions_and_models_agree(subject: Subject) -> None:
    """A database made by revisions is the one that the models describe, down to checks and indexes."""
    database, metadata, furnish = subject
    upgrade(database, furnish)
    by_revision = shape(database)
    left = differences(database, metadata)
    downgrade(database, furnish, "base")
    nothing = set(shape(database)) - {"alembic_version"}
    with database.writing() as transaction:
        transaction.run("DROP TABLE alembic_version")
    prepare(database, metadata, furnish, create=True)

    assert left == []
    assert nothing == set()
    assert shape(database) == by_revision


def test_down_and_up_again(subject: Subject) -> None:
    """Upgrading twice is harmless; after down and up everything is there again."""
    database, metadata, furnish = subject
    upgrade(database, furnish)
    upgrade(database, furnish)
    downgrade(database, furnish, "base")
    upgrade(database, furnish)

    assert differences(database, metadata) == []
    assert prepare(database, metadata, furnish, create=True) is False


@pytest.mark.parametrize("which", ["vault", "trial"])
def test_the_first_revision_is_fresh(which: str) -> None:
    """Before the first release it is made from the models: `python -m fhir_adapter.store.migrations` writes it."""
    metadata = VAULT if which == "vault" else tables().metadata
    written = (HERE / which / "versions" / "0001_first.py").read_text(encoding="utf-8")

    assert written == first_revision(which, metadata)
