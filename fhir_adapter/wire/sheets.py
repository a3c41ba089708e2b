"""Reads a hospital's supplement: signed sheets (CSV) for what its FHIR does not say. One row is one record.

A row becomes an Entry of type `Sheet` whose body is JSON: `resourceType` (`Sheet`), `id`, `sheet`, and `row`: all its
columns as written, an empty cell as an empty text. Cells are checked by whoever understands them.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from io import StringIO
from pathlib import Path

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.windows import Damage, Entry, Page
from fhir_adapter.wire.envelope import damage


class Sheet(msgspec.Struct, frozen=True):
    """One sheet: its name, its columns, and those that together say which row is which."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


SHEETS = (
    Sheet("lesions", _words("subject hospital lesion role site node irradiated_before signed_by signed_on"),
          _words("subject hospital lesion")),
    Sheet("assessments", _words("subject date end_date visit evaluator category value criteria lesion_hospital lesion "
                                "signed_by signed_on"),
          _words("subject date evaluator category lesion_hospital lesion")),
    Sheet("disposition", _words("subject date event component level reason cause signed_by signed_on"),
          _words("subject date event component")),
    Sheet("therapies", _words("subject hospital record kind therapy role start_date end_date signed_by signed_on"),
          _words("subject hospital record therapy start_date")),
)
"""Every sheet there is."""

_UNFIT = re.compile(r"[^A-Za-z0-9./_-]+")


def pages(folder: Path) -> Iterator[Page]:
    """One page for each sheet of the folder; a sheet that is not there is no row.

    The id of a row is `<sheet>/<key columns joined by ~>`; a second row with the same key gets `~2`, and so on.
    A row with too many or too few cells is Damage; an empty row is none.

    Raises:
        UsageError: the folder is none; a CSV that is no sheet; a sheet that is not UTF-8, has no header, lacks a
            column, or has one too many. The text names sheet and column.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of sheets")
    known = {f"{sheet.name}.csv" for sheet in SHEETS}
    for path in sorted(folder.glob("*.csv")):
        if path.name not in known:
            raise UsageError(f"{path.name} is no sheet; sheets are {', '.join(sorted(known))}")
    for sheet in SHEETS:
        path = folder / f"{sheet.name}.csv"
        if path.is_file():
            yield _page(sheet, path)


def _page(sheet: Sheet, path: Path) -> Page:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{path.name} is not UTF-8; save it as CSV UTF-8") from None
    except OSError as error:
        raise UsageError(f"{path.name} cannot be read ({error.strerror})") from None
    entries: list[Entry] = []
    damages: list[Damage] = []
    seen: dict[str, int] = {}
    try:
        reader = csv.reader(StringIO(text, newline=""), strict=True)
        header = [cell.strip() for cell in next(reader, [])]
        _check_header(sheet, header)
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header) or "\x00" in "".join(row):
                message = f"{path.name}, line {reader.line_num}: {len(row)} cells where the header has {len(header)}"
                damages.append(damage("sheet_cell", message, reader.line_num, ",".join(row).encode(), keep=True))
                continue
            entries.append(_entry(sheet, dict(zip(header, row, strict=True)), f"{path.name}:{reader.line_num}", seen))
    except csv.Error:
        raise UsageError(f"{path.name} is not CSV: its quotes do not match") from None
    return Page(url=path.name, entries=tuple(entries), damages=tuple(damages))


def _check_header(sheet: Sheet, header: list[str]) -> None:
    if not any(header):
        raise UsageError(f"{sheet.name}.csv has no header row; it needs {', '.join(sheet.columns)}")
    for column in sheet.columns:
        if column not in header:
            raise UsageError(f"{sheet.name}.csv lacks the column {column}")
    for column in header:
        if column not in sheet.columns:
            raise UsageError(f"{sheet.name}.csv has an unknown column {column or '(without name)'}")
        if header.count(column) > 1:
            raise UsageError(f"{sheet.name}.csv has the column {column} twice")


def _entry(sheet: Sheet, row: dict[str, str], url: str, seen: dict[str, int]) -> Entry:
    record = f"{sheet.name}/{_key(row[column] for column in sheet.key)}"
    seen[record] = seen.get(record, 0) + 1
    if seen[record] > 1:
        record = f"{record}~{seen[record]}"
    body = msgspec.json.encode({"resourceType": "Sheet", "id": record, "sheet": sheet.name, "row": row})
    return Entry(type="Sheet", id=record, body=body, url=url)


def _key(cells: Iterable[str]) -> str:
    return "~".join(_UNFIT.sub("_", cell.strip()) for cell in cells)
