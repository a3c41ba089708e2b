"""A trial database made anew beside the old one, and put in its place in one step."""

import os
from pathlib import Path

from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.store.engine import read_address
from fhir_adapter.store.trial import SCHEMA, Trial, open_trial
from fhir_adapter.store.trial_tables import TrialTables

NEXT = "trial_next"
"""The schema (PostgreSQL) in which the next trial database grows; on SQLite it is the file PATH.next."""

_SIDES = ("", "-wal", "-shm")


def open_next(url: str, tables: TrialTables) -> Trial:
    """An empty trial database beside the one at `url`; what an interrupted rebuild has left is thrown away."""
    address = read_address(url)
    if address.get_backend_name() == "sqlite":
        path = Path(f"{address.database}.next")
        for side in _SIDES:
            Path(f"{path}{side}").unlink(missing_ok=True)
        return open_trial(f"sqlite:///{path}", tables, create=True)
    old = open_trial(url, tables, create=True, schema=NEXT)
    with old.database.writing() as transaction:
        transaction.run(f"DROP SCHEMA {NEXT} CASCADE")
    old.close()
    return open_trial(url, tables, create=True, schema=NEXT)


def swap(url: str, grown: Trial) -> None:
    """Puts a finished next database in the place of the one at `url`; both must have no other reader. Closes it.

    Raises:
        DatabaseError: somebody still reads the old one; both stay as they are.
    """
    path = grown.database.path
    if path is None:
        with grown.database.writing() as transaction:
            transaction.run(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            transaction.run(f"ALTER SCHEMA {NEXT} RENAME TO {SCHEMA}")
        grown.close()
        return
    grown.close()
    target = Path(str(path).removesuffix(".next"))
    for file in (path, target):
        _settle_file(file)
    os.replace(path, target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _settle_file(path: Path) -> None:
    """Brings the write-ahead log home and takes it away: a log left beside a new file would be played into it."""
    import sqlite3

    if not path.exists():
        return
    connection = sqlite3.connect(path, timeout=1)
    try:
        mode = connection.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
    except sqlite3.Error:
        mode = "busy"
    finally:
        connection.close()
    if mode != "delete":
        raise DatabaseError(f"another program reads {path.name}; close it and run again, nothing was changed")
