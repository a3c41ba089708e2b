"""docs/data-dictionary.md: every view and table of the trial database, column by column, from their declarations."""

from collections.abc import Iterable, Sequence

import msgspec

from fhir_adapter.core.tables import ColumnSpec, columns_of
from fhir_adapter.store.bookkeeping import DECLARED
from fhir_adapter.store.view_list import ALL
from fhir_adapter.store.views import VERSION, View


class Described(msgspec.Struct, frozen=True):
    """A table to be described: its name, its title, its columns, its primary key."""

    name: str
    title: str
    columns: tuple[ColumnSpec, ...]
    key: tuple[str, ...]


def data_dictionary(facts: Sequence[Described], conclusions: Sequence[Described]) -> str:
    """The page as text; `facts` and `conclusions` are what the store itself does not declare."""
    own = [Described(one.name, (one.row.__doc__ or "").strip().splitlines()[0], columns_of(one.row), one.key)
           for one in DECLARED]
    parts = [
        "# Data dictionary", "",
        "The trial database, column by column. Made from the declarations in the code by `make docs`; do not edit.",
        "Read the views: they are stable. The tables behind them may change between versions.", "",
        f"## Views (version {VERSION})", "",
    ]
    for view in ALL:
        parts += _view(view)
    for heading, tables in (("Facts", facts), ("Conclusions", conclusions), ("Reference and bookkeeping", own)):
        parts += [f"## {heading}", ""]
        for table in tables:
            parts += _table(table)
    return "\n".join(parts).rstrip() + "\n"


def _view(view: View) -> Iterable[str]:
    yield from (f"### {view.name} ({view.adam})", "", _sentence(view.title), "")
    yield from ("| column | meaning | type | unit | codes | derivation | source |", "|---|---|---|---|---|---|---|")
    for column in view.columns:
        yield _line(f"`{column.name}`", column.meaning, column.type, column.unit, _codes(column.codes),
                    column.derivation, column.source)
    yield ""


def _table(table: Described) -> Iterable[str]:
    yield from (f"### {table.name}", "", f"{_sentence(table.title)} Key: {', '.join(table.key)}.", "")
    yield from ("| column | meaning | type | may be empty | unit | codes | source |", "|---|---|---|---|---|---|---|")
    for spec in table.columns:
        yield _line(f"`{spec.name}`", spec.meaning, _TYPES[spec.type.__name__], "yes" if spec.nullable else "no",
                    spec.unit, _codes(spec.codes), spec.source)
    yield ""


_TYPES = {"str": "text", "int": "integer", "bool": "boolean", "Decimal": "numeric (text on SQLite)"}


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:].rstrip(".") + "."


def _codes(codes: tuple[str, ...]) -> str:
    return ", ".join(f"`{code}`" if code else "(empty)" for code in codes)


def _line(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
