"""The server by other hands asked by search and by every level of export: the same truth each time (servers.md)."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_adapter import flow
from fhir_adapter.core.study import Bulk, Study
from fhir_adapter.steps.workspace import opened
from tests.databases import sqlite_databases
from tests.real.build import patient, puts
from tests.real.server import RealServer
from tests.real.test_main_job import FIXTURES, SECRET, asking, differences, invalid

pytestmark = pytest.mark.real

LEVELS: dict[str, dict[str, Any]] = {
    "search": {},
    "system": {"mode": "bulk", "bulk": Bulk(level="system")},
    "patient": {"mode": "bulk", "bulk": Bulk(level="patient")},
    "group": {"mode": "bulk", "bulk": Bulk(level="group", group="Group/everybody")},
}


def _group(server: RealServer) -> None:
    """A Group of every patient of the server, for its Group export."""
    members = [{"entity": {"reference": f"Patient/{one}"}} for one in sorted(server.ids("Patient"))]
    group = {"resourceType": "Group", "id": "everybody", "type": "person", "actual": True, "member": members}
    server.apply([{"method": "PUT", "type": "Group", "id": "everybody", "resource": group}])


def _asked(study: Study, pull: dict[str, Any]) -> Study:
    west = study.hospitals["west"]
    changed = west.model_copy(update={"pull": west.pull.model_copy(update=pull)})
    return study.model_copy(update={"hospitals": {**study.hospitals, "west": changed}})


def test_every_way_of_asking_gives_the_truth_before_and_after_edits(
    smart_server: RealServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tokens of three seconds; AdverseEvents that two exports leave out (trap 4), deletes that none tells of (trap 5).

    Each way has a study of its own; all see the same edits between their two syncs.
    """
    smart_server.load(FIXTURES / "hospitals" / "west", invalid())
    _group(smart_server)
    digests: dict[str, set[str]] = {"r4/before": set(), "r4/after": set()}
    for variant, found in digests.items():
        if variant == "r4/after":
            smart_server.apply(FIXTURES / "edits" / "edits.json")
        for name, pull in LEVELS.items():
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            databases = sqlite_databases(folder)
            monkeypatch.setenv("TEST_VAULT_URL", databases.vault)
            monkeypatch.setenv("TEST_TRIAL_URL", databases.trial)
            with opened(_asked(asking(smart_server, folder), pull), folder, secret=SECRET) as work:
                outcome = flow.sync(work, [])
                assert (name, outcome.code) == (name, 0), outcome
                wrong = differences(work, variant)
                assert wrong == [], (name, wrong[:20])
                found.add(work.trial.digest())

    assert [len(found) for found in digests.values()] == [1, 1]


def test_deletes_are_told_by_the_history_alone_trap_5(open_server: RealServer) -> None:
    """What the adapter relies on: a delete stands in the type's history, and in no export's manifest."""
    open_server.apply([*puts(patient("p1")), {"method": "DELETE", "type": "Patient", "id": "p1"}])
    kicked = open_server.client.get(f"{open_server.base_url}/$export?_type=Patient",
                                    headers={"Prefer": "respond-async"})
    manifest = _manifest(open_server.client, kicked.headers["content-location"])
    (history,) = open_server.pages("Patient/_history")

    assert not manifest.get("deleted")
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "PUT"]


def _manifest(client: httpx.Client, status: str) -> dict[str, Any]:
    for _ in range(100):
        answer = client.get(status)
        if answer.status_code == 200:
            found: dict[str, Any] = answer.json()
            return found
        assert answer.status_code == 202
        time.sleep(0.1)
    raise AssertionError("the export does not end")
