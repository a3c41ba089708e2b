"""Promises 9 and 10 on the whole road: what must not be used is not, and nothing is guessed (DESIGN §5.9, §5.10).

The single rules stand in tests/domains (severity words, comparators, units) and tests/fhir (modifier extensions).
"""

import csv
from typing import Any

import pytest

from fhir_adapter import flow, kit
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases
from tests.flow.conftest import Hall
from tests.promises.conftest import Synced, hurried


def _facts_of(work: Workspace, hospital: str, type: str, id: str) -> list[tuple[str, dict[str, Any]]]:
    key = work.vault.key(hospital, type, id)
    return [(table, row) for table in work.trial.tables.facts for row in work.trial.rows(table, "resource", [key])]


def test_an_unknown_modifier_extension_is_not_used_and_said(synced: Synced) -> None:
    """No fact, an origin in quarantine with the reason, and a line among the problems."""
    work = synced.work
    with (kit.fixtures_path() / "invalid.csv").open(encoding="utf-8", newline="") as file:
        (row,) = [row for row in csv.DictReader(file) if "modifierExtension" in row["what"]]
    key = work.vault.key(row["hospital"], row["type"], row["id"])
    assert _facts_of(work, row["hospital"], row["type"], row["id"]) == []
    (origin,) = work.trial.rows("origin", "resource", [key])
    assert (origin["outcome"], origin["reason"]) == ("quarantined", "unknown_modifier")
    assert [one.code for one in flow.problems(work) if key[:12] in one.where] == ["unknown_modifier"]


@pytest.fixture
def edited(own_hall: Hall, database_urls: Databases) -> Any:
    """West after a laboratory value in a unit of nobody's, a size below a limit, and an event that is only `severe`."""
    west = own_hall.rehearsed.hospitals["west"]
    with own_hall.workspace(database_urls, ("west",)) as opened:
        work = hurried(opened)
        flow.pull(work, [])
        labs = [one for one in sorted(work.vault.ids("west", "Observation")) if one.startswith("zzw-lab-")][:1]
        labs += [one for one in sorted(work.vault.ids("west", "Observation")) if one.startswith("zzw-ts-")][:1]
        strange, below = (west.record("Observation", one) for one in labs)
        below["component"][0]["valueQuantity"]["comparator"] = "<"
        strange["valueQuantity"] = {"value": 5, "unit": "Kellen"}
        event = west.record("AdverseEvent", "zzw-ae-0001")
        event["extension"] = [one for one in event.get("extension", []) if "grade" not in one["url"]]
        event["severity"] = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/adverse-event-severity",
                                         "code": "severe"}]}
        for record in (below, strange, event):
            west.edit(record)
        flow.sync(work, [])
        yield work, labs


def test_nothing_is_guessed(edited: tuple[Workspace, list[str]]) -> None:
    """A comparator is no number, an unknown unit converts to nothing and asks, severity is no grade."""
    work, (strange, below) = edited
    sizes = [row for _, row in _facts_of(work, "west", "Observation", below) if row["ordinal"] == 2]
    assert [row for row in sizes if row.get("size_um") is not None] == []
    assert any("size with a comparator" in one.message for one in flow.problems(work))
    units = [row for _, row in _facts_of(work, "west", "Observation", strange) if row["ordinal"] == 2]
    assert [row["value"] for row in units] == [None]
    assert [row["value_text"] for row in units] == ["5"]
    assert flow.conflicts(work, kind="unit_unknown")
    events = [row for table, row in _facts_of(work, "west", "AdverseEvent", "zzw-ae-0001")
              if table == "adverse_event" and row["ordinal"] == 2]
    assert [row["grade"] for row in events] == [None]
