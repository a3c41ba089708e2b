"""Concept lists in and out: nothing is lost on the way, and every fault is named by file, row and column."""

import csv
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fhir.resources.R4B.bundle import Bundle
from openpyxl import load_workbook

from fhir_adapter import study as studies
from fhir_adapter.core.concepts import Code
from fhir_adapter.fhir.concept_map import CONCEPTS, bundle_of, rows_of
from fhir_adapter.steps.exchanging import COLUMNS
from tests.cli.conftest import ROOT, Rehearsing, conflict_of, run

R4_EQUIVALENCE = {  # https://hl7.org/fhir/R4/valueset-concept-map-equivalence.html, "the target is ... than the source"
    "equivalent": "equivalent", "narrower": "wider", "wider": "narrower", "unmatched": "unmatched",
}


@pytest.fixture
def study(rehearsed: Rehearsing, tmp_path: Path) -> Path:
    """A copy of the synced study, to be changed freely."""
    return Path(shutil.copytree(rehearsed.folder, tmp_path / "study"))


def _rows(folder: Path) -> dict[str, list[dict[str, str]]]:
    found = {}
    for path in sorted((folder / "mappings" / "concepts").glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            found[path.stem] = [{name: row.get(name) or "" for name in COLUMNS} for row in csv.DictReader(file)]
    return found


@pytest.mark.parametrize("suffix", ["json", "csv", "xlsx"])
def test_nothing_is_lost_on_the_way(study: Path, tmp_path: Path, suffix: str) -> None:
    """Exported, the lists emptied, imported: the same rows; imported once more: nothing changes."""
    before = _rows(study)
    out = tmp_path / f"codes.{suffix}"
    assert run("mappings", "export", out, study=study).code == 0
    for path in (study / "mappings" / "concepts").glob("*.csv"):
        path.write_text(",".join(COLUMNS) + "\n")
    first = run("mappings", "import", out, "--json", study=study)

    def sort(found: dict[str, list[dict[str, str]]]) -> dict[str, list[Any]]:
        return {name: sorted(tuple(row.values()) for row in rows) for name, rows in found.items()}

    assert first.code == 0, first.err
    assert sum(first.json.values()) == sum(map(len, before.values()))
    assert sort(_rows(study)) == sort(before)
    assert run("mappings", "import", out, study=study).out == "Nothing changed.\n"


def test_the_concept_map_is_valid_and_reads_the_other_way_round(study: Path, tmp_path: Path) -> None:
    """fhir.resources accepts it; R4's equivalence is the target's view."""
    out = tmp_path / "codes.json"
    run("mappings", "export", out, study=study)
    bundle: Any = Bundle.model_validate_json(out.read_bytes())
    said = {(group.target, group.source or "", element.code, one.resource.id): element.target[0].equivalence
            for one in bundle.entry for group in one.resource.group for element in group.element}
    rows = [(name, row) for name, listed in _rows(study).items() for row in listed]

    assert len(said) == len(rows)
    for name, row in rows:
        id = "-".join(part for part in (name.replace("_", "-"), row["hospital"]) if part)
        assert said[(f"{CONCEPTS}{name}", row["system"], row["code"], id)] == R4_EQUIVALENCE[row["relationship"]]


def test_a_decision_becomes_a_row(study: Path) -> None:
    """Decided for every hospital, written back, and known to a study that has no decision."""
    key = conflict_of(study, "unmapped_code")
    decided = run("conflicts", "decide", key, "map_code", "--value", "drug:lenvatinib@study", "--reason", "pharmacy",
                  "--by", "dm1", study=study)
    assert decided.code == 0, decided.err
    assert run("mappings", "import", "--decided", study=study).out == "drug: 1 rows changed\n"
    row = next(one for one in _rows(study)["drug"] if one["code"] == "W-LEN-4711")
    code = Code(row["system"], "W-LEN-4711")
    loaded = studies.load(study)

    assert (row["concept"], row["hospital"], row["decided_by"]) == ("lenvatinib", "", "dm1")
    assert loaded.concepts.find("drug", "south", (code,)).concept == "lenvatinib"
    assert run("mappings", "check", study=study).code == 0


def test_every_fault_is_named_by_file_row_and_column(study: Path, tmp_path: Path) -> None:
    """Of the study's own files and of a workbook; nothing is imported."""
    path = study / "mappings" / "concepts" / "drug.csv"
    lines = path.read_text().splitlines()
    wrong = ["urn:x,1,,nothing,equivalent,,,,", "urn:x,2,,lenvatinib,equivalent,moon,,,", "urn:x,3,,,narrower,,,,"]
    path.write_text("\n".join([*lines, *wrong]))
    last = len(lines)
    found = run("mappings", "check", study=study)

    assert found.code == 2
    assert found.out.splitlines() == [
        f"drug.csv, row {last + 1}, column concept: is not among the terms of its list",
        f"drug.csv, row {last + 2}, column hospital: no hospital of the study",
        f"drug.csv, row {last + 3}, column concept: is empty, and the relationship is not unmatched",
    ]
    path.write_text("\n".join(lines) + "\n")
    book = tmp_path / "codes.xlsx"
    run("mappings", "export", book, "--list", "drug", study=study)
    opened = load_workbook(book)
    opened["drug"].cell(row=3, column=5).value = "the same"
    opened.save(book)
    refused = run("mappings", "import", book, study=study)
    assert refused.code == 2
    assert "codes.xlsx, sheet drug, row 3, column relationship" in refused.err
    assert path.read_text() == "\n".join(lines) + "\n"


def test_a_faulty_list_of_the_study_loses_no_row(study: Path, tmp_path: Path) -> None:
    """Neither exported without its faulty rows nor written anew without them: it must be mended first."""
    path = study / "mappings" / "concepts" / "drug.csv"
    with path.open("a") as file:
        file.write("urn:x,2,,lenvatinib,equivalent,moon,,,\n")
    before = path.read_text()
    codes = tmp_path / "codes.csv"
    codes.write_text("list,system,code,concept,relationship\ndrug,urn:x,9,lenvatinib,equivalent\n")

    for words in (("export", tmp_path / "all.json"), ("import", codes)):
        ended = run("mappings", *words, study=study)
        assert (ended.code, "column hospital: no hospital of the study" in ended.err) == (2, True), words
    assert path.read_text() == before


def test_the_shipped_lists_are_in_order() -> None:
    """As a new study gets them."""
    assert run("mappings", "check", study=ROOT).out == "The mappings are in order.\n"


@pytest.mark.parametrize(("change", "said"), [
    ({"equivalence": "relatedto"}, "element 1: equivalence is none of"),
    ({"code": None}, "element 1: target.code is missing"),
])
def test_what_a_concept_map_cannot_mean_is_refused(change: dict[str, Any], said: str) -> None:
    """A vague relation is no mapping."""
    row = next(iter(studies.load(ROOT).concepts.lists["drug"].rows))
    bundle = msgspec.json.decode(msgspec.json.encode(bundle_of({"drug": [row]})))
    target = bundle["entry"][0]["resource"]["group"][0]["element"][0]["target"][0]
    target.update(change)
    lists, errors = rows_of({**bundle, "entry": [{"resource": bundle["entry"][0]["resource"]}]})

    assert lists == {}
    assert said in errors[0]


KILLED = """
import os, signal, sys
from pathlib import Path
from fhir_adapter.core.concepts import ConceptRow, Relationship
from fhir_adapter.steps import exchanging
from fhir_adapter.wire import workbook

def dying(own, left):
    def step(*given):
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        left.pop()
        return own(*given)
    return step

home, at, where = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
if where == "write":
    exchanging.workbook.write = dying(workbook.write, [0] * at)
elif where == "replace":
    Path.replace = dying(Path.replace, [0] * at)
row = ConceptRow(system="urn:x", code="new", display="", concept="", relationship=Relationship.UNMATCHED)
exchanging.write_changes(home, [exchanging.Change(list=name, before=None, after=row) for name in sys.argv[4:]])
"""


@pytest.mark.parametrize(("where", "at"), [("write", 1), ("replace", 1)])
def test_a_killed_import_leaves_every_list_whole(tmp_path: Path, where: str, at: int) -> None:
    """Killed between two files: each list is the old or the new one, no part counts; once more, and all are new."""
    for name in ("mappings", "sync"):
        shutil.copytree(ROOT / name, tmp_path / name)
    before, names = _rows(tmp_path), sorted(_rows(tmp_path))[:3]
    digest = studies.digest_of(tmp_path / "mappings")

    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), str(at), where, *names], check=False)

    after = _rows(tmp_path)
    assert killed.returncode == -signal.SIGKILL
    assert after.keys() == before.keys()
    renamed = at if where == "replace" else 0
    assert [len(after[name]) - len(before[name]) for name in names] == [1] * renamed + [0] * (3 - renamed)
    assert (studies.digest_of(tmp_path / "mappings") == digest) is (renamed == 0)
    subprocess.run([sys.executable, "-c", KILLED, str(tmp_path), "0", "nowhere", *names], check=True)
    assert [len(_rows(tmp_path)[name]) - len(before[name]) for name in names] == [1, 1, 1]
