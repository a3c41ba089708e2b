"""Supplements before and while they count: templates, every cell checked, CSV and XLSX alike."""

import csv
import shutil
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook, load_workbook

from fhir_adapter import flow
from fhir_adapter.wire.sheets import SHEETS, pages
from tests.cli.conftest import Rehearsing, run

SIGNED = ("Dr Desk", "2026-07-01")


@pytest.fixture
def study(rehearsed: Rehearsing, tmp_path: Path) -> Path:
    """A copy of the synced study, to be changed freely."""
    return Path(shutil.copytree(rehearsed.folder, tmp_path / "study"))


def _columns(name: str) -> tuple[str, ...]:
    return next(sheet.columns for sheet in SHEETS if sheet.name == name)


def _as_workbook(folder: Path, path: Path) -> None:
    """The CSV sheets of a folder in one workbook, dates as dates."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for file in sorted(folder.glob("*.csv")):
        sheet = book.create_sheet(file.stem)
        with file.open(encoding="utf-8", newline="") as opened:
            for row in csv.reader(opened):
                sheet.append([date.fromisoformat(cell) if len(cell) == 10 and cell[:2] == "20" else cell or None
                              for cell in row])
    book.save(path)


@pytest.mark.parametrize("place", ["sheets", "desk.xlsx"])
def test_a_template_has_every_sheet_and_is_never_overwritten(tmp_path: Path, place: str) -> None:
    """Every column; in a workbook also the words that a cell may hold. It reads as sheets without rows."""
    target = tmp_path / "made" / place
    target.parent.mkdir()
    assert run("supplements", "template", target).code == 0
    folder = target if target.is_dir() else target.parent

    assert [(page.entries, page.damages) for page in pages(folder)] == [((), ())] * len(SHEETS)
    assert run("supplements", "template", target).code == 2
    if target.suffix:
        offered = load_workbook(target)["therapies"].data_validations.dataValidation
        assert '"prior,study,subsequent,supportive,unknown"' in {one.formula1 for one in offered}


def test_the_words_of_a_template_are_those_that_are_accepted(rehearsed: Rehearsing, tmp_path: Path) -> None:
    """Each word of each closed list, in a row that is otherwise right; and any other word is refused."""
    good = {
        "lesions": {"subject": "ATC-045", "hospital": "south", "lesion": "BodySite/none", "role": "target"},
        "assessments": {"subject": "ATC-045", "date": "2024-01-02", "category": "overall", "value": "SD"},
        "disposition": {"subject": "ATC-045", "date": "2024-01-02", "event": "withdrawal", "level": "visits",
                        "component": "anlotinib"},
        "therapies": {"subject": "ATC-045", "kind": "drug", "therapy": "dabrafenib", "role": "prior"},
        "deviations": {"subject": "ATC-045", "date": "2024-01-02", "category": "dose"},
        "causality": {"subject": "ATC-045", "hospital": "south", "record": "AdverseEvent/none",
                      "component": "anlotinib"},
        "safety": {"subject": "ATC-045", "case": "1", "term": "Anemia", "onset": "2024-01-02"},
    }
    fit = {("assessments", "category", "new_lesion"): {"value": "none"},
           **{("disposition", "cause", word): {"event": "death"}
              for word in ("disease", "toxicity", "other", "unknown", "no such word")},
           ("therapies", "kind", "surgery"): {"therapy": "thyroidectomy"}}
    for sheet in SHEETS:
        rows = []
        for column, words in sheet.words.items():
            for word in (*words, "no such word"):
                rows.append({**good[sheet.name], "signed_by": SIGNED[0], "signed_on": SIGNED[1], column: word,
                             **fit.get((sheet.name, column, word), {})})
        with (tmp_path / f"{sheet.name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, sheet.columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        wanted = [(number, column) for number, (column, word) in enumerate(
            ((column, word) for column, words in sheet.words.items() for word in (*words, "no such word")), start=2)
            if word == "no such word"]
        said = [line for line in run("supplements", "check", tmp_path, "--json", study=rehearsed.folder).json
                if f"sheet {sheet.name}," in line and "none of" in line]
        assert [line.partition(": ")[0] for line in said] == [
            f"sheet {sheet.name}, row {number}, column {column}" for number, column in wanted]


def test_a_workbook_says_what_its_csv_says(study: Path) -> None:
    """The desk's sheets as XLSX: nothing new for the trial, not one row another."""
    folder = study / "sync" / "supplements" / "atc-pd1"
    before = run("digest", study=study).out
    _as_workbook(folder, folder / "desk.xlsx")
    for path in folder.glob("*.csv"):
        path.unlink()
    synced = run("sync", "desk", "--json", study=study)

    assert synced.code == 0, synced.err
    assert synced.json["hospitals"][0]["counts"]["new"] == 0
    assert run("digest", study=study).out == before
    assert run("supplements", "check", study=study).out == "The supplements are in order.\n"


