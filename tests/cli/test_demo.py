"""`fhir-adapter demo` in an empty folder."""

import json
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Ended, program, run

GOLDEN = ROOT / "fixtures" / "golden" / "demo" / "conflicts.json"
OPEN = [row["state"] for row in json.loads(GOLDEN.read_text("utf-8"))].count("open")
"""Conflicts that the generator's truth leaves open in the demonstration."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Ended]:
    """A folder where the demonstration has run once, and how it ended."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, program("demo", folder=folder)


def test_it_prints_what_it_found(demo: tuple[Path, Ended]) -> None:
    """Subjects, facts, conflicts, completeness, ORR with interval, medians, adverse events by grade, where to look."""
    folder, ended = demo

    assert ended.code == 0, ended.err
    for said in ("64 screened, 60 enrolled, 58 treated", "lab result 2", f"{OPEN} open", "West hospital (R4): whole",
                 "East hospital (R5): whole", "South hospital (STU3): whole", "Trial office (sheets): whole",
                 "19 of 58, 32.8 % (95 % CI 21.0 to 46.3, exact)", "PFS, treatment policy   median 4.2 months",
                 "OS                      median 8.9 months", "53 of 58 participants; worst grade 1: 7",
                 f"Report: {folder}/data/report/index.html", "fhir-adapter trace PFS ATC-001"):
        assert said in ended.out
    assert "asking" in ended.err
    assert "Traceback" not in ended.err
    assert (folder / "data" / "report" / "index.html").stat().st_size > 100_000


def test_a_second_run_changes_nothing(demo: tuple[Path, Ended]) -> None:
    """Run again, it ends whole with the same digest; as JSON, the same numbers."""
    folder, _ = demo
    before = program("digest", folder=folder).out
    again = program("demo", "--json", folder=folder)

    assert again.code == 0
    assert again.json["code"] == 0
    assert again.json["summary"]["orr_confirmed"]["x"] == 19
    assert program("digest", folder=folder).out == before


def test_its_folder_answers_other_commands(demo: tuple[Path, Ended]) -> None:
    """What the demonstration says to type next works there, without a study folder."""
    folder, _ = demo

    assert len(run("conflicts", "list", study=folder).rows) == OPEN
    assert "why:" in run("trace", "PFS", "ATC-001", study=folder).out
    assert run("status", study=folder).code == 0
    with closing(sqlite3.connect(folder / "data" / "trial.sqlite")) as trial:
        assert trial.execute("SELECT count(*) FROM v_time_to_event WHERE endpoint = 'OS'").fetchone() == (60,)


def test_files_are_not_kept_for_a_demonstration(demo: tuple[Path, Ended]) -> None:
    """There is no study that could remember them."""
    ended = run("pull", "--files", "/nowhere", study=demo[0])

    assert ended.code == 2
    assert "fhir-adapter init" in ended.err


def test_it_refuses_a_vault_that_it_did_not_make(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real data are never mixed with invented ones: exit code 2, and nothing is touched."""
    before = (study / "data" / "vault.sqlite").read_bytes()
    monkeypatch.chdir(study)
    ended = run("demo")

    assert ended.code == 2
    assert "did not make" in ended.err
    assert (study / "data" / "vault.sqlite").read_bytes() == before


def test_it_refuses_a_vault_without_its_key(demo: tuple[Path, Ended], study: Path, tmp_path: Path,
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when the key lies elsewhere, and when only a key is there."""
    for name, kept in (("vault", "vault.sqlite"), ("key", "vault.key")):
        (tmp_path / name / "data").mkdir(parents=True)
        shutil.copy(study / "data" / kept, tmp_path / name / "data" / kept)
        monkeypatch.chdir(tmp_path / name)
        assert run("demo").code == 2
