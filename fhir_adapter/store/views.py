"""The stable views of the trial database, for people who write SQL, R or SAS: `v_subject`, `v_exposure`, ...

They show what is current and what an open conflict holds, each row with its `standing` and whether it is
`provisional`: nobody's death or event vanishes because somebody disputes it. A column is never renamed or given
another meaning without a new version of its view. Exact numbers are text on SQLite, with a floating-point column
`..._real` beside them.
"""

from collections.abc import Collection

import msgspec
from sqlalchemy import text

from fhir_adapter.store.transaction import Transaction

VERSION = 1
"""Raised whenever a view's columns change."""

STANDINGS = ("current", "held")
"""What views show."""


class ViewColumn(msgspec.Struct, frozen=True):
    """One column: its expression in each branch of the view, and its line in the data dictionary."""

    name: str
    sql: tuple[str, ...]
    meaning: str
    type: str = "text"
    unit: str = ""
    codes: tuple[str, ...] = ()
    derivation: str = ""
    source: str = ""


class View(msgspec.Struct, frozen=True, kw_only=True):
    """One view: the ADaM data set it resembles, the tables it needs, one FROM clause a branch, and its columns."""

    name: str
    adam: str
    title: str
    key: tuple[str, ...]
    tables: tuple[str, ...]
    branches: tuple[str, ...]
    columns: tuple[ViewColumn, ...]

    @property
    def sql(self) -> str:
        """The statement that makes it."""
        parts = []
        for place, source in enumerate(self.branches):
            selected = ",\n       ".join(f'{column.sql[place]} AS "{column.name}"' for column in self.columns)
            parts.append(f"SELECT {selected}\n  FROM {source}")  # noqa: S608 - written below, no values
        comment = f"/* {self.adam} v{VERSION}: {self.title} */"
        return f"CREATE VIEW {self.name} AS {comment}\n" + "\nUNION ALL\n".join(parts)


def col(name: str, sql: str | tuple[str, ...], meaning: str, **about: object) -> ViewColumn:
    """A column of a view; one expression serves all branches of a view with one branch."""
    return msgspec.convert({"name": name, "sql": (sql,) if isinstance(sql, str) else sql, "meaning": meaning, **about},
                           ViewColumn)


def real(name: str, sql: str | tuple[str, ...], meaning: str, **about: object) -> tuple[ViewColumn, ViewColumn]:
    """An exact number and, beside it, the same as floating point."""
    parts = (sql,) if isinstance(sql, str) else sql
    floats = tuple(f"CAST({part} AS DOUBLE PRECISION)" for part in parts)
    return (col(name, parts, meaning, type="numeric (text on SQLite)", **about),
            col(f"{name}_real", floats, f"{meaning}; floating point", type="real", **about))


def standing_of(provisional: str) -> str:
    """The standing of a conclusion: held while an open conflict may change it."""
    return f"CASE WHEN {provisional} THEN 'held' ELSE 'current' END"


def concluded(*branches: str) -> tuple[ViewColumn, ...]:
    """The columns at the end of every view of conclusions."""
    return (
        col("why", tuple(f"{one}.why" for one in branches), "the reason in words"),
        col("standing", tuple(standing_of(f"{one}.provisional") for one in branches), "what the value counts for",
            codes=STANDINGS, derivation="held while provisional"),
        col("provisional", tuple(f"{one}.provisional" for one in branches),
            "whether an open conflict may still change the value", type="boolean"),
        col("held_kinds", tuple(f"{one}.held_kinds" for one in branches),
            "kinds of the open conflicts involved, a JSON list"),
        *completeness(*(_subject_hospitals(one) for one in branches)),
    )


def stated(*aliases: str) -> tuple[ViewColumn, ...]:
    """The columns at the end of every view of facts."""
    held = "(SELECT k.kind FROM conflict k WHERE k.key = {0}.held_by)"
    return (
        col("standing", tuple(f"{one}.standing" for one in aliases), "what the fact counts for", codes=STANDINGS),
        col("provisional", tuple(f"({one}.standing = 'held')" for one in aliases),
            "whether an open conflict holds it", type="boolean"),
        col("held_kind", tuple(held.format(one) for one in aliases), "kind of the open conflict that holds it"),
        col("fact_key", tuple(f"{one}.fact_key" for one in aliases), "the fact, for `fhir-adapter trace`"),
        *completeness(*(f"completeness c WHERE c.hospital = {one}.hospital" for one in aliases)),
    )


def _subject_hospitals(alias: str) -> str:
    return ("completeness c JOIN subject h ON h.hospitals LIKE '%\"' || c.hospital || '\"%' "
            f"WHERE h.subject = {alias}.subject")


def completeness(*sources: str) -> tuple[ViewColumn, ...]:
    """As of when the hospitals concerned had been read wholly, and since when something is missing."""
    whole = "(SELECT CASE WHEN count(*) = count(c.whole_as_of) THEN min(c.whole_as_of) END FROM {0})"
    open_ = "(SELECT min(c.open_since) FROM {0})"
    return (
        col("whole_as_of", tuple(whole.format(one) for one in sources),
            "when everything of the hospitals concerned was had last (UTC); empty: never", source="completeness"),
        col("open_since", tuple(open_.format(one) for one in sources),
            "since when something is missing (UTC); empty: nothing is", source="completeness"),
    )


def add_views(transaction: Transaction, views: Collection[View], tables: Collection[str]) -> None:
    """Makes the views whose tables are there, anew if they stand already."""
    for view in views:
        transaction.run(f"DROP VIEW IF EXISTS {view.name}")
        if not set(view.tables) <= set(tables):
            continue
        transaction.connection.execute(text(view.sql))
        if transaction.postgres:
            _comment(transaction, f"VIEW {view.name}", f"{view.adam} v{VERSION}: {view.title}")
            for column in view.columns:
                _comment(transaction, f'COLUMN {view.name}."{column.name}"', column.meaning)


def _comment(transaction: Transaction, thing: str, words: str) -> None:
    quoted = words.replace("'", "''")
    transaction.connection.execute(text(f"COMMENT ON {thing} IS '{quoted}'"))
