"""Promise 3, nothing vanishes unaccounted: every record and every version is somewhere, with its reason."""

from datetime import timedelta
from typing import Any

import msgspec

from fhir_adapter import flow
from fhir_adapter.core.runs import Counts, RunOutcome
from fhir_adapter.steps.deciding import Choice
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


def test_a_hidden_record_still_counts_and_is_asked_about(own_hall: Hall, database_urls: Databases) -> None:
    """No longer visible, and not known to be gone: the size still counts, a conflict says so until it is back."""
    west = own_hall.rehearsed.hospitals["west"]
    with own_hall.workspace(database_urls, ("west",)) as opened:
        work = _rereading(opened)
        flow.sync(work, [])
        digest = work.trial.digest()
        sizes = work.trial.frames(("lesion_measurement",), standings=("current",))["lesion_measurement"]
        sizes = sizes[sizes.size_um > 0]
        keys = {work.vault.key("west", "Observation", one): one for one in work.vault.ids("west", "Observation")}
        rows: list[Any] = [row for row in sizes.itertuples() if row.subject == "ATC-002"]
        chosen = rows[0]
        west.life.hide("Observation", keys[chosen.resource], 403)
        flow.sync(work, [])
        (conflict,) = flow.conflicts(work, kind="hidden_record")
        provisional = work.trial.frames(("best_response",), ["ATC-002"])["best_response"]
        west.life.show("Observation", keys[chosen.resource])
        flow.sync(work, [])

        assert (conflict.subject, conflict.state) == ("ATC-002", "open")
        assert provisional.provisional.astype(bool).all()
        assert provisional.held_kinds.str.contains("hidden_record").all()
        assert _standings(work, "lesion_measurement", keys[chosen.resource])[-1][1] == "current"
        assert flow.conflicts(work, kind="hidden_record", state="all") == []
        assert [one.kind for one in _versions(work, keys[chosen.resource])] == ["content", "not_visible", "content"]
        assert work.trial.digest() != digest  # one version more, and it says so


def test_a_merge_that_is_taken_back_is_asked_about(own_hall: Hall, database_urls: Databases) -> None:
    """Two subjects again, each with its facts, until somebody says that they are one after all; undoing parts them."""
    west = own_hall.rehearsed.hospitals["west"]
    with own_hall.workspace(database_urls, ("west",)) as opened:
        work = hurried(opened)
        flow.sync(work, [])
        patients = {one.subject: one.patient for one in work.vault.identities("west")}
        before = {subject: len(work.trial.rows("lesion_measurement", "subject", [subject]))
                  for subject in ("ATC-002", "ATC-003")}
        west.life.merge(patients["ATC-002"], patients["ATC-003"])
        flow.sync(work, [])
        west.life.unmerge(patients["ATC-002"])
        flow.sync(work, [])
        (conflict,) = flow.conflicts(work, kind="merge_taken_back")
        apart = {subject: len(work.trial.rows("lesion_measurement", "subject", [subject])) for subject in before}
        flow.decide(work, Choice(conflict=conflict.key, choice="join", value="", reason="one person", by="dm1"))
        joined = {one.patient: one.subject for one in work.vault.identities("west")}
        number = max(one.number for one in work.vault.decisions())
        flow.undo(work, number, reason="two persons", by="dm1")
        parted = {one.patient: one.subject for one in work.vault.identities("west")}

        assert conflict.subject == "ATC-002"
        assert apart["ATC-002"] > 0
        assert apart["ATC-003"] > 0
        assert joined[patients["ATC-002"]] == joined[patients["ATC-003"]]
        assert parted[patients["ATC-003"]] == "ATC-003"
        assert flow.conflicts(work, kind="merge_taken_back") == []


def _rereading(work: Workspace) -> Workspace:
    """The same study, reading all known records by id at each sync."""
    west = work.study.hospitals["west"]
    pull = west.pull.model_copy(update={"reread": timedelta(microseconds=1)})
    changed = work.study.model_copy(update={"hospitals": {"west": west.model_copy(update={"pull": pull})}})
    return msgspec.structs.replace(hurried(work), study=changed)


def _versions(work: Workspace, id: str) -> list[Any]:
    found = work.vault.versions_of([work.vault.key("west", "Observation", id)])
    return sorted(found, key=lambda one: one.ordinal)
