"""Supplements before they count: templates to fill in, and a check of every cell by the rules of a sync."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Hospital, Pull
from fhir_adapter.core.windows import Entry
from fhir_adapter.steps.mapping import Mapper
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Kind, Version
from fhir_adapter.wire import sheets, workbook

_STAND_IN = Hospital(id="sheets", name="Sheets", pull=Pull(mode="sheet", path="."))
"""Whose sheets they are, while the study has no hospital of mode sheet."""

_NOBODY = "?"
"""Whom a row is about whose subject the study does not have: its other cells are checked all the same."""

_ROWS = 2_000
"""Rows of a workbook's template whose cells offer their list of words."""


def template_supplements(path: Path) -> list[str]:
    """Writes empty sheets with their headers, and says where: CSV files in a folder, or all in one XLSX with a guide.

    In an XLSX the cells of a closed list offer its words. What is there already is never overwritten.
    """
    if path.suffix == ".xlsx":
        if path.exists():
            raise UsageError(f"{path}: is there already")
        _workbook(path)
        return [str(path)]
    if path.suffix:
        raise UsageError(f"{path.name}: a template is a folder (of CSV files) or an .xlsx file")
    path.mkdir(parents=True, exist_ok=True)
    targets = [(path / f"{sheet.name}.csv", sheet) for sheet in sheets.SHEETS]
    if there := [target.name for target, _ in targets if target.exists()]:
        raise UsageError(f"{path}: {', '.join(there)} is there already")
    for target, sheet in targets:
        workbook.write(target, [(sheet.name, sheet.columns, [])])
    return [str(target) for target, _ in targets]


def check_supplements(work: Workspace, folder: Path | None) -> list[str]:
    """What is wrong in a folder of sheets (none given: in those of the study), by sheet, row and column.

    The rows are read as a sync would read them, against the records that the vault holds now; nothing is kept.
    """
    places = [folder] if folder is not None else [
        work.study.folder / "sync" / (one.pull.path or "")
        for one in work.study.hospitals.values() if one.pull.mode == "sheet"
    ]
    if not places:
        raise UsageError("The study has no hospital of mode sheet; name a folder of sheets.")
    hospital = next((name for name, one in work.study.hospitals.items() if one.pull.mode == "sheet"), None)
    if hospital is None:  # they are read as one would read them that the study will have
        hospital = _STAND_IN.id
        hospitals = {**work.study.hospitals, hospital: _STAND_IN}
        work = msgspec.structs.replace(work, study=work.study.model_copy(update={"hospitals": hospitals}))
    mapper = Mapper(work)
    faults: list[str] = []
    for place in places:
        faults += _of_folder(mapper, hospital, place)
    return faults


def _of_folder(mapper: Mapper, hospital: str, place: Path) -> list[str]:
    faults: list[str] = []
    for page in sheets.pages(place):
        faults += [one.message for one in page.damages]
        for entry in page.entries:
            version = _version(hospital, entry)
            said = mapper.map_about(version, mapper.subject(version) or _NOBODY)
            sheet, row = entry.id.partition("/")[0], entry.url.rpartition(":")[2]
            if said.subject == _NOBODY:
                faults.append(f"sheet {sheet}, row {row}, column subject: no subject of the study")
            faults += [problem.message for problem in said.problems]
            faults += [f"sheet {sheet}, row {row}, column {doubt.origin.element or 'of the row'}: {doubt.message}"
                       for doubt in said.doubts]
    return faults


def _version(hospital: str, entry: Entry) -> Version:
    """An entry as the vault would keep it; its key is nobody's."""
    key = hashlib.sha256(entry.id.encode()).hexdigest()[:32]
    return Version(
        key=key, ordinal=1, hospital=hospital, seq=0, type="Sheet", fhir_id=entry.id, patient=None,
        kind=Kind.CONTENT.value, version_id="", last_updated="", sha256="", body=entry.body, encoding="identity",
        url=entry.url, received_at="", run=0, head=1, was_head=True,
    )


def _workbook(path: Path) -> None:
    from openpyxl import Workbook
    from openpyxl.utils import get_column_letter
    from openpyxl.worksheet.datavalidation import DataValidation

    book: Any = Workbook()
    guide = book.active
    guide.title = sheets.GUIDE
    guide.append(("sheet", "column", "part of the key", "words"))
    for sheet in sheets.SHEETS:
        made = book.create_sheet(sheet.name)
        made.append(sheet.columns)
        made.freeze_panes = "A2"
        for place, column in enumerate(sheet.columns, start=1):
            words: Sequence[str] = sheet.words.get(column, ())
            guide.append((sheet.name, column, "yes" if column in sheet.key else "", ", ".join(words)))
            if words:
                letter = get_column_letter(place)
                offered = DataValidation(type="list", formula1=f'"{",".join(words)}"', allow_blank=True)
                offered.add(f"{letter}2:{letter}{_ROWS}")
                made.add_data_validation(offered)
    book.save(path)
