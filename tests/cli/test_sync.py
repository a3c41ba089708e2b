"""How a sync ends: 0, 2, 3, 4, 5, 6, each with words."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from fhir_adapter import flow
from fhir_adapter.store.leases import pull_lease
from tests.cli.conftest import ROOT, Rehearsing, run


def _hospital(study: Path, name: str, pattern: str, written: str) -> None:
    path = study / "sync" / "hospitals" / f"{name}.toml"
    path.write_text(re.sub(pattern, written, path.read_text()))


def test_the_first_sync_of_the_rehearsal_is_incomplete(rehearsed: Rehearsing) -> None:
    """The hospitals send bad records on purpose: exit code 3, every record accounted for, and what to do."""
    ended = rehearsed.first

    assert ended.code == 3
    assert "fhir-adapter problems list" in ended.out
    lines = [line for line in ended.out.splitlines() if "fetched" in line]
    assert len(lines) == 4
    for line in lines:
        said = {name: int(count) for name, count in re.findall(r"([a-z ]+?) (\d+)", line.split(":", 1)[1])}
        got = {name.strip().split()[-1]: count for name, count in said.items()}
        assert got["fetched"] == sum(got[one] for one in ("cohort", "unchanged", "repeated", "unreadable", "new"))
        assert got["new"] == sum(got[one] for one in ("mapped", "waiting", "ignored", "quarantined"))


def test_after_acknowledging_a_sync_is_whole(study: Path) -> None:
    """3 stays 3 until somebody has seen the bad records; then 0, with nothing new."""
    assert run("sync", study=study).code == 3
    seen = run("problems", "ack", "--by", "dm1", "--reason", "asked the hospital", "--json", study=study)
    again = run("sync", "--json", study=study)

    assert seen.json == {"acknowledged": 5}
    assert again.code == 0
    assert [one["counts"]["new"] for one in again.json["hospitals"]] == [0, 0, 0, 0]


def test_steps_may_be_taken_singly(study: Path) -> None:
    """pull, map, settle, derive: the same road, step by step."""
    assert run("pull", "west", study=study).code == 0
    assert run("map", "west", study=study).code == 3
    assert run("settle", study=study).out == "0 subjects settled and derived.\n"
    assert run("derive", "--json", study=study).json["subjects"] > 60


def test_a_folder_of_files_is_read_like_a_hospital(study: Path) -> None:
    """Kept under its name, and remembered as a hospital of the study."""
    files = ROOT / "fixtures" / "hospitals" / "west"
    ended = run("pull", "--files", files, "--fhir-version", "R4", "--as", "files", "--json", study=study)

    assert ended.code in (0, 3)
    assert ended.json["hospitals"][0]["counts"]["new"] > 500
    assert f'path = "{files}"' in (study / "sync" / "hospitals" / "files.toml").read_text(encoding="utf-8")
    assert run("pull", "--files", files, "--fhir-version", "R9", study=study).code == 2


@pytest.mark.parametrize(("place", "remembered"), [
    ("data/delivery", "../data/delivery"), ('../a "beautiful" delivery', '../../a \\"beautiful\\" delivery'),
])
def test_a_folder_near_the_study_moves_with_it(tmp_path: Path, place: str, remembered: str) -> None:
    """In the study or beside it: the way there is kept, not the full path; the moved study still reads it."""
    home = tmp_path / "here" / "study"
    assert run("init", home).code == 0
    files = home / place
    files.mkdir(parents=True)
    (files / "Patient.ndjson").write_text('{"resourceType": "Patient", "id": "p1"}\n', encoding="utf-8")
    assert run("pull", "--files", files, "--fhir-version", "R4", "--as", "files", study=home).code == 0
    (tmp_path / "here").rename(tmp_path / "there")
    moved = tmp_path / "there" / "study"
    again = run("pull", "files", "--json", study=moved)

    assert f'path = "{remembered}"' in (moved / "sync" / "hospitals" / "files.toml").read_text(encoding="utf-8")
    assert again.code == 0
    assert again.json["hospitals"][0]["counts"]["fetched"] == 1


def test_an_unknown_hospital_is_a_usage_error(study: Path) -> None:
    """The message names those there are."""
    ended = run("sync", "nowhere", study=study)

    assert ended.code == 2
    assert "desk, east, south, west" in ended.err


def test_a_hospital_that_is_not_there_gives_5(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are synced all the same; the worst code wins, and JSON has each."""
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    _hospital(study, "west", r"127\.0\.0\.1:\d+", "127.0.0.1:9")
    ended = run("sync", "--json", study=study)

    assert ended.code == 5
    codes = {one["hospital"]: one["code"] for one in ended.json["hospitals"]}
    assert codes == {"west": 5, "east": 3, "south": 3, "desk": 0}
    assert "West hospital" in " ".join(ended.json["hospitals"][2]["messages"])
    assert "incomplete" in run("trace", "PFS", "ATC-001", study=study).out
    assert [row for row in run("status", study=study).rows if row[0] == "west" and row[4]] != []


def test_a_hospital_that_refuses_us_gives_5(study: Path) -> None:
    """A wrong token: the message names the file to look at, never the token."""
    (study / "data" / "sandbox" / "east.token").write_text("WRONG-TOKEN")
    ended = run("sync", "east", study=study)

    assert ended.code == 5
    assert "east.toml" in ended.out or "East hospital" in ended.out
    assert "WRONG-TOKEN" not in ended.out + ended.err


def test_a_missing_secret_gives_2(study: Path) -> None:
    """The message says which setting and which file."""
    (study / "data" / "sandbox" / "east.token").unlink()
    ended = run("sync", "east", study=study)

    assert ended.code == 2
    assert "auth.token" in ended.out + ended.err


def test_another_run_gives_4(study: Path) -> None:
    """Whoever has the lease is let alone."""
    with flow.open_workspace(study) as work:
        work.vault.lease(pull_lease("west"), "other-machine:1:1", work.clock(), timedelta(minutes=10))
    ended = run("sync", "west", study=study)

    assert ended.code == 4
    assert "west" in ended.out


@pytest.mark.parametrize("name", ["vault.sqlite", "trial.sqlite"])
def test_a_damaged_database_gives_6(study: Path, name: str) -> None:
    """The message says which of the two."""
    for extra in ("-wal", "-shm"):
        (study / "data" / (name + extra)).unlink(missing_ok=True)
    (study / "data" / name).write_bytes(b"this is no database at all" * 400)
    ended = run("sync", study=study)

    assert ended.code == 6
    assert name.partition(".")[0] in ended.err


def test_a_vault_without_its_key_gives_2(study: Path) -> None:
    """Nothing is read or written without it."""
    (study / "data" / "vault.key").unlink()
    ended = run("sync", study=study)

    assert ended.code == 2
    assert "vault.key" in ended.err
    assert not (study / "data" / "vault.key").exists()
