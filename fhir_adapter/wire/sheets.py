"""Reads a hospital's supplement: signed sheets (CSV or XLSX) for what its FHIR does not say. One row is one record.

A row becomes an Entry of type `Sheet` whose body is JSON: `resourceType` (`Sheet`), `id`, `sheet`, and `row`: all its
columns as written, an empty cell as an empty text. Cells are checked by whoever understands them. Where a row stands
(`lesions.csv:12`, `desk.xlsx:lesions:12`) is its url: a row that moves is not another row.
"""

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.windows import Damage, Entry, Page
from fhir_adapter.wire import workbook
from fhir_adapter.wire.envelope import damage
from fhir_adapter.wire.workbook import Table


class Sheet(msgspec.Struct, frozen=True):
    """One sheet: its name, its columns, those that together say which row is which, and its closed lists of words."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    words: dict[str, tuple[str, ...]] = {}


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_YES_NO = ("yes", "no")
_EVALUATORS = ("investigator", "central 1", "central 2", "adjudicator")

SHEETS = (
    Sheet("lesions", _words("subject hospital lesion role site node irradiated_before signed_by signed_on"),
          _words("subject hospital lesion"),
          {"role": _words("target non-target new none"), "node": _YES_NO, "irradiated_before": _YES_NO}),
    Sheet("assessments", _words("subject date end_date visit evaluator category value criteria lesion_hospital lesion "
                                "signed_by signed_on"),
          _words("subject date evaluator category lesion_hospital lesion"),
          {"evaluator": _EVALUATORS, "criteria": ("RECIST 1.1", "iRECIST"),
           "category": _words("overall target non_target new_lesion best_overall")}),
    Sheet("disposition", _words("subject date event component level reason cause signed_by signed_on"),
          _words("subject date event component"),
          {"event": _words("consent screening_failure enrolled end_of_component end_of_study withdrawal "
                           "lost_to_follow_up contact clinical_progression death"),
           "level": _words("treatment visits records"), "cause": _words("disease toxicity other unknown")}),
    Sheet("therapies", _words("subject hospital record kind therapy role start_date end_date signed_by signed_on"),
          _words("subject hospital record therapy start_date"),
          {"kind": _words("drug radiotherapy surgery"), "role": _words("prior study subsequent supportive unknown")}),
    Sheet("deviations", _words("subject date category important signed_by signed_on"),
          _words("subject date category"), {"important": _YES_NO}),
    Sheet("causality", _words("subject hospital record component relatedness signed_by signed_on"),
          _words("subject hospital record component"),
          {"relatedness": _words("related possibly probably unlikely not_related unknown")}),
    Sheet("safety", _words("subject case term onset end_date grade serious outcome signed_by signed_on"),
          _words("subject case"),
          {"grade": _words("1 2 3 4 5"), "serious": _YES_NO,
           "outcome": _words("resolved recovering ongoing resolved_with_sequelae fatal unknown")}),
)
"""Every sheet there is."""

GUIDE = "guide"
"""The sheet of a template that explains the others; nothing is read from it."""

_UNFIT = re.compile(r"[^A-Za-z0-9./_-]+")


def pages(folder: Path) -> Iterator[Page]:
    """One page for each sheet of the folder, whether a CSV or a sheet of an XLSX; one that is not there is no row.

    The id of a row is `<sheet>/<key columns joined by ~>`; a second row with the same key gets `~2`, and so on.
    A row with too many or too few cells is Damage; an empty row is none.

    Raises:
        UsageError: the folder is none; a CSV or a sheet of a workbook that is no sheet, or that stands twice; one that
            is not UTF-8, has no header, lacks a column, or has one too many. The text names sheet and column.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder of sheets")
    found: dict[str, tuple[str, str, Table]] = {}
    known = {sheet.name for sheet in SHEETS}
    for path in _paths(folder):
        if path.suffix == ".csv" and path.stem not in known:
            names = ", ".join(f"{name}.csv" for name in sorted(known))
            raise UsageError(f"{path.name} is no sheet; sheets are {names}")
        for table in workbook.read(path):
            if path.suffix == ".xlsx" and table.name == GUIDE:
                continue
            where, place = (path.name, "line") if path.suffix == ".csv" else (f"{path.name}, sheet {table.name}", "row")
            if table.name not in known:
                raise UsageError(f"{where} is no sheet; sheets are {', '.join(sorted(known))}")
            if table.name in found:
                raise UsageError(f"{where}: the sheet {table.name} stands in {found[table.name][0]} too")
            found[table.name] = (where, place, table)
    for sheet in SHEETS:
        if sheet.name in found:
            yield _page(sheet, *found[sheet.name])


def _paths(folder: Path) -> list[Path]:
    """The files of a folder; `~$name.xlsx` is the lock of a program that has the workbook open."""
    return [path for path in sorted(folder.iterdir())
            if path.suffix in workbook.SUFFIXES and not path.name.startswith(("~$", "."))]


def _page(sheet: Sheet, where: str, place: str, table: Table) -> Page:
    entries: list[Entry] = []
    damages: list[Damage] = []
    seen: dict[str, int] = {}
    _check_header(sheet, where, table.header)
    address = where.replace(", sheet ", ":")
    for number, row in table.rows:
        if len(row) != len(table.header) or "\x00" in "".join(row):
            message = f"{where}, {place} {number}: {len(row)} cells where the header has {len(table.header)}"
            damages.append(damage("sheet_cell", message, number, ",".join(row).encode(), keep=True))
            continue
        entries.append(_entry(sheet, dict(zip(table.header, row, strict=True)), f"{address}:{number}", seen))
    return Page(url=address, entries=tuple(entries), damages=tuple(damages))


def _check_header(sheet: Sheet, where: str, header: tuple[str, ...]) -> None:
    if not any(header):
        raise UsageError(f"{where} has no header row; it needs {', '.join(sheet.columns)}")
    for column in sheet.columns:
        if column not in header:
            raise UsageError(f"{where} lacks the column {column}")
    for column in header:
        if column not in sheet.columns:
            raise UsageError(f"{where} has an unknown column {column or '(without name)'}")
        if header.count(column) > 1:
            raise UsageError(f"{where} has the column {column} twice")


def _entry(sheet: Sheet, row: dict[str, str], url: str, seen: dict[str, int]) -> Entry:
    record = f"{sheet.name}/{_key(row[column] for column in sheet.key)}"
    seen[record] = seen.get(record, 0) + 1
    if seen[record] > 1:
        record = f"{record}~{seen[record]}"
    body = msgspec.json.encode({"resourceType": "Sheet", "id": record, "sheet": sheet.name, "row": row})
    return Entry(type="Sheet", id=record, body=body, url=url)


def _key(cells: Iterable[str]) -> str:
    return "~".join(_UNFIT.sub("_", cell.strip()) for cell in cells)