def test_a_wrong_cell_is_named_by_sheet_row_and_column(study: Path, tmp_path: Path) -> None:
    """Before the sync by the check, after it in the list of problems."""
    folder = study / "sync" / "supplements" / "atc-pd1"
    path = folder / "disposition.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([*lines, "ATC-999,2024-01-02,contact,,,,,Dr Desk,2026-07-01",
                               "ATC-001,2024-01-02,vanished,,,,,Dr Desk,2026-07-01"]) + "\n", encoding="utf-8")
    last = len(lines)
    found = run("supplements", "check", study=study)
    run("sync", "desk", study=study)
    problems = run("problems", "list", study=study).out

    assert found.code == 2
    assert found.out.splitlines()[0] == f"sheet disposition, row {last + 1}, column subject: no subject of the study"
    assert found.out.splitlines()[1].startswith(f"sheet disposition, row {last + 2}, column event: none of ")
    assert f"sheet disposition, row {last + 2}, column event" in problems
    assert "vanished" not in found.out + problems


def test_the_safety_list_is_reconciled_and_not_counted(study: Path) -> None:
    """An event that no hospital reports, and an outcome that differs, are conflicts; no event is added."""
    folder = study / "sync" / "supplements" / "atc-pd1"
    events = run("trace", "AE", "ATC-001", study=study).out
    rows = ["ATC-001,C-1,Pneumonitis,2020-01-02,,3,yes,resolved,Dr Desk,2026-07-01",
            "ATC-001,C-2,10002272,,,,,,Dr Desk,2026-07-01"]
    header = ",".join(_columns("safety"))
    (folder / "safety.csv").write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    (folder / "deviations.csv").write_text(
        f"{','.join(_columns('deviations'))}\nATC-001,2024-01-02,dose,yes,Dr Desk,2026-07-01\n", encoding="utf-8")
    synced = run("sync", "desk", study=study)
    kinds = [row[1] for row in run("conflicts", "list", study=study).rows if row[2] == "ATC-001"]

    assert synced.code == 0, synced.err
    assert "serious_event_not_reported" in kinds
    assert run("trace", "AE", "ATC-001", study=study).out == events


def test_a_judgement_of_causality_stands_beside_the_record(study: Path) -> None:
    """It makes the event related, opens a conflict with the record, and is replayed as any record is."""
    folder = study / "sync" / "supplements" / "atc-pd1"
    with flow.open_workspace(study) as work:
        events = work.trial.frames(("ae_causality", "adverse_event"), standings=("current",))
        judged = events["ae_causality"]
        first = judged[judged.related.eq(False)].sort_values("fact_key").iloc[0]
        head = work.vault.head_of(first.resource)
    assert head is not None
    row = f"{first.subject},{head.hospital},AdverseEvent/{head.fhir_id},{first.component},related,Dr Desk,2026-07-01"
    bad = [row.replace(first.component, "sugar", 1), row.replace("AdverseEvent/", "AdverseEvent/no-"),
           row.replace(f",{head.hospital},", ",moon,")]
    path = folder / "causality.csv"
    path.write_text("\n".join([",".join(_columns("causality")), *bad]) + "\n", encoding="utf-8")
    said = run("supplements", "check", study=study).out.splitlines()
    assert [line.partition(": ")[0] for line in said] == [
        f"sheet causality, row {number}, column {column}"
        for number, column in ((2, "component"), (3, "record"), (4, "hospital"))]

    path.write_text("\n".join([",".join(_columns("causality")), row]) + "\n", encoding="utf-8")
    assert run("supplements", "check", study=study).out == "The supplements are in order.\n"
    assert run("sync", "desk", study=study).code == 0
    found = run("conflicts", "list", "--kind", "causality_disagrees", study=study).rows
    assert [(line[2], line[3]) for line in found] == [(first.subject, f"desk, {head.hospital}")]
    with flow.open_workspace(study) as work:
        facts = work.trial.frames(("ae_causality",), standings=("current", "held"))["ae_causality"]
        mine = facts[facts.record.eq(first.resource)]
        episodes = work.trial.frames(("ae_episode",))["ae_episode"]
        told = episodes[episodes.facts.str.contains(mine.iloc[0].fact_key)]
    assert mine.hospital.tolist() == ["desk"]
    assert told.related.tolist() == [True]
    before = run("digest", study=study).out
    run("rebuild", study=study)
    assert run("digest", study=study).out == before
