"""Append-only tables: the database itself refuses to change or remove their rows, by triggers and (PostgreSQL) by
taking the right to do so from everybody, the owner too; only a superuser, or whoever grants it anew, gets past both.
"""

from collections.abc import Collection

from fhir_adapter.store.transaction import Transaction


def add_triggers(transaction: Transaction, tables: Collection[str]) -> None:
    """Puts the triggers on; those that are there are made anew."""
    drop_triggers(transaction, tables)
    if transaction.postgres:
        transaction.run(
            "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'append only'; END $$"
        )
    for table in tables:
        if transaction.postgres:
            transaction.run(
                f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
                "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
            )
            transaction.run(f"REVOKE UPDATE, DELETE, TRUNCATE ON {table} FROM PUBLIC, CURRENT_USER")
            continue
        for action in ("UPDATE", "DELETE"):
            transaction.run(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
            )


def drop_triggers(transaction: Transaction, tables: Collection[str]) -> None:
    """Takes the triggers off, and gives the rights back, for a migration that must rewrite a table."""
    for table in tables:
        if transaction.postgres:
            if transaction.value("SELECT to_regclass(?)", (table,)) is not None:
                transaction.run(f"DROP TRIGGER IF EXISTS {table}_append_only ON {table}")
                transaction.run(f"GRANT UPDATE, DELETE, TRUNCATE ON {table} TO CURRENT_USER")
        else:
            for action in ("update", "delete"):
                transaction.run(f"DROP TRIGGER IF EXISTS {table}_no_{action}")
