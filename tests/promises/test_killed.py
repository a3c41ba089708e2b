"""Promise 4, the hard part: `kill -9` at any moment loses nothing and doubles nothing; SIGTERM ends in order."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest

from fhir_adapter import kit
from fhir_adapter.core.errors import INCOMPLETE
from fhir_adapter.steps.workspace import trial_tables
from fhir_adapter.store.trial import Trial, open_trial
from fhir_adapter.store.vault import Vault, open_vault
from tests.databases import BACKENDS, Databases, postgres_databases, sqlite_databases
from tests.flow.conftest import SECRET
from tests.promises import looking
from tests.promises.programs import StudyFolder, study_folder
from tests.promises.warmed import Warmed, warmed

KILLS = int(os.environ.get("KILLS", "60"))
"""Kills for each backend; `make soak` has more."""

ASKED = ["sync", "south"]


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


class Life:
    """A study's databases, over which the program is killed until it has ended by itself, step by step."""

    def __init__(self, program: StudyFolder, forker: Warmed, databases: Databases, said: Path) -> None:
        self._program, self._forker, self._databases, self._said = program, forker, databases, said
        self.killed = 0

    def end(self, *words: str) -> float:
        """The program runs to its end; the seconds that it took."""
        code, seconds = self._run(words, None)
        assert code in (0, INCOMPLETE), self._said.read_text(encoding="utf-8")
        return seconds

    def kill_until_it_ends(self, words: tuple[str, ...], moments: Iterator[float]) -> None:
        """Killed again and again; after each time both databases are sound and nobody waits for the dead."""
        for after in moments:
            code, _ = self._run(words, after)
            with _vault(self._databases) as vault, _trial(self._databases) as trial:
                assert looking.faults(vault.database) == looking.faults(trial.database) == []
                assert vault.verify_audit() == []
            if code != -signal.SIGKILL:
                assert code in (0, INCOMPLETE), self._said.read_text(encoding="utf-8")
                return
            self.killed += 1

    def truth(self) -> dict[str, Any]:
        """What must be the same however often it was killed: every digest but that of the signing times, the decisions,
        the audit trail without its times, and nothing twice."""
        with _vault(self._databases) as vault, _trial(self._databases) as trial:
            return {
                "tables": {name: found for name, found in trial.table_digests().items() if name != "decision"},
                "decisions": [(one.kind, one.choice, one.value, one.decided_by) for one in vault.decisions(0)],
                "audit": Counter((one.action, one.actor, one.object) for one in vault.audit_entries()),
                "doubled": _doubled(self._databases),
            }

    def _run(self, words: tuple[str, ...], after: float | None) -> tuple[int, float]:
        env = self._program.environment(self._databases)
        return self._forker.run([*words, "--study", str(self._program.folder)], env, self._said, after)


@pytest.fixture(scope="module")
def forker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warmed]:
    """The program, ready to be forked."""
    with warmed(tmp_path_factory.mktemp("forker")) as ready:
        yield ready


@pytest.mark.hard
@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_at_any_moment_the_end_is_the_same(
    program: StudyFolder, forker: Warmed, backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Syncs and decisions, killed at random moments, chained until each has ended by itself: nothing is lost, nothing
    is there twice, and everything derived is what a whole run derives."""
    decide = ("decisions", "import", str(kit.fixtures_path() / "decisions.csv"))
    with _fresh(backend, tmp_path / "whole", request) as databases:
        whole = Life(program, forker, databases, tmp_path / "said")
        spans = {words: whole.end(*words) for words in (tuple(ASKED), decide)}
        whole.end(*ASKED)
        expected = whole.truth()
    assert expected["doubled"] == []
    assert len(expected["decisions"]) > 0
    random, killed, lives = Random(f"{backend} {KILLS}"), 0, 0
    while killed < KILLS:
        lives += 1
        with _fresh(backend, tmp_path / f"life {lives}", request) as databases:
            life = Life(program, forker, databases, tmp_path / "said")
            for words, span in spans.items():
                life.kill_until_it_ends(words, (random.uniform(0.0, 0.9 * span) for _ in range(25)))
                life.end(*words)
            life.end(*ASKED)
            assert "new 0;" in (tmp_path / "said").read_text(encoding="utf-8")
            assert life.truth() == expected
        killed += life.killed
        assert lives <= KILLS, "hardly any kill came in time"


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
