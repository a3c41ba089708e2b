"""Counting the rows that a run writes, table by table, with triggers of the measurement's own."""

from collections import Counter

from fhir_adapter.store.engine import Database

_EVENTS = ("INSERT", "UPDATE", "DELETE")


def begin(database: Database) -> None:
    """From now on every written row of every table is counted."""
    with database.writing() as transaction:
        if transaction.postgres:
            tables = transaction.rows("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        else:
            tables = transaction.rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
        transaction.run("CREATE TABLE bench_writes (name TEXT)")
        if transaction.postgres:
            transaction.run("CREATE FUNCTION bench_count() RETURNS trigger LANGUAGE plpgsql AS "
                            "'BEGIN INSERT INTO bench_writes VALUES (TG_TABLE_NAME); RETURN NULL; END'")
        for (table,) in tables:
            for event in _EVENTS:
                action = ("FOR EACH ROW EXECUTE FUNCTION bench_count()" if transaction.postgres
                          else f"BEGIN INSERT INTO bench_writes VALUES ('{table}'); END")
                transaction.run(f"CREATE TRIGGER bench_{table}_{event} AFTER {event} ON {table} {action}")


def counted(database: Database) -> Counter[str]:
    """Rows inserted, updated or deleted by table."""
    with database.reading() as transaction:
        return Counter(dict(tuple(row) for row in transaction.rows(
            "SELECT name, count(*) FROM bench_writes GROUP BY name")))
