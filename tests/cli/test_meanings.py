"""Check and profile over a synced study: expected breaches and codes come from the fixtures' own lists."""

import csv
import io
import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Rehearsing, run
from tests.fhir.agreement import HOSPITALS


def _table(name: str) -> list[dict[str, str]]:
    with (ROOT / "fixtures" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_check_finds_the_records_that_are_no_fhir(study: Path) -> None:
    """Exactly those that the generator made invalid (fixtures/invalid.csv), by element and rule, without a value."""
    found = run("check", "--processes", "1", "--json", study=study)

    assert found.code == 0, found.err
    broken = {one["hospital"]: one["broken"] for one in found.json["hospitals"]}
    expected = Counter(row["hospital"] for row in _table("invalid.csv") if row["valid_fhir"] == "no")
    assert broken == {name: expected[name] for name in HOSPITALS}
    assert sum(one["versions"] for one in found.json["hospitals"]) > 4_000
    assert "zz" not in found.out


def test_check_goes_on_where_it_was_stopped(study: Path) -> None:
    """Whatever the number of processes the answer is the same; what was checked is not checked again."""
    whole = run("check", "--processes", "2", "--json", study=study).json
    book = study / "data" / "check.json"
    second = run("check", "--processes", "1", "--json", study=study).json
    kept = json.loads(book.read_text())
    del kept["hospitals"]["west"]  # as a check that was stopped after the first hospitals leaves it
    book.write_text(json.dumps(kept))
    third = run("check", "--processes", "1", "--json", study=study).json

    assert second["breaches"] == third["breaches"] == whole["breaches"]
    assert {one["fresh"] for one in second["hospitals"]} == {0}
    fresh = {one["hospital"]: one["fresh"] for one in third["hospitals"]}
    assert fresh["west"] > 0 == fresh["east"] == fresh["south"]
    assert run("check", "--processes", "1", "--again", "--json", study=study).json == whole


def test_a_book_that_cannot_be_read_says_what_to_do(study: Path) -> None:
    """Nothing is counted twice because of a broken file."""
    (study / "data").mkdir(exist_ok=True)
    (study / "data" / "check.json").write_text("{")
    found = run("check", study=study)

    assert found.code == 2
    assert "check --again" in found.err


def test_profile_knows_the_codes_of_the_fixtures(rehearsed: Rehearsing) -> None:
    """Every code that the generator wrote and a list knows is mapped to that concept; the planted ones are unknown."""
    found = run("profile", "--json", study=rehearsed.folder).json
    codes = {(one["system"], one["code"]): one for one in found if one["kind"] == "code"}
    planted = {(row["system"], row["code"]): row for row in _table("codes.csv") if row["list"] not in ("unit", "")}
    wrong = [key for key, row in planted.items()
             if key in codes and row["concept"] and codes[key]["found"] == "mapped"
             and codes[key]["concept"] != row["concept"]]

    assert wrong == []
    assert sum(key in codes for key in planted) > 60
    unknown = {one["code"] for one in found if one["found"] == "unknown"}
    assert {"W-LEN-4711", "Kliniken-E"} <= unknown


def test_profile_as_a_table_and_only_what_nobody_mapped(rehearsed: Rehearsing) -> None:
    """CSV with a header, the most frequent first; --unmapped leaves the planted code and unit."""
    found = run("profile", "west", "east", "--unmapped", "--csv", study=rehearsed.folder)
    rows = list(csv.DictReader(io.StringIO(found.out)))

    assert {(row["hospital"], row["code"]) for row in rows} == {("west", "W-LEN-4711"), ("east", "Kliniken-E")}
    assert [int(row["records"]) for row in rows] == sorted((int(row["records"]) for row in rows), reverse=True)
    assert run("profile", "nowhere", study=rehearsed.folder).code == 2


@pytest.fixture
def study(rehearsed: Rehearsing, tmp_path: Path) -> Path:
    """A copy of the synced study, to be changed freely."""
    return Path(shutil.copytree(rehearsed.folder, tmp_path / "study"))
