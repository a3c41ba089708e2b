"""Folders as hospitals: FHIR files and supplement sheets."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.windows import Page
from fhir_adapter.wire import files, sheets
from fhir_adapter.wire.envelope import content_id
from tests.wire.hospital import bundle, record

HEADER = "subject,date,event,component,level,reason,cause,signed_by,signed_on"


def _write(folder: Path, name: str, *lines: bytes | dict[str, Any]) -> None:
    body = b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(gzip.compress(body) if name.endswith(".gz") else body)


def _ids(pages: list[Page]) -> list[str]:
    return [entry.id for page in pages for entry in page.entries]


def test_every_kind_of_file_is_read(tmp_path: Path) -> None:
    """NDJSON, a Bundle, one resource, gzipped or not, in subfolders; other files are passed over."""
    _write(tmp_path, "a/one.ndjson", record("Observation", "o1"), b"", record("Observation", "o2"))
    _write(tmp_path, "b.ndjson.gz", record("Observation", "o3"))
    _write(tmp_path, "c.json", bundle(record("Observation", "o4"), next_link="https://elsewhere.example/2"))
    _write(tmp_path, "d.json.gz", record("Observation", "o5"))
    _write(tmp_path, "README.md", b"not FHIR")
    pages = list(files.pages(tmp_path))

    assert _ids(pages) == ["o1", "o2", "o3", "o4", "o5"]
    assert [page.next for page in pages] == [None] * 4
    assert pages[0].entries[1].url == "a/one.ndjson:3"


def test_bad_lines_are_damage_where_they_stand(tmp_path: Path) -> None:
    """A bad line costs itself; its position and bytes are kept."""
    good = json.dumps(record("Observation", "o1")).encode()
    _write(tmp_path, "x.ndjson", good, b"<html/>", b'{"resourceType":"Observation","id":"x","n":01}', b"7",
           b"[" * 100_000, good.replace(b"o1", b"o2"))
    [page] = files.pages(tmp_path)

    assert _ids([page]) == ["o1", "o2"]
    assert [found.code for found in page.damages] == ["malformed_json"] * 4
    raw = (tmp_path / "x.ndjson").read_bytes()
    assert all(raw[found.position :].startswith(found.body) for found in page.damages)
    assert page.gaps == ()


def test_records_without_id_are_named_by_content(tmp_path: Path) -> None:
    """The same record twice has the same id; whether it is a repetition is for the vault to tell."""
    nameless = b'{"resourceType":"Observation","status":"final"}'
    _write(tmp_path, "x.ndjson", nameless, nameless)
    [page] = files.pages(tmp_path)

    assert _ids([page]) == [content_id(nameless)] * 2
    assert [found.code for found in page.outcomes] == ["id-from-content"] * 2


def test_a_file_that_is_no_fhir_is_damage_and_one_cut_short_a_gap(tmp_path: Path) -> None:
    """HTML under the name of JSON; a gzip that ends too early."""
    _write(tmp_path, "a.json", b"<html/>")
    _write(tmp_path, "b.ndjson.gz", record("Observation", "o1"))
    packed = (tmp_path / "b.ndjson.gz").read_bytes()
    (tmp_path / "b.ndjson.gz").write_bytes(packed[:-12])
    pages = list(files.pages(tmp_path))

    assert [found.code for found in pages[0].damages] == ["malformed_json"]
    assert [gap.code for page in pages[1:] for gap in page.gaps] == ["truncated"]


def test_a_folder_without_files_is_a_usage_error(tmp_path: Path) -> None:
    """Reading nothing is not success."""
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UsageError):
            list(files.pages(folder))


def test_a_row_is_a_record_with_its_cells_as_written(tmp_path: Path) -> None:
    """All columns, nothing trimmed or guessed; an id from the key columns, stable when rows move."""
    (tmp_path / "disposition.csv").write_text(
        f"\ufeff{HEADER}\nATC-001,2026-01,death,,, ,disease,Dr X,2026-02-01\n\nATC-002,2026-01-05,consent,,,,,,\n",
        encoding="utf-8")
    [page] = sheets.pages(tmp_path)
    body = json.loads(page.entries[0].body)

    assert _ids([page]) == ["disposition/ATC-001~2026-01~death~", "disposition/ATC-002~2026-01-05~consent~"]
    assert page.entries[0].type == body["resourceType"] == "Sheet"
    row = body["row"]
    assert (body["sheet"], row["subject"], row["date"], row["reason"], row["cause"]) == (
        "disposition", "ATC-001", "2026-01", " ", "disease")
    assert list(row) == HEADER.split(",")
    assert page.entries[1].url == "disposition.csv:4"


def test_a_repeated_key_is_another_record(tmp_path: Path) -> None:
    """Two rows about the same thing are two statements, and neither hides the other."""
    (tmp_path / "disposition.csv").write_text(f"{HEADER}\n" + "ATC-001,2026-01,contact,,,,,,\n" * 2, encoding="utf-8")

    assert _ids(list(sheets.pages(tmp_path)))[1] == "disposition/ATC-001~2026-01~contact~~2"


@pytest.mark.parametrize(("text", "complaint"), [
    (HEADER.replace("level,", ""), r"disposition\.csv lacks the column level"),
    (HEADER + ",extra", r"disposition\.csv has an unknown column extra"),
    (HEADER + ",", r"disposition\.csv has an unknown column \(without name\)"),
    (HEADER + ",date", r"disposition\.csv has the column date twice"),
    (HEADER.replace(",", ";"), r"disposition\.csv lacks the column subject"),
    ("", r"disposition\.csv has no header row"),
    (HEADER + '\n"ATC-001', "quotes do not match"),
])
def test_a_wrong_header_stops_and_names_sheet_and_column(tmp_path: Path, text: str, complaint: str) -> None:
    """A sheet whose columns are not known cannot be read row by row."""
    (tmp_path / "disposition.csv").write_text(text, encoding="utf-8")

    with pytest.raises(UsageError, match=complaint):
        list(sheets.pages(tmp_path))


def test_a_ragged_row_is_damage(tmp_path: Path) -> None:
    """Too few or too many cells: that row is refused with sheet and line, the others land."""
    (tmp_path / "disposition.csv").write_text(
        f"{HEADER}\nATC-001,2026-01\nATC-002,2026-01-05,consent,,,,,,\n", encoding="utf-8")
    [page] = sheets.pages(tmp_path)

    assert len(page.entries) == 1
    assert [(found.code, found.message) for found in page.damages] == [
        ("sheet_cell", "disposition.csv, line 2: 2 cells where the header has 9")]


def test_strange_files_beside_the_sheets(tmp_path: Path) -> None:
    """A CSV that is no sheet, another encoding, no folder: each said by name."""
    (tmp_path / "lesion.csv").write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match=r"lesion\.csv is no sheet"):
        list(sheets.pages(tmp_path))
    (tmp_path / "lesion.csv").rename(tmp_path / "lesions.csv")
    (tmp_path / "lesions.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not UTF-8"):
        list(sheets.pages(tmp_path))
    with pytest.raises(UsageError, match="no such folder"):
        list(sheets.pages(tmp_path / "missing"))
