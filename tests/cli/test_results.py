"""Results: trace, report, digest, rebuild, and what the README says about them."""

import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path

import pytest

from fhir_adapter.core.study import Hospital
from tests.cli.conftest import ROOT, Rehearsing, run

README = (ROOT / "README.md").read_text(encoding="utf-8")
HOSPITALS = (ROOT / "docs" / "hospitals.md").read_text(encoding="utf-8")


def _blocks(text: str, language: str) -> list[str]:
    """The code blocks of a page in one language."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", text, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(f"^{indent}", "", block, flags=re.MULTILINE) for indent, block in found]


@pytest.mark.parametrize("endpoint", ["PFS", "os", "BOR", "RESPONSE", "BASELINE", "AE", "EXPOSURE", "ALIVE",
                                      "POPULATION", "DOR", "TTR"])
def test_every_endpoint_can_be_traced(rehearsed: Rehearsing, endpoint: str) -> None:
    """Down to record, version and URL, in words."""
    ended = run("trace", endpoint, "ATC-001", study=rehearsed.folder)

    assert ended.code == 0, ended.err
    assert "why: " in ended.out
    assert "http://127.0.0.1:" in ended.out
    assert "SHA-256" in ended.out


@pytest.mark.parametrize("words", [("MAGIC", "ATC-001"), ("PFS", "ATC-999")])
def test_what_is_not_there_cannot_be_traced(rehearsed: Rehearsing, words: tuple[str, str]) -> None:
    """The message says what there is, or where to look."""
    ended = run("trace", *words, study=rehearsed.folder)

    assert ended.code == 2
    assert "choose from" in ended.err or "subjects list" in ended.err


def test_the_report_is_written_where_one_says(rehearsed: Rehearsing, tmp_path: Path) -> None:
    """The page and its figures; nothing says rehearsal data, since this is a study of its own."""
    ended = run("report", "--folder", tmp_path, "--json", study=rehearsed.folder)

    assert ended.code == 0
    assert str(tmp_path / "index.html") in ended.json
    assert all(Path(one).is_file() for one in ended.json)


def test_a_rebuilt_database_has_the_same_digest(study: Path) -> None:
    """The trial database is a function of vault and mappings."""
    before = run("digest", study=study).out.strip()
    ended = run("rebuild", study=study)

    assert ended.code == 0, ended.err
    assert "the same as before" in ended.out
    assert run("digest", "--json", study=study).json == {"digest": before}


def test_the_schema_is_brought_up_to_date(study: Path) -> None:
    """On databases that are new already nothing happens."""
    before = run("digest", study=study).out
    assert run("db", "upgrade", study=study).code == 0
    assert run("digest", study=study).out == before


def test_a_changed_audit_trail_is_noticed(study: Path) -> None:
    """Somebody edits an entry behind our back: exit code 6, and which entry."""
    run("trace", "PFS", "ATC-001", study=study)
    with closing(sqlite3.connect(study / "data" / "vault.sqlite")) as vault, vault:
        for (name,) in vault.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            vault.execute(f'DROP TRIGGER "{name}"')
        vault.execute("UPDATE audit SET object = 'PFS of ATC-002' WHERE seq = (SELECT max(seq) FROM audit)")
    ended = run("audit", "verify", study=study)

    assert ended.code == 6
    assert "does not hold" in ended.err


@pytest.mark.parametrize("query", _blocks(README, "sql"))
def test_the_queries_of_the_readme_run(rehearsed: Rehearsing, query: str) -> None:
    """Each gives rows, and every subject once where it says so."""
    with closing(sqlite3.connect(rehearsed.folder / "data" / "trial.sqlite")) as trial:
        rows = trial.execute(query).fetchall()

    assert len(rows) > 1


def test_the_hospital_of_the_readme_loads() -> None:
    """Ten lines of TOML."""
    (block,) = _blocks(README, "toml")
    hospital = Hospital.model_validate({**tomllib.loads(block), "id": "west"})

    assert hospital.auth.kind == "smart_backend"
    assert len(block.strip().splitlines()) <= 10


@pytest.mark.parametrize("block", _blocks(HOSPITALS, "toml"))
def test_the_examples_of_docs_load(block: str) -> None:
    """Every example of docs/hospitals.md is one that the program takes."""
    Hospital.model_validate({"name": "x", **tomllib.loads(block), "id": "x"})
