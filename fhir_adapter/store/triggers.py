"""Append-only tables: the database itself refuses to change or remove their rows."""


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
            continue
        for action in ("UPDATE", "DELETE"):
            transaction.run(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{table} is append only'); END"
            )


def drop_triggers(transaction: Transaction, tables: Collection[str]) -> None:
    """Takes the triggers off, for a migration that must rewrite a table."""
    for table in tables:
        if transaction.postgres:
            if transaction.value("SELECT to_regclass(?)", (table,)) is not None:
                transaction.run(f"DROP TRIGGER IF EXISTS {table}_append_only ON {table}")
        else:
            for action in ("update", "delete"):
                transaction.run(f"DROP TRIGGER IF EXISTS {table}_no_{action}")
