"""Tables that people keep in files: CSV (UTF-8) and XLSX, read and written alike.

A cell of XLSX becomes the text that a person would type in CSV: a whole number without a fraction, a date as
YYYY-MM-DD, an empty cell as an empty text. Formulas count by their last value. The first row is the header.
"""

import csv
from collections.abc import Iterable
from datetime import date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.core.errors import UsageError

SUFFIXES = (".csv", ".xlsx")


class Table(msgspec.Struct, frozen=True):
    """One table: its name, its header, and its rows that are not empty, each with its number in the file."""

    name: str
    header: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]


def read(path: Path) -> tuple[Table, ...]:
    """The tables of a file: one of a CSV (named as the file), one for each sheet of an XLSX that has any cell.

    Rows are numbered as a spreadsheet numbers them; in CSV a quoted line break counts as a line.

    Raises:
        UsageError: the file is neither, or cannot be read.
    """
    try:
        if path.suffix == ".csv":
            return (_csv(path),)
        if path.suffix == ".xlsx":
            return _xlsx(path)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} is not UTF-8; save it as CSV UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read ({error.strerror})") from None
    except csv.Error:
        raise UsageError(f"{path.name} is not CSV: its quotes do not match") from None
    raise UsageError(f"{path.name}: a table is a .csv or an .xlsx file")


def write(path: Path, tables: Iterable[tuple[str, tuple[str, ...], Iterable[tuple[str | int, ...]]]]) -> None:
    """Writes tables (name, header, rows): all in one XLSX, or the only one as CSV.

    Raises:
        UsageError: several tables for a CSV, or another kind of file.
    """
    listed = list(tables)
    if path.suffix == ".csv" and len(listed) == 1:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(listed[0][1])
            writer.writerows(listed[0][2])
        return
    if path.suffix != ".xlsx":
        raise UsageError(f"{path.name}: several tables go into an .xlsx file")
    from openpyxl import Workbook

    book: Any = Workbook(write_only=True)
    for name, header, rows in listed:
        sheet = book.create_sheet(name[:31])
        sheet.append(header)
        for row in rows:
            sheet.append([_literal(sheet, cell) for cell in row])
    book.save(path)


def _literal(sheet: Any, text: Any) -> Any:
    """A cell that stays what it is: a text that begins as a formula does is none; control characters are left out."""
    if not isinstance(text, str) or (text[:1] != "=" and text.isprintable()):
        return text
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    cell: Any = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("", text))
    cell.data_type = "s"
    return cell


def _csv(path: Path) -> Table:
    text = path.read_bytes().decode("utf-8-sig")
    reader = csv.reader(StringIO(text, newline=""), strict=True)
    header = tuple(cell.strip() for cell in next(reader, []))
    return Table(path.stem, header, tuple((reader.line_num, tuple(row)) for row in reader if _filled(row)))


def _xlsx(path: Path) -> tuple[Table, ...]:
    from zipfile import BadZipFile

    from openpyxl import load_workbook

    try:
        book: Any = load_workbook(path, read_only=True, data_only=True)
    except (BadZipFile, KeyError, ValueError, TypeError):
        raise UsageError(f"{path.name} is not an XLSX file") from None
    try:
        return tuple(table for sheet in book.worksheets if (table := _sheet(sheet)) is not None)
    finally:
        book.close()


def _sheet(sheet: Any) -> Table | None:
    rows = [tuple(_text(cell) for cell in row) for row in sheet.iter_rows(values_only=True)]
    if not any(_filled(row) for row in rows):
        return None
    header = [cell.strip() for cell in rows[0]]
    while header and not header[-1]:
        header.pop()
    width = len(header)
    kept = [(number, _cut(row, width)) for number, row in enumerate(rows[1:], start=2) if _filled(row)]
    return Table(sheet.title, tuple(header), tuple(kept))


def _cut(row: tuple[str, ...], width: int) -> tuple[str, ...]:
    """A row as wide as the header; cells beyond it count only when they hold something."""
    beyond = row[width:]
    return (*row[:width], *([""] * (width - len(row))), *(beyond if _filled(beyond) else ()))


def _filled(row: Iterable[str]) -> bool:
    return any(cell.strip() for cell in row)


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == datetime.min.time() else value.isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
