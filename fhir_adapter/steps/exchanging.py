"""Concept lists in and out: CSV, XLSX and FHIR R4 ConceptMap; what people decided becomes rows of the study's files."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from fhir_adapter.core.concepts import TEXT, ConceptRow, Relationship, normalised
from fhir_adapter.core.errors import UsageError
from fhir_adapter.fhir.concept_map import bundle_of, rows_of
from fhir_adapter.steps.codes import decided_rows
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.wire import workbook
from fhir_adapter.wire.workbook import Table

COLUMNS = ("system", "code", "display", "concept", "relationship", "hospital", "note", "decided_by", "decided_on")
"""The columns of mappings/concepts/<list>.csv; a file with several lists has the column `list` before them."""

Lists = dict[str, list[ConceptRow]]


def check_mappings(folder: Path, path: Path | None = None) -> list[str]:
    """What is wrong in a study's concept lists, or in one file to be imported, by file, row and column; nothing: good.

    Beyond what loading refuses: a concept that its list of terms does not have, a hospital that the study does not
    have, a mapping without concept, a code that stands twice.
    """
    if path is not None:
        return _read(path, folder)[1]
    faults: list[str] = []
    for one in _files(folder):
        faults += _read(one, folder)[1]
    return faults


def export_mappings(work: Workspace, path: Path, lists: Iterable[str] = ()) -> int:
    """Writes the concept lists (all, if none is named) with the decisions in force; how many rows.

    `.json`: a Bundle of ConceptMaps. `.xlsx`: one sheet a list. `.csv`: one table with the column `list`. A study's
    list with a fault stops it (UsageError).
    """
    found = _with_decided(work)
    wanted = sorted(lists or found)
    if unknown := [name for name in wanted if name not in found]:
        raise UsageError(f"{', '.join(unknown)}: no such list; mappings/concepts has {', '.join(sorted(found))}.")
    chosen = {name: found[name] for name in wanted}
    if path.suffix == ".json":
        path.write_bytes(msgspec.json.format(msgspec.json.encode(bundle_of({**chosen})), indent=1) + b"\n")
    elif path.suffix == ".xlsx":
        workbook.write(path, [(name, COLUMNS, map(_cells, rows)) for name, rows in chosen.items()])
    else:
        cells = [(name, *_cells(row)) for name, rows in chosen.items() for row in rows]
        workbook.write(path, [("mappings", ("list", *COLUMNS), cells)])
    return sum(map(len, chosen.values()))


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A row of a list that an import would add, or put in the place of another one (`before`)."""

    list: str
    before: ConceptRow | None
    after: ConceptRow


