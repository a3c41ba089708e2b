"""Tables as files: CSV and JSON. The same rows give the same bytes.

CSV: UTF-8, header row, lines end with LF, nothing is an empty cell, booleans are `true` and `false`, numbers exactly as
the database has them. A text that a spreadsheet would take for a formula gets an apostrophe before it (`=1+1` becomes
`'=1+1`); JSON and the databases have it as it is.
"""

import csv
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

FORMATS = ("csv", "json")
"""What can be written."""

Table = tuple[Sequence[str], Sequence[Sequence[Any]]]
"""Column names, rows."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def write(tables: Mapping[str, Table], folder: Path, form: str) -> list[Path]:
    """One file a table, named after it; the paths in the order of the names.

    Raises:
        ValueError: the form is none of `FORMATS`.
    """
    if form not in FORMATS:
        raise ValueError(f"unknown form {form}; there are {', '.join(FORMATS)}")
    folder.mkdir(parents=True, exist_ok=True)
    writer = {"csv": _csv, "json": _json}[form]
    paths = []
    for name in sorted(tables):
        path = folder / f"{name}.{form}"
        writer(path, *tables[name])
        paths.append(path)
    return paths


def _csv(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value) for value in row] for row in rows)


def _cell(value: Any) -> Any:
    if value is None or value != value:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value.startswith(_FORMULA) and not _is_number(value):
        return f"'{value}"
    return _plain(value)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _json(path: Path, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    lines = [json.dumps({name: None if value != value else _plain(value)
                         for name, value in zip(columns, row, strict=True)}, ensure_ascii=False) for row in rows]
    path.write_text("[" + ",\n ".join(lines) + "]\n", encoding="utf-8")


def _plain(value: Any) -> Any:
    return format(value, "f") if isinstance(value, Decimal) else value
