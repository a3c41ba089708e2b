"""Promise 3, nothing vanishes unaccounted: every record and every version is somewhere, with its reason."""

from typing import Any

from fhir_adapter import flow
from fhir_adapter.core.runs import Counts, RunOutcome
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases
from tests.flow.conftest import Hall
from tests.promises.conftest import hurried


def _standings(work: Workspace, table: str, id: str, type: str = "Observation") -> list[tuple[int, str, str]]:
    key = work.vault.key("west", type, id)
    return [(row["ordinal"], row["standing"], row["subject"]) for row in work.trial.rows(table, "resource", [key])]


def _adds_up(work: Workspace, outcomes: list[RunOutcome]) -> bool:
    """Both equations, hospital by hospital, and their sums against what the databases hold."""
    total = Counts()
    for outcome in outcomes:
        for one in outcome.hospitals:
            assert one.counts.pull_adds_up, one
            assert one.counts.map_adds_up, one
            total += one.counts
    with work.vault.database.reading() as transaction:
        versions = transaction.value("SELECT count(*) FROM version")
    with work.trial.database.reading() as transaction:
        by_outcome = dict(tuple(row) for row in transaction.rows(
            "SELECT outcome, count(*) FROM origin WHERE hospital <> 'decision' GROUP BY outcome"))
        unnamed = transaction.value("SELECT count(*) FROM origin WHERE outcome <> 'mapped' AND reason = ''")
    return bool(versions == total.new == sum(by_outcome.values()) and unnamed == 0)


def test_four_ways_to_go_are_four_events(own_hall: Hall, database_urls: Databases) -> None:
    """Deleted, entered in error, corrected, merged away: the old version stays, and each is said in its own words."""
    west = own_hall.rehearsed.hospitals["west"]
    with own_hall.workspace(database_urls, ("west",)) as opened:
        work = hurried(opened)
        outcomes = [flow.sync(work, [])]
        sizes = work.trial.frames(("lesion_measurement",), standings=("current",))["lesion_measurement"]
        sized = set(sizes[sizes.size_um > 0].resource)
        ids = {work.vault.key("west", "Observation", one): one for one in work.vault.ids("west", "Observation")}
        chosen: list[Any] = [row for row in sizes.itertuples() if row.resource in ids and row.resource in sized][:3]
        gone, error, corrected = (ids[row.resource] for row in chosen)
        west.delete("Observation", gone)
        west.edit({**west.record("Observation", error), "status": "entered-in-error"})
        changed = west.record("Observation", corrected)
        changed["component"][0]["valueQuantity"]["value"] = 77
        west.edit({**changed, "status": "corrected"})
        patients = {one.subject: one.patient for one in work.vault.identities("west")}
        old, new = patients["ATC-002"], patients["ATC-003"]
        link = {"other": {"reference": f"Patient/{new}"}, "type": "replaced-by"}
        west.edit({**west.record("Patient", old), "active": False, "link": [link]})
        moved = [row.fact_key for row in sizes.itertuples() if row.subject == "ATC-002"]
        outcomes.append(flow.sync(work, []))

        assert outcomes[1].hospitals[0].counts.new == 4
        assert _adds_up(work, outcomes)
        assert [(one[0], one[1]) for one in _standings(work, "lesion_measurement", gone)] == [(1, "retracted")]
        assert [(one[0], one[1]) for one in _standings(work, "lesion_measurement", error)] == [(1, "retracted")]
        standings = sorted(_standings(work, "lesion_measurement", corrected))
        assert [one[1] for one in standings] == ["superseded", "current"]
        assert [one.kind for one in _versions(work, gone)] == ["content", "deleted"]
        assert [one.kind for one in _versions(work, error)] == ["content", "content"]
        assert len(flow.conflicts(work, kind="retracted_record")) >= 2
        assert len(flow.conflicts(work, kind="merged_patient")) == 2  # one is planted
        after = work.trial.rows("lesion_measurement", "fact_key", moved)
        assert len(after) == len(moved) > 0
        assert {row["subject"] for row in after} <= {"ATC-002"}
        now = {one.patient: one.subject for one in work.vault.identities("west")}
        assert now[old] == now[new] == "ATC-002"
        assert work.trial.rows("lesion_measurement", "subject", ["ATC-003"]) == []


def _versions(work: Workspace, id: str) -> list[Any]:
    found = work.vault.versions_of([work.vault.key("west", "Observation", id)])
    return sorted(found, key=lambda one: one.ordinal)