class Incoming(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would change, and what is wrong in it. `mark` stands for exactly this."""

    changes: tuple[Change, ...]
    rows: int
    faults: tuple[str, ...] = ()

    @property
    def mark(self) -> str:
        """A digest of the changes: another one once the file or the lists are others."""
        return hashlib.sha256(msgspec.json.encode(self.changes)).hexdigest()[:32]


def read_incoming(folder: Path, path: Path) -> Incoming:
    """What importing a file would change in a study's lists; nothing is written."""
    lists, faults = _read(path, folder)
    there = {one.stem for one in _files(folder)}
    faults += [f"{path.name}: {name} is no list; mappings/concepts has {', '.join(sorted(there))}"
               for name in sorted(lists.keys() - there)]
    if faults:
        return Incoming(changes=(), rows=0, faults=tuple(faults))
    changes = [one for name, rows in sorted(lists.items()) for one in _changes(folder, name, rows)]
    return Incoming(changes=tuple(changes), rows=sum(map(len, lists.values())))


def import_mappings(work: Workspace, path: Path | None) -> dict[str, int]:
    """Puts the rows of a file (without one: the decisions in force) into mappings/concepts/<list>.csv.

    A row for a code and hospital that stands there is replaced, any other is added. Returns how many rows of each list
    changed. Nothing is written when the file has a fault.

    Raises:
        UsageError: with every fault by row and column.
    """
    folder = work.study.folder
    if path is None:
        lists = decided_rows(work.study.concepts, work.vault.decisions())
        changes = tuple(one for name, rows in sorted(lists.items()) for one in _changes(folder, name, rows))
    else:
        found = read_incoming(folder, path)
        if found.faults:
            raise UsageError("Nothing was imported:\n  " + "\n  ".join(found.faults))
        changes = found.changes
    return write_changes(folder, changes)


def write_changes(folder: Path, changes: Iterable[Change]) -> dict[str, int]:
    """Writes changes into the lists' files; how many rows of each list changed.

    Every new file is written whole in a folder beside the lists before the first takes the place of an old one. Who is
    killed leaves each list whole, as it was or as it shall be; the same import once more brings the rest.
    """
    by_list: dict[str, list[ConceptRow]] = {}
    for one in changes:
        by_list.setdefault(one.list, []).append(one.after)
    with TemporaryDirectory(dir=folder, prefix=".fresh-") as fresh:
        for name, rows in by_list.items():
            workbook.write(Path(fresh) / f"{name}.csv",
                           [(name, COLUMNS, map(_cells, _merged(_listed(folder, name), rows)))])
        for name in by_list:
            (Path(fresh) / f"{name}.csv").replace(_file(folder, name))
    return {name: len(rows) for name, rows in by_list.items()}


def _changes(folder: Path, name: str, rows: list[ConceptRow]) -> list[Change]:
    before = {_key(row): row for row in _listed(folder, name)}
    return [Change(list=name, before=before.get(_key(row)), after=row)
            for row in _merged(list(before.values()), rows) if before.get(_key(row)) != row]


def _listed(folder: Path, name: str) -> list[ConceptRow]:
    target = _file(folder, name)
    return _whole(target, folder).get(name, []) if target.is_file() else []


def _file(folder: Path, name: str) -> Path:
    return folder / "mappings" / "concepts" / f"{name}.csv"


def _merged(before: list[ConceptRow], rows: list[ConceptRow]) -> list[ConceptRow]:
    merged = {_key(row): row for row in before}
    for row in rows:
        old = merged.get(_key(row))
        if old is not None and not row.display:
            row = msgspec.structs.replace(row, display=old.display)
        merged[_key(row)] = row
    return list(merged.values())


def _key(row: ConceptRow) -> tuple[str, str, str]:
    return row.hospital, row.system, row.code


def _with_decided(work: Workspace) -> Lists:
    found: Lists = {}
    for path in _files(work.study.folder):
        for name, rows in _whole(path, work.study.folder).items():
            found.setdefault(name, []).extend(rows)
    for name, rows in decided_rows(work.study.concepts, work.vault.decisions()).items():
        found[name] = _merged(found.get(name, []), rows)
    return found


def _whole(path: Path, folder: Path) -> Lists:
    """The rows of one of the study's own files. Raises UsageError when it has a fault: no row is left out unsaid."""
    lists, faults = _read(path, folder)
    if faults:
        raise UsageError("Mend the study's lists first (`fhir-adapter mappings check`):\n  " + "\n  ".join(faults))
    return lists


def _files(folder: Path) -> list[Path]:
    return sorted((folder / "mappings" / "concepts").glob("*.csv"))


def _cells(row: ConceptRow) -> tuple[str, ...]:
    return tuple(str(getattr(row, name)) for name in COLUMNS)


# --- reading, with every fault named -------------------------------------------------------------------------------


def _read(path: Path, folder: Path) -> tuple[Lists, list[str]]:
    if path.suffix == ".json":
        return _of_concept_map(path)
    lists: Lists = {}
    faults: list[str] = []
    for table in workbook.read(path):
        missing = [name for name in ("system", "code", "concept", "relationship") if name not in table.header]
        unknown = [name for name in table.header if name not in ("list", *COLUMNS)]
        if missing or unknown:
            faults += [f"{path.name}: lacks the column {name}" for name in missing]
            faults += [f"{path.name}: unknown column {name or '(without name)'}" for name in unknown]
            continue
        faults += _of_table(table, path, folder, lists)
    return lists, faults


def _of_table(table: Table, path: Path, folder: Path, lists: Lists) -> list[str]:
    where = path.name if path.suffix == ".csv" else f"{path.name}, sheet {table.name}"
    known, hospitals = _terms(folder), _hospitals(folder)
    faults: list[str] = []
    seen: set[tuple[str, ...]] = set()
    for number, cells in table.rows:
        row = dict(zip(table.header, (cell.strip() for cell in cells), strict=False))
        name = row.get("list") or table.name
        wrong = _faults(row, known.get(name), hospitals)
        if (key := (name, row.get("hospital", ""), row["system"], _code(row))) in seen:
            wrong.append(("code", "stands twice for this system and hospital"))
        seen.add(key)
        faults += [f"{where}, row {number}, column {column}: {what}" for column, what in wrong]
        if not wrong:
            values = {**{column: row.get(column, "") for column in COLUMNS}, "code": _code(row)}
            lists.setdefault(name, []).append(msgspec.convert(values, ConceptRow))
    return faults


def _faults(row: dict[str, str], concepts: frozenset[str] | None, hospitals: frozenset[str]) -> list[tuple[str, str]]:
    relationship, concept, hospital = row["relationship"], row["concept"], row.get("hospital", "")
    wrong = [] if row["code"] else [("code", "is empty")]
    if relationship not in tuple(Relationship):
        wrong.append(("relationship", f"none of {', '.join(Relationship)}"))
    elif relationship != Relationship.UNMATCHED and not concept:
        wrong.append(("concept", "is empty, and the relationship is not unmatched"))
    elif relationship != Relationship.UNMATCHED and concepts is not None and concept not in concepts:
        wrong.append(("concept", "is not among the terms of its list"))
    if hospital and hospital not in hospitals:
        wrong.append(("hospital", "no hospital of the study"))
    return wrong


def _code(row: dict[str, str]) -> str:
    """A text-only code in its one spelling."""
    code = row["code"]
    return TEXT + normalised(code.removeprefix(TEXT)) if not row["system"] and code.startswith(TEXT) else code


def _terms(folder: Path) -> dict[str, frozenset[str]]:
    """The concepts of the lists whose terms the study lists."""
    found = {}
    for path in sorted((folder / "mappings" / "terms").glob("*.csv")):
        table = workbook.read(path)[0]
        if "concept" in table.header:
            place = table.header.index("concept")
            found[path.stem] = frozenset(cells[place].strip() for _, cells in table.rows)
    return found


def _hospitals(folder: Path) -> frozenset[str]:
    return frozenset(path.stem for path in (folder / "sync" / "hospitals").glob("*.toml"))


def _of_concept_map(path: Path) -> tuple[Lists, list[str]]:
    try:
        resource: Any = msgspec.json.decode(path.read_bytes())
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (OSError, msgspec.DecodeError):
        raise UsageError(f"{path.name} is no JSON") from None
    lists, errors = rows_of(resource) if isinstance(resource, dict) else ({}, ["neither ConceptMap nor Bundle"])
    return lists, [f"{path.name}: {one}" for one in errors]
