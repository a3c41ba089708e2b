"""Promise 5, same in, same out: the digest knows neither backend nor order, and rebuilding gives it again."""

from pathlib import Path

import msgspec
import pytest

from fhir_adapter import flow, kit
from fhir_adapter.sandbox.persona import Persona
from fhir_adapter.steps import settling
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases, sqlite_databases
from tests.flow.conftest import Hall, hall
from tests.promises.conftest import Shelf, hurried


def _difference(work: Workspace, other: Workspace) -> set[str]:
    """The tables in which two studies differ."""
    mine, theirs = work.trial.table_digests(), other.trial.table_digests()
    return {table for table in mine if mine[table] != theirs[table]}


def test_both_backends_give_the_same_digest(shelf: Shelf) -> None:
    """Facts, problems, conflicts and conclusions, table by table."""
    one, two = shelf.synced("sqlite"), shelf.synced("postgresql")
    assert _difference(one.work, two.work) == set()
    assert one.digest == two.digest


def _with_pages_of(work: Workspace, size: int) -> Workspace:
    hospitals = {name: one.model_copy(update={"pull": one.pull.model_copy(update={"page_size": size})})
                 for name, one in work.study.hospitals.items()}
    return msgspec.structs.replace(work, study=work.study.model_copy(update={"hospitals": hospitals}))


@pytest.mark.parametrize("seed", [7, pytest.param(8, marks=pytest.mark.hard)])
def test_the_order_of_pages_does_not_matter(shelf: Shelf, tmp_path: Path, seed: int) -> None:
    """Hospitals that sort as they please, in pages of another size, asked in another order, sheets first."""
    with hall(tmp_path / "hall") as shuffled, shuffled.workspace(sqlite_databases(tmp_path)) as opened:
        for one in shuffled.rehearsed.hospitals.values():
            one.play(Persona(name="disorderly", ignored=frozenset({"_sort"})))
            one.reception.seed = seed
        work = _with_pages_of(hurried(opened), 30 + seed)
        for hospital in ("desk", "west", "south", "east", "desk"):
            assert flow.sync(work, [hospital]).code in (0, 3)
        assert _difference(work, shelf.synced("sqlite").work) == set()
        assert work.trial.digest() == shelf.synced("sqlite").digest


@pytest.mark.parametrize("at_once", [16, pytest.param(1, marks=pytest.mark.hard)])
def test_whoever_is_concluded_beside_a_subject_does_not_matter(
    shelf: Shelf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hospitals: Hall, at_once: int
) -> None:
    """A few subjects at a time, as a sync with few changes does, or all at once: the same conclusions."""
    monkeypatch.setattr(settling, "AT_ONCE", at_once)
    with hospitals.workspace(sqlite_databases(tmp_path)) as work:
        flow.sync(hurried(work), [])
        assert _difference(work, shelf.synced("sqlite").work) == set()


def test_rebuilding_gives_the_same_digest(hospitals: Hall, database_urls: Databases) -> None:
    """Also after every decision of the fixtures, and again after two of them were undone."""
    with hospitals.workspace(database_urls) as work:
        flow.sync(hurried(work), [])
        flow.import_decisions(work, kit.fixtures_path() / "decisions.csv")
        joined = next(one for one in work.vault.decisions() if one.choice == "join")
        mapped = next(one for one in work.vault.decisions() if one.choice == "map_code")
    for taken_back in ((), (joined, mapped)):
        with hospitals.workspace(database_urls) as work:
            for one in taken_back:
                flow.undo(work, one.number, reason="on second thoughts", by=one.decided_by)
            before, tables = work.trial.digest(), work.trial.table_digests()
            said = flow.rebuild(work)
        with hospitals.workspace(database_urls) as work:
            anew = work.trial.table_digests()
            assert {table for table in anew if anew[table] != tables[table]} == set()
            assert work.trial.digest() == before
            assert "the same as before" in said[0]
