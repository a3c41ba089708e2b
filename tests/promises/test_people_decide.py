"""Promise 7, people decide: nothing that somebody signed is ever lost, and everything can be taken back."""

from pathlib import Path
from typing import Any

import pytest

from fhir_adapter import flow, kit
from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.steps import deciding
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases
from tests.flow.conftest import Hall
from tests.promises.conftest import hurried

DECISIONS = kit.fixtures_path() / "decisions.csv"


def _state(work: Workspace) -> dict[str, str]:
    """The digests of all tables but the list of decisions itself."""
    return {table: digest for table, digest in work.trial.table_digests().items() if table != "decision"}


def _conclusions(work: Workspace) -> dict[str, list[dict[str, Any]]]:
    """Every conclusion; without the keys of facts, since those that a decision states hold the decision's number."""
    return {table: [{name: value for name, value in row.items() if name != "facts"}
                    for row in work.trial.all_rows(table)] for table in work.trial.tables.conclusions}


def test_decisions_are_undone_one_by_one_and_never_deleted(
    hospitals: Hall, database_urls: Databases, tmp_path: Path
) -> None:
    """Conflicts, standings and conclusions are as before; the database refuses to change or remove what was signed."""
    with hospitals.workspace(database_urls) as opened:
        work = hurried(opened)
        flow.sync(work, [])
        before = _state(work)
        flow.import_decisions(work, DECISIONS)
        decided, conclusions = work.vault.decisions(), _conclusions(work)
        assert len(decided) == len(DECISIONS.read_text(encoding="utf-8").splitlines()) - 1
        assert _state(work) != before
        flow.export_decisions(work, tmp_path / "decisions.csv")
        for place, one in enumerate(reversed(decided), start=1):
            undo = flow.undo if place < 3 or place == len(decided) else deciding.undo  # settled now, or with the last
            undo(work, one.number, reason="on second thoughts", by=one.decided_by)
        after = _state(work)
        assert {table for table in before if before[table] != after[table]} == set()
        assert len(work.vault.decisions()) == 2 * len(decided)
        for statement in ("DELETE FROM decision", "UPDATE decision SET reason = ''", "DELETE FROM audit"):
            with pytest.raises(DatabaseError), work.vault.database.writing() as transaction:
                transaction.run(statement)
        assert work.vault.verify_audit() == []
        flow.import_decisions(work, tmp_path / "decisions.csv", by="dm1")
        assert _conclusions(work) == conclusions


def test_exported_decisions_settle_an_empty_study_alike(
    hospitals: Hall, postgresql_urls: Databases, tmp_path: Path
) -> None:
    """From PostgreSQL to SQLite: replayed by conflict key over another vault's records, they conclude the same."""
    with hospitals.workspace(postgresql_urls) as opened:
        work = hurried(opened)
        flow.sync(work, [])
        flow.import_decisions(work, DECISIONS)
        expected = _conclusions(work)
        count = flow.export_decisions(work, tmp_path / "decisions.csv")
        assert count == len(work.vault.decisions())
    folder = tmp_path / "empty"
    folder.mkdir()
    with hospitals.workspace(Databases(f"sqlite:///{folder}/v", f"sqlite:///{folder}/t", "sqlite")) as opened:
        empty = hurried(opened)
        flow.sync(empty, [])
        lines = flow.import_decisions(empty, tmp_path / "decisions.csv", by="dm1")
        assert [line for line in lines if "no conflict" in line] == []
        assert _conclusions(empty) == expected


def test_a_changed_source_reopens(own_hall: Hall, database_urls: Databases) -> None:
    """A decision about other values than those now in dispute is not applied, and the conflict says so."""
    record: dict[str, Any] = own_hall.rehearsed.hospitals["west"].record("Observation", "zzw-ts-0140")
    with own_hall.workspace(database_urls, ("west",)) as opened:
        work = hurried(opened)
        flow.sync(work, [])
        work_before = {one.key for one in flow.conflicts(work, kind="unit_implausible")}
        flow.import_decisions(work, DECISIONS)
        decided = work_before - {one.key for one in flow.conflicts(work, kind="unit_implausible")}
        assert len(decided) == 2
        record["component"][0]["valueQuantity"]["value"] = 1.4
        own_hall.rehearsed.hospitals["west"].edit(record)
        flow.sync(work, [])
        reopened = [one.key for one in flow.conflicts(work, kind="unit_implausible") if one.key in decided]
        assert len(reopened) == 1
        assert "The source changed after decision" in "\n".join(flow.conflict(work, reopened[0]).lines)
