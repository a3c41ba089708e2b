"""A trial database that is to be locked: what happened after the cut-off goes, and its views can be read as rows."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.store.engine import Database
from fhir_adapter.store.frames import Frames
from fhir_adapter.store.opened_trial import OpenTrial
from fhir_adapter.store.schema import prepare
from fhir_adapter.store.transaction import listed
from fhir_adapter.store.trial import Trial
from fhir_adapter.store.trial_tables import TrialTables
from fhir_adapter.store.view_list import ALL

VIEWS = tuple(view.name for view in ALL)
"""The names of the stable views."""

_PLAIN: dict[str, type[bool] | type[float]] = {"boolean": bool, "real": float}


def forget_after(trial: Frames, begins: Mapping[str, str], day: str) -> int:
    """Removes facts that begin after a day, and ends after it; how many facts. Never to be used on the study's own.

    `begins`: the column with which a fact of a table begins. A partial date counts from its first day on.
    """
    gone = 0
    with trial.database.writing() as transaction:
        for table, column in begins.items():
            if table not in trial.tables.facts:
                continue
            gone += transaction.run(f'DELETE FROM {table} WHERE "{column}" > ?', (day,)) or 0
            if "end_date" in trial.tables.columns(table):
                ends = ", ".join(f'"{name}" = NULL' for name in ("end_date", "end_date_precision", "end_date_written")
                                 if name in trial.tables.columns(table))
                transaction.run(f"UPDATE {table} SET {ends} WHERE end_date > ?", (day,))
    return gone


def view_rows(trial: OpenTrial, name: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The columns of a stable view and its rows, sorted by all of them so that equal contents give equal files.

    Booleans and floating-point numbers are such on both backends.
    """
    view = next(one for one in ALL if one.name == name)
    columns = [column.name for column in view.columns]
    kinds = [_PLAIN.get(column.type) for column in view.columns]
    with trial.database.reading() as transaction:
        rows = [tuple(value if kind is None or value is None else kind(value)
                      for kind, value in zip(kinds, row, strict=True))
                for row in transaction.rows(f"SELECT {listed(columns)} FROM {name}")]
    return columns, sorted(rows, key=lambda row: tuple((value is not None, str(value)) for value in row))


def seal(path: Path) -> None:
    """Brings a finished SQLite file to rest: one file without a log, read-only."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=DELETE")
    finally:
        connection.close()
    path.chmod(0o400)


def open_locked(path: Path, tables: TrialTables) -> Trial:
    """A sealed trial database, for reading only: the file is not touched, whoever reads it.

    Raises:
        DatabaseError: it is not there, or of another revision than this program's.
    """
    if not path.is_file():
        raise DatabaseError(f"there is no {path.name} in {path.parent.name}; restore the folder from a backup")

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1", uri=True,
                               isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, hide_parameters=True, poolclass=NullPool)
    database = Database(engine, "trial", None)
    try:
        prepare(database, tables.metadata, lambda _: None, create=False)
    except BaseException:
        database.close()
        raise
    return Trial(database, tables)
