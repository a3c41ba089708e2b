"""A whole sync under every persona: the same records end in the same trial, or what a vendor does not show is named."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_adapter import domains, flow, kit, study
from fhir_adapter.core.errors import INCOMPLETE
from fhir_adapter.core.runs import RunOutcome
from fhir_adapter.core.study import Pull, TypeSettings
from fhir_adapter.sandbox.personas import PERSONAS
from fhir_adapter.sandbox.rehearse import rehearse
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases, postgres_databases, sqlite_databases
from tests.flow.conftest import Hall

pytestmark = pytest.mark.hard

NO_ADVERSE_EVENTS = {"adverse_event", "ae_causality", "ae_action", "ae_seriousness"}
"""Oracle's documentation offers no AdverseEvent."""
PATIENT_AND_STUDY = {"study": "ResearchStudy/zzw-study"}
LESION_CODE = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl|C94523"
"""The fixtures' lesions are Observations without a category, which Epic shows by their code only (Q2)."""
EPIC_CATEGORIES = ("social-history", "vital-signs", "imaging", "laboratory", "survey", "exam")


class Told(msgspec.Struct, frozen=True):
    """How a sync ended: its digest, and what each table of facts says beside where in a record it was said."""

    outcome: RunOutcome
    digest: str
    facts: dict[str, list[str]]

    @property
    def messages(self) -> str:
        """Everything the run said of the hospital."""
        return "\n".join(self.outcome.hospitals[0].messages)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Told:
    """West hospital as no vendor serves it."""
    folder = tmp_path_factory.mktemp("plain")
    return _synced("plain", folder, sqlite_databases(folder))


@pytest.fixture(params=["sqlite", "postgresql"])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Empty databases."""
    if request.param == "sqlite":
        yield sqlite_databases(tmp_path)
        return
    with postgres_databases(request.getfixturevalue("_postgres").url()) as fresh:
        yield fresh


@pytest.mark.parametrize("vendor", ["azure", "athena"])
def test_a_vendor_who_shows_everything_ends_in_the_same_digest(
    vendor: str, databases: Databases, plain: Told, tmp_path: Path
) -> None:
    """Continuation tokens, empty pages, limits, no totals, no history: the trial is that of the plain hospital."""
    told = _synced(vendor, tmp_path, databases)

    assert told.digest == plain.digest
    assert told.messages == plain.messages


def test_pages_that_expire_and_answers_from_memory_end_in_the_same_digest(plain: Told, tmp_path: Path) -> None:
    """HAPI."""
    told = _synced("hapi", tmp_path, sqlite_databases(tmp_path))

    assert told.digest == plain.digest


def test_offsets_over_an_order_that_changes_lose_nothing_and_what_does_not_add_up_is_named(
    plain: Told, tmp_path: Path
) -> None:
    """Medplum: rows come twice and others not at all; the gaps are asked again, and its estimates are called short."""
    told = _synced("medplum", tmp_path, sqlite_databases(tmp_path))

    assert told.facts == plain.facts
    assert told.outcome.code == INCOMPLETE
    assert "Observation: the server counts more records than it gives" in told.messages


def test_a_type_that_a_vendor_does_not_offer_is_all_that_is_missing_and_is_named(plain: Told, tmp_path: Path) -> None:
    """Oracle: contained products, repeats, short pages, tokens that end; AdverseEvent is a 404, said so."""
    told = _synced("oracle", tmp_path, sqlite_databases(tmp_path))

    assert _different(told, plain) == NO_ADVERSE_EVENTS & {name for name, rows in plain.facts.items() if rows}
    assert not any(told.facts[name] for name in NO_ADVERSE_EVENTS)
    assert "AdverseEvent: HTTP 404" in told.messages


def test_a_vendor_who_wants_categories_codes_a_study_and_a_header_gives_everything_then(
    plain: Told, tmp_path: Path
) -> None:
    """Epic, asked as `doctor` and docs/hospitals.md say: no fact is missing and nothing is refused."""
    told = _synced("epic", tmp_path, sqlite_databases(tmp_path), _epic())

    assert _different(told, plain) == set()
    assert told.messages == "Observation: 6 of 6 categories answered.\n" + plain.messages


def test_a_vendor_asked_without_what_it_wants_is_never_silently_partial(plain: Told, tmp_path: Path) -> None:
    """Epic without the study, and without the codes of what has no category: both are said, neither is guessed."""
    told = _synced("epic", tmp_path, sqlite_databases(tmp_path), {"auth": _epic()["auth"]})

    assert _different(told, plain) >= {"adverse_event", "lesion"}
    assert told.outcome.code == INCOMPLETE
    assert "AdverseEvent: HTTP 400 (issue required)" in told.messages
    assert "a record without a category is asked for by its code only" in told.messages


def _epic() -> dict[str, Any]:
    return {
        "auth": study.load(kit.kit_path()).hospitals["west"].auth.model_copy(
            update={"headers": {"Epic-Client-ID": "rehearsal"}}),
        "types": {
            "Observation": TypeSettings(categories=EPIC_CATEGORIES, codes=(LESION_CODE,)),
            "AdverseEvent": TypeSettings(parameters=PATIENT_AND_STUDY),
        },
    }


def _synced(vendor: str, folder: Path, databases: Databases, changed: dict[str, Any] | None = None) -> Told:
    """One whole sync of West hospital, served by a vendor, over empty databases."""
    kit_study = study.load(kit.kit_path())
    fixtures = kit.fixtures_path() / "hospitals"
    with (
        rehearse(kit_study, fixtures, work=folder, persona=PERSONAS[vendor]) as rehearsed,
        Hall(rehearsed, folder).workspace(databases, ("west",)) as work,
    ):
        outcome = flow.sync(_asking(work, changed or {}), [])
        return Told(outcome, work.trial.digest(), _facts(work))


def _asking(work: Workspace, changed: dict[str, Any]) -> Workspace:
    """The same study, never waiting, with what this hospital wants."""
    west = work.study.hospitals["west"].model_copy(update={"pull": Pull(rate="1000/s"), **changed})
    hurried = msgspec.structs.replace(work, sleep=lambda seconds: None)
    return msgspec.structs.replace(hurried, study=work.study.model_copy(update={"hospitals": {"west": west}}))


def _facts(work: Workspace) -> dict[str, list[str]]:
    aside = ["fact_key", "element", "position", "ordinal"]
    return {
        name: sorted(repr(row) for row in frame.drop(columns=aside, errors="ignore").itertuples(index=False))
        for name, frame in work.trial.frames([domain.name for domain in domains.ALL]).items()
    }


def _different(told: Told, plain: Told) -> set[str]:
    return {name for name in plain.facts if told.facts[name] != plain.facts[name]}
