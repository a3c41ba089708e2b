"""Promise 2, never a silent gap: what could not be had is said everywhere, and had at the next sync (DESIGN §5.2)."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_adapter import flow
from fhir_adapter.core.windows import WindowState
from fhir_adapter.sandbox.persona import PLAIN, Fault, FaultKind, Persona
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases
from tests.flow.conftest import Hall, hall
from tests.promises.conftest import hurried

CHOSEN = ("south",)


def _faulty(kind: FaultKind, type: str, page: int = 2) -> Persona:
    return Persona(name=kind, faults=(Fault(kind=kind, type=type, page=page, times=None),))


def _refusing(type: str) -> Persona:
    """What no asking in parts can heal; the fault matrix of single pages stands in tests/hostile."""
    return Persona(name="refusing", refused=frozenset({type}))


@pytest.fixture(scope="module")
def south(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """Hospitals whose behaviour the tests of this module change."""
    with hall(tmp_path_factory.mktemp("south")) as opened:
        yield opened


@pytest.fixture(scope="module")
def undisturbed(south: Hall, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of south alone when nothing fails."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with south.workspace(Databases(f"sqlite:///{folder}/v", f"sqlite:///{folder}/t", "sqlite"), CHOSEN) as work:
        _all_acknowledged(hurried(work))
        return work.trial.digest()


def _all_acknowledged(work: Workspace) -> None:
    flow.sync(work, [])
    flow.acknowledge(work, [], by="dm1", reason="planted")


def _open_types(work: Workspace) -> set[str]:
    with work.trial.database.reading() as transaction:
        return {row[0] for row in transaction.rows("SELECT type FROM completeness WHERE open_since IS NOT NULL")}


@pytest.mark.parametrize("type", ["Observation", pytest.param("AdverseEvent", marks=pytest.mark.hard)])
def test_what_could_not_be_had_is_said_everywhere_and_had_later(
    south: Hall, undisturbed: str, database_urls: Databases, type: str, tmp_path: Path
) -> None:
    """Exit 3, an open window, coverage where it was; status, completeness, trace and report say so; then whole."""
    hospital = south.rehearsed.hospitals["south"]
    with south.workspace(database_urls, CHOSEN) as opened:
        work = hurried(opened)
        hospital.play(_refusing(type))
        try:
            outcome = flow.sync(work, [])
        finally:
            hospital.play(PLAIN)
        assert outcome.code == 3
        assert any(type in message for message in outcome.hospitals[0].messages)
        assert {one.question.type for one in work.vault.windows("south", WindowState.OPEN)} == {type}
        rows = [row for row in work.vault.coverage("south").values() if row.type == type]
        assert rows
        assert all(row.open_since is not None and row.whole_as_of is None and row.since is None for row in rows)
        assert [row.type for row in flow.status(work).completeness if row.open_since] == [type]
        assert _open_types(work) == {type}
        subject = next(one.subject for one in flow.subjects(work) if one.treated)
        assert any(re.match(rf" *incomplete: {type} of south since 2", line)
                   for line in flow.trace(work, "PFS", subject))
        page = flow.report(work, tmp_path / "report")[0].read_text(encoding="utf-8")
        assert "incomplete" in page.lower()

        assert flow.sync(work, []).code == 3  # what came only now has refused records of its own
        flow.acknowledge(work, [], by="dm1", reason="planted")
        assert flow.sync(work, []).code == 0
        assert work.vault.windows("south", WindowState.OPEN) == []
        assert _open_types(work) == set()
        assert work.trial.digest() == undisturbed


def test_coverage_stays_where_it_was_when_a_later_page_fails(south: Hall, database_urls: Databases) -> None:
    """What was whole once is open since the failure; `since` and `whole_as_of` do not move."""
    hospital = south.rehearsed.hospitals["south"]
    with south.workspace(database_urls, CHOSEN) as opened:
        work = hurried(opened)
        _all_acknowledged(work)
        before = work.vault.coverage("south")
        hospital.play(_refusing("Condition"))
        try:
            outcome = flow.sync(work, [])
        finally:
            hospital.play(PLAIN)
        after = work.vault.coverage("south")
        failed = [key for key in after if key[0] == "Condition"]
        assert outcome.code == 3
        assert failed
        for key in failed:
            assert (after[key].since, after[key].whole_as_of) == (before[key].since, before[key].whole_as_of)
            assert after[key].open_since is not None
        # The hospital refused what it was asked about deletions of that type, too.
        assert _open_types(work) == {"Condition", "Condition/_history"}


def test_a_cohort_that_ends_early_is_said(south: Hall, database_urls: Databases) -> None:
    """People who are missing because the list of subjects broke off are a gap too, beside every endpoint."""
    hospital = south.rehearsed.hospitals["south"]
    with south.workspace(database_urls, CHOSEN) as opened:
        hospital_settings = opened.study.hospitals["south"]
        pull = hospital_settings.pull.model_copy(update={"page_size": 8})
        changed = {"south": hospital_settings.model_copy(update={"pull": pull})}
        work = hurried(opened)
        work.study.hospitals.update(changed)
        hospital.play(_faulty("error", "ResearchSubject"))
        try:
            outcome = flow.sync(work, [])
        finally:
            hospital.play(PLAIN)
        assert outcome.code == 3
        assert any("ResearchSubject" in message for message in outcome.hospitals[0].messages)
        assert "ResearchSubject" in _open_types(work)
        flow.sync(work, [])
        assert _open_types(work) == set()


def test_a_hospital_that_gives_nothing_is_said(south: Hall, database_urls: Databases) -> None:
    """Exit 5, and everything that had been whole is open since now."""
    hospital = south.rehearsed.hospitals["south"]
    with south.workspace(database_urls, CHOSEN) as opened:
        work = hurried(opened)
        _all_acknowledged(work)
        hospital.play(Persona(faults=(Fault(kind="error", on="metadata", times=None, status=503),
                                      Fault(kind="error", on="page", times=None, status=503),
                                      Fault(kind="error", on="read", times=None, status=503))))
        try:
            outcome = flow.sync(work, [])
        finally:
            hospital.play(PLAIN)
        assert outcome.code == 5
        assert _open_types(work) >= {"Observation", "AdverseEvent", "Patient"}
        assert flow.sync(work, []).code == 0
        assert _open_types(work) == set()


