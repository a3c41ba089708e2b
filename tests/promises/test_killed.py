"""Promise 4, the hard part: `kill -9` at any moment loses nothing and doubles nothing; SIGTERM ends in order."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fhir_adapter.steps.workspace import trial_tables
from fhir_adapter.store.trial import Trial, open_trial
from fhir_adapter.store.vault import Vault, open_vault
from tests.databases import BACKENDS, Databases, postgres_databases, sqlite_databases
from tests.flow.conftest import SECRET
from tests.promises import looking
from tests.promises.conftest import Shelf
from tests.promises.programs import StudyFolder, study_folder

ROUNDS = 3
KILLS = 4
"""Rounds over fresh databases, and kills in each: twelve for each backend."""


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    """A study folder with its hospitals, on which no test changes anything."""
    with study_folder(tmp_path_factory.mktemp("study")) as made:
        yield made


@contextmanager
def _fresh(backend: str, folder: Path, request: pytest.FixtureRequest) -> Iterator[Databases]:
    if backend == "sqlite":
        folder.mkdir()
        yield sqlite_databases(folder)
        return
    with postgres_databases(request.getfixturevalue("_postgres").url()) as made:
        yield made


@pytest.mark.hard
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_killed_at_any_moment_the_end_is_the_same(
    program: StudyFolder, shelf: Shelf, backend: str, seed: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """After each kill both databases are sound and nobody waits for the dead; the digest is that of a whole run."""
    moments = random.Random(f"{backend} {seed}")
    with _fresh(backend, tmp_path / "databases", request) as databases:
        killed = sum(_killed(program, databases, moments.uniform(0.3, 7.0)) for _ in range(KILLS))
        last = program.run(databases, "sync")
        assert last.returncode == 3, last.stderr
        again = program.run(databases, "sync")
        assert again.returncode == 3
        assert "new 0;" in again.stdout
        assert program.run(databases, "digest").stdout.strip() == shelf.synced("sqlite").digest
        assert _doubled(databases) == []
    assert killed >= 1


def _killed(program: StudyFolder, databases: Databases, after: float) -> bool:
    """Kills a sync after so many seconds, then looks at what it left; whether it was still running."""
    with program.start(databases, "sync") as process:
        time.sleep(after)
        process.kill()
        process.communicate()
    with _vault(databases) as vault, _trial(databases) as trial:
        assert looking.faults(vault.database) == looking.faults(trial.database) == []
        assert vault.verify_audit() == []
    return process.returncode == -signal.SIGKILL


@contextmanager
def _vault(databases: Databases) -> Iterator[Vault]:
    vault = open_vault(databases.vault, SECRET, create=True)
    try:
        yield vault
    finally:
        vault.close()


@contextmanager
def _trial(databases: Databases) -> Iterator[Trial]:
    trial = open_trial(databases.trial, trial_tables(), create=True)
    try:
        yield trial
    finally:
        trial.close()


def _doubled(databases: Databases) -> list[str]:
    """Records that have one content twice in a row, and numbers that a hospital's sequence gave twice or left out."""
    with _vault(databases) as vault, vault.database.reading() as transaction:
        doubled = [f"{row[0]} twice" for row in transaction.rows(
            "SELECT resource FROM version GROUP BY resource, version_id, sha256 HAVING count(*) > 1")]
        return doubled + [f"sequence of {row[0]}" for row in transaction.rows(
            "SELECT v.hospital FROM version v JOIN sequence s ON s.hospital = v.hospital GROUP BY v.hospital, s.last "
            "HAVING count(*) <> s.last OR max(v.seq) <> s.last")]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("moment", ["south: asking", "south: mapping"], ids=["while asking", "while mapping"])
def test_sigterm_ends_in_order(
    program: StudyFolder, backend: str, moment: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Exit 3 with words, every lease given back, the run has an end; what was kept until then is sound."""
    with _fresh(backend, tmp_path / "databases", request) as databases:
        with program.start(databases, "sync", "south", "west") as process:
            assert process.stderr is not None
            for line in process.stderr:
                if line.startswith(moment):
                    break
            process.send_signal(signal.SIGTERM)
            said = process.stderr.read()
            assert process.wait(60) == 3, said
        assert "running again is safe" in said
        assert "Traceback" not in said
        with _vault(databases) as vault:
            assert vault.lease_holders(datetime.now(UTC)) == {}
            assert [(run.exit_code, run.ended_at is not None) for run in vault.runs(5)] == [(3, True)]
            assert looking.faults(vault.database) == []
