"""The whole road over real HTTP gives what the generator's latent truth says (fixtures/README.md, golden)."""

from collections.abc import Iterator

import pytest

from fhir_adapter import flow, kit
from fhir_adapter.core.runs import RunOutcome
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases
from tests.flow import golden
from tests.flow.conftest import Hall

VARIANTS = ("open", "demo", "decided")
COMPARED = {
    "facts": golden.fact_differences, "conflicts": golden.conflict_differences,
    "endpoints": golden.endpoint_differences, "summary": golden.summary_differences,
}


@pytest.fixture(scope="module")
def synced(hospitals: Hall, databases: Databases) -> Iterator[tuple[Workspace, RunOutcome, dict[str, list[str]]]]:
    """A synced study, and its differences from each golden variant, decision file after decision file."""
    with hospitals.workspace(databases) as work:
        outcome = flow.sync(work, [])
        found: dict[str, list[str]] = {}
        for variant in VARIANTS:
            if variant != "open":
                lines = flow.import_decisions(work, kit.fixtures_path() / "decisions.csv", only_demo=variant == "demo")
                found[f"{variant} decisions"] = [line for line in lines if "no conflict" in line]
            found |= {f"{variant} {name}": compare(work, variant) for name, compare in COMPARED.items()}
        yield work, outcome, found


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("name", COMPARED)
def test_what_was_synced_is_what_the_truth_says(
    synced: tuple[Workspace, RunOutcome, dict[str, list[str]]], variant: str, name: str
) -> None:
    """Without decisions, with those of the demonstration, and with all."""
    differences = synced[2][f"{variant} {name}"]
    assert differences == [], "\n".join(differences[:40])


@pytest.mark.parametrize("variant", ["demo", "decided"])
def test_every_decision_finds_its_conflict(
    synced: tuple[Workspace, RunOutcome, dict[str, list[str]]], variant: str
) -> None:
    """A decision about no conflict would be a typing error in the file."""
    assert synced[2][f"{variant} decisions"] == []


def test_every_record_is_accounted_for(synced: tuple[Workspace, RunOutcome, dict[str, list[str]]]) -> None:
    """The two equations of DESIGN §5.3 hold for each hospital."""
    for one in synced[1].hospitals:
        assert one.counts.pull_adds_up, one
        assert one.counts.map_adds_up, one
        assert one.counts.fetched > 0
