"""Promise 8, privacy and secrets: what identifies a person stays in the vault, and only the cohort is there at all."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_adapter import flow, kit
from tests.databases import sqlite_databases
from tests.flow.conftest import SECRET
from tests.promises import looking
from tests.promises.conftest import Synced
from tests.promises.programs import StudyFolder, study_folder

IDS = ("zzw-", "zze-", "zzs-")
"""Every resource id of the fixtures begins so (fixtures/README.md)."""


def _lines(name: str) -> list[str]:
    return (kit.fixtures_path() / name).read_text(encoding="utf-8").split("\n")


def _canaries() -> list[str]:
    """Names, numbers, addresses and ids; birth dates apart, since other people's visits fall on such days too."""
    return [line for line in _lines("canaries.txt") if line and not line[0].isdigit()]


def _birth_dates() -> list[str]:
    return [line for line in _lines("canaries.txt") if line and line[0].isdigit()]


def _secrets(folder: Path) -> list[str]:
    """The throw-away secrets of the rehearsal hospitals, and the vault's own; of a key its longest lines."""
    found = [SECRET.decode()]
    for path in sorted((folder / "data" / "sandbox").iterdir()):
        found += [line for line in path.read_text(encoding="ascii").splitlines() if line and "-----" not in line]
    return found


def _hits(texts: Iterator[str] | list[str], wanted: list[str]) -> set[str]:
    joined = "\x00".join(texts)
    return {one for one in wanted if one in joined}


def test_no_identifier_in_the_trial_database(synced: Synced) -> None:
    """No name, number, address, birth date, source id or secret in any column of any table."""
    wanted = [*_canaries(), *_birth_dates(), *_secrets(synced.hall.folder), *IDS]
    texts = [value for _, _, value in looking.every_text(synced.work.trial.database)]
    assert _hits(texts, wanted) == set()


def test_nobody_outside_the_cohort_is_anywhere(synced: Synced) -> None:
    """Not in any column of the vault, nor of the trial, and on SQLite in no byte of the files."""
    outsiders = [line for line in _lines("outsiders.txt") if line]
    for database in (synced.work.vault.database, synced.work.trial.database):
        assert _hits([value for _, _, value in looking.every_text(database)], outsiders) == set()
        for side in ("", "-wal") if database.path is not None else ():
            path = Path(f"{database.path}{side}")
            raw = path.read_bytes() if path.exists() else b""
            assert [one for one in outsiders if one.encode() in raw] == []


def test_the_test_itself_would_find_them(synced: Synced) -> None:
    """The vault does hold the cohort's identifiers: the search can see."""
    texts = [value for _, _, value in looking.every_text(synced.work.vault.database)]
    assert len(_hits(texts, _canaries())) > len(_canaries()) * 0.9


def test_nothing_is_logged(synced: Synced, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """At DEBUG, from every library: no identifier, no source id, no secret; the report's files neither."""
    wanted = [*_canaries(), *_birth_dates(), *_secrets(synced.hall.folder), *IDS, "Bearer "]
    with caplog.at_level(logging.DEBUG):
        flow.sync(synced.work, [])
        paths = flow.report(synced.work, tmp_path / "report")
    assert _hits([record.getMessage() for record in caplog.records], wanted) == set()
    written = [path.read_bytes().decode("utf-8", "replace") for path in paths if path.is_file()]
    assert _hits(written, wanted) == set()


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    """A study folder whose programs say what they say."""
    with study_folder(tmp_path_factory.mktemp("study")) as made:
        yield made


COMMANDS = (
    ("sync", "--json", "east", "south"), ("status",), ("conflicts", "list"), ("problems", "list"),
    ("subjects", "list"), ("report",), ("audit", "verify"), ("check", "--json"), ("profile",), ("export", "csv"),
    ("cut", "create", "--cutoff", "2026-06-30", "--by", "dm1", "--name", "locked", "--with-open-conflicts"),
    ("sync", "nowhere"), ("trace", "PFS", "nobody"),
    ("conflicts", "show", "zzzz"), ("conflicts", "decide", "zzzz", "accept", "--by", "nobody", "--reason", "r"),
)


def test_no_command_says_who_somebody_is(program: StudyFolder, tmp_path: Path) -> None:
    """Output, errors and exit texts of the commands; only `trace` shows addresses, and only to who has the vault."""
    wanted = [*_canaries(), *_secrets(program.folder), *IDS]
    databases = sqlite_databases(tmp_path)
    for command in COMMANDS:
        _, said = program.say(databases, *command)
        assert said, command
        assert _hits([said], wanted) == set(), command
    handed_on = [path for name in ("cuts", "export") for path in (program.folder / "data" / name).rglob("*")]
    written = {path.name: path.read_bytes().decode("utf-8", "replace") for path in handed_on if path.is_file()}
    assert {"trial.sqlite", "v_subject.csv"} <= set(written)
    assert {name for name, text in written.items() if _hits([text], wanted)} == set()


def test_a_wrong_secret_or_server_is_told_without_its_value(program: StudyFolder, tmp_path: Path) -> None:
    """Refused credentials, a vault with another key: words and an exit code, no value."""
    databases = sqlite_databases(tmp_path)
    token = program.folder / "data" / "sandbox" / "east.token"
    right = token.read_text(encoding="ascii")
    token.write_text("a-wrong-token-that-nobody-may-see", encoding="ascii")
    try:
        code, said = program.say(databases, "sync", "east")
    finally:
        token.write_text(right, encoding="ascii")
    assert code == 5
    assert _hits([said], ["a-wrong-token", *_secrets(program.folder), *IDS]) == set()
    key = program.folder / "data" / "vault.key"
    key.write_text("another key of a vault that is elsewhere", encoding="ascii")
    try:
        code, said = program.say(databases, "sync", "east")
    finally:
        key.write_bytes(SECRET)
    assert code == 2
    assert "another key" not in said
