"""Edit checks and default resolutions: rows of mappings/checks.csv and mappings/rules.csv."""

import re
from decimal import Decimal

import msgspec

_PLACE = re.compile(r"(?P<table>[a-z_]+)\.(?P<column>[a-z_]+)(\[(?P<name>[a-z_]+)=(?P<value>[^\]]+)\])?")

STUDY_DRUGS = "@study"
"""In a filter: any of the trial's study drugs."""


class Place(msgspec.Struct, frozen=True):
    """A column of a fact table, perhaps only where another column has a value: `disposition.date[event=consent]`."""

    table: str
    column: str
    name: str = ""
    value: str = ""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One edit check: the kind of conflict that it raises, its rule, what it looks at, and how much it lets pass."""

    name: str
    kind: str
    rule: str
    left: Place | None = None
    right: Place | None = None
    tolerance: Decimal = Decimal(0)
    message: str


class DefaultRule(msgspec.Struct, frozen=True, kw_only=True):
    """A row of mappings/rules.csv: of a kind of conflict, the fact of `table` whose `column` is `value` holds."""

    name: str
    kind: str
    table: str
    column: str
    value: str
    note: str = ""


def place(written: str) -> Place:
    """A place as a row writes it. Raises ValueError for any other text."""
    match = _PLACE.fullmatch(written)
    if match is None:
        raise ValueError("no table.column[name=value]")
    return Place(match["table"], match["column"], match["name"] or "", match["value"] or "")
