"""Bulk export on the wire: kick-off, status, manifest, files, deletions, and what real servers make of them."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_adapter.sandbox import PLAIN, Bearer, Bulk, Fault, Persona, Rehearsal, Stage, UnexpectedRequests, serve
from tests.sandbox.build import Clock, get, hospital, observation, patient

ASYNC = {"Accept": "application/fhir+json", "Prefer": "respond-async"}
Serve = Callable[..., AbstractContextManager[Rehearsal]]


def group(*members: str) -> dict[str, Any]:
    """A Group of these patients."""
    entities = [{"entity": {"reference": f"Patient/{one}"}} for one in members]
    return {"resourceType": "Group", "id": "g1", "type": "person", "actual": True, "member": entities}


def dose(id_: str) -> dict[str, Any]:
    """An administration to p1 of a drug that stands in a record of its own."""
    return {
        "resourceType": "MedicationAdministration",
        "id": id_,
        "subject": {"reference": "Patient/p1"},
        "medicationReference": {"reference": "Medication/m1"},
    }


@pytest.fixture
def clock() -> Clock:
    """The hospital's clock."""
    return Clock()


@pytest.fixture
def west(tmp_path: Path, clock: Clock) -> Serve:
    """Two patients, p1 in a group; three observations, a dose and its drug, and an AdverseEvent."""
    rows = [patient("p1"), patient("p2"), group("p1"), observation("o1"), observation("o2"), observation("o3", "p2")]
    event = {"resourceType": "AdverseEvent", "id": "a1", "subject": {"reference": "Patient/p1"}}
    drugs = [{"resourceType": "Medication", "id": "m1"}, {"resourceType": "Medication", "id": "m2"}]
    folder = hospital(tmp_path / "west", [*rows, event, dose("d1"), *drugs])

    def opened(strict: bool = True, **switches: Any) -> AbstractContextManager[Rehearsal]:
        faults = switches.pop("faults", ())
        persona = Persona(bulk=Bulk(**switches), faults=faults)
        return serve(folder, persona=persona, strict=strict, stage=Stage(clock=clock))

    return opened


def kick_off(running: Rehearsal, path: str = "/$export") -> httpx.Response:
    """A kick-off as the specification wants it."""
    return get(running.base_url + path, **ASYNC)


def manifest_of(running: Rehearsal, path: str = "/$export") -> dict[str, Any]:
    """The manifest of a new export, polled until it is there."""
    status = kick_off(running, path).headers["content-location"]
    answer = get(status)
    while answer.status_code == 202:
        answer = get(status)
    found: dict[str, Any] = answer.json()
    return found


def lines(url: str, **headers: str) -> list[dict[str, Any]]:
    """The lines of a file."""
    return [json.loads(line) for line in get(url, **headers).text.splitlines()]


def exported(manifest: dict[str, Any], kind: str = "output") -> list[str]:
    """`Type/id` of everything in a manifest's files, sorted."""
    return sorted(f"{one['resourceType']}/{one.get('id', '')}" for file in manifest[kind] for one in lines(file["url"]))


def test_an_export_goes_its_way(west: Serve) -> None:
    """202 with the status address, 202 with progress, 200 with the manifest, files, DELETE, then 404."""
    with west() as running:
        started = kick_off(running)
        status = started.headers["content-location"]
        waiting, done = get(status), get(status)
        manifest = done.json()

        assert (started.status_code, waiting.status_code, done.status_code) == (202, 202, 200)
        assert (waiting.headers["retry-after"], waiting.headers["x-progress"]) == ("1", "50% complete")
        assert done.headers["content-type"] == "application/json"
        assert manifest["transactionTime"] == "2026-07-01T12:00:00.000Z"
        assert manifest["requiresAccessToken"] is False
        assert (manifest["deleted"], manifest["error"]) == ([], [])
        file = get(manifest["output"][0]["url"])
        assert file.headers["content-type"].startswith("application/fhir+ndjson")
        assert httpx.delete(status).status_code == 202
        assert get(status).status_code == 404


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/$export", {"Patient/p1", "Patient/p2", "Group/g1", "Observation/o1", "Observation/o2", "Observation/o3",
                      "AdverseEvent/a1", "MedicationAdministration/d1", "Medication/m1", "Medication/m2"}),
        ("/Patient/$export", {"Patient/p1", "Patient/p2", "Observation/o1", "Observation/o2", "Observation/o3",
                              "AdverseEvent/a1", "MedicationAdministration/d1", "Medication/m1"}),
        ("/Group/g1/$export", {"Patient/p1", "Observation/o1", "Observation/o2", "AdverseEvent/a1",
                               "MedicationAdministration/d1", "Medication/m1"}),
        ("/$export?_type=Observation,Patient", {"Patient/p1", "Patient/p2", "Observation/o1", "Observation/o2",
                                                "Observation/o3"}),
    ],
)  # fmt: skip
def test_three_levels_and_types(west: Serve, path: str, expected: set[str]) -> None:
    """Everything; the patients' records and what they refer to; those of a group's members."""
    with west() as running:
        assert exported(manifest_of(running, path)) == sorted(expected)


@pytest.mark.parametrize(
    ("headers", "reason"),
    [({"Prefer": "respond-async"}, "Accept"), ({"Accept": "application/fhir+json"}, "respond-async")],
)
def test_a_kick_off_without_its_headers_is_refused(west: Serve, headers: dict[str, str], reason: str) -> None:
    """400 for a missing Accept or Prefer, and a strict block fails."""

    def ask() -> None:
        with west() as running:
            assert get(running.base_url + "/$export", **headers).status_code == 400

    with pytest.raises(UnexpectedRequests, match=reason):
        ask()


def test_since_gives_what_changed_and_what_was_deleted(west: Serve, clock: Clock) -> None:
    """Records of later versions, and a file of Bundles with DELETE entries (quirk Q24)."""
    with west() as running:
        first = manifest_of(running)["transactionTime"]
        clock.forward(60)
        running.edit(running.record("Observation", "o1"))
        running.delete("Observation", "o2")
        manifest = manifest_of(running, f"/Patient/$export?_since={first}")

        assert exported(manifest) == ["Observation/o1"]
        (bundle,) = lines(manifest["deleted"][0]["url"])
        assert bundle["entry"] == [{"request": {"method": "DELETE", "url": "Observation/o2"}}]


def test_the_snapshot_is_that_of_the_kick_off(west: Serve) -> None:
    """What is edited afterwards is in the next export."""
    with west() as running:
        status = kick_off(running).headers["content-location"]
        running.delete("Observation", "o1")
        get(status)

        assert "Observation/o1" in exported(get(status).json())


@pytest.mark.parametrize(("deletes", "expected"), [("empty", []), ("absent", None)])
def test_deletions_need_not_be_told(west: Serve, deletes: str, expected: list[Any] | None) -> None:
    """Always [] at one vendor, no key at others: absence is no proof (quirk Q24)."""
    with west(deletes=deletes) as running:
        running.delete("Observation", "o2")
        assert manifest_of(running, "/$export?_since=2026-01-01T00:00:00Z").get("deleted") == expected


def test_one_job_at_a_time(west: Serve) -> None:
    """429 with Retry-After 600 until the first is deleted (quirk Q21)."""
    with west(one_job=True) as running:
        status = kick_off(running).headers["content-location"]
        second = kick_off(running)
        assert (second.status_code, second.headers["retry-after"]) == (429, "600")
        assert second.json()["issue"][0]["code"] == "throttled"
        httpx.delete(status)
        assert kick_off(running).status_code == 202


def test_deleting_a_job_may_find_nothing(west: Serve) -> None:
    """HAPI deletes its jobs itself: 404 is fine (quirk Q21)."""
    with west(deleting=404) as running:
        assert httpx.delete(kick_off(running).headers["content-location"]).status_code == 404


def test_files_elsewhere_by_redirect(west: Serve, tmp_path: Path) -> None:
    """307 to another origin; credentials sent there fail a strict block (quirk Q22)."""
    folder = hospital(tmp_path / "safe", [patient()])
    persona = replace(PLAIN, bulk=Bulk(delivery="redirect"))
    token = {"Authorization": "Bearer s3cret"}

    def follow(**headers: str) -> list[dict[str, Any]]:
        with serve(folder, auth=Bearer("s3cret"), persona=persona, strict=True) as running:
            status = get(running.base_url + "/$export", **ASYNC, **token).headers["content-location"]
            get(status, **token)
            manifest = get(status, **token).json()
            assert manifest["requiresAccessToken"] is True
            moved = get(manifest["output"][0]["url"], **token)
            assert moved.status_code == 307
            assert moved.headers["location"].startswith(running.annex_url)
            return lines(moved.headers["location"], **headers)

    assert [one["id"] for one in follow()] == ["p1"]
    with pytest.raises(UnexpectedRequests, match="another origin"):
        follow(**token)


def test_presigned_files(west: Serve) -> None:
    """`requiresAccessToken` is false and the files are elsewhere (quirk Q22)."""
    with west(delivery="presigned") as running:
        manifest = manifest_of(running)
        assert manifest["requiresAccessToken"] is False
        assert all(file["url"].startswith(running.annex_url) for file in manifest["output"])
        assert "Patient/p1" in exported(manifest)


def test_polling_may_fail_for_a_while(west: Serve) -> None:
    """500 with code transient is no end of the job (quirk Q25); a job that fails stays failed."""
    with west(transient_polls=2) as running:
        status = kick_off(running).headers["content-location"]
        answers = [get(status) for _ in range(4)]
        assert [one.status_code for one in answers] == [500, 500, 202, 200]
        assert answers[0].json()["issue"][0]["code"] == "transient"
    with west(fails=True) as running:
        status = kick_off(running).headers["content-location"]
        assert [get(status).status_code for _ in range(3)] == [202, 500, 500]


def test_some_file_failed(west: Serve) -> None:
    """An error entry with a count that is wrong, and the type's file is missing (quirk Q25, servers.md)."""
    with west(failed_type="Observation") as running:
        manifest = manifest_of(running)
        (error,) = manifest["error"]
        assert "Observation" not in {file["type"] for file in manifest["output"]}
        assert (error["count"], len(lines(error["url"]))) == (639, 1)
        assert lines(error["url"])[0]["issue"][0]["severity"] == "error"


def test_an_error_file_may_hold_information_only(west: Serve) -> None:
    """Nothing is missing then (quirk Q25)."""
    with west(information=True) as running:
        (error,) = manifest_of(running)["error"]
        assert lines(error["url"])[0]["issue"][0]["severity"] == "information"


def test_files_expire(west: Serve, clock: Clock) -> None:
    """At once, or after a life time by the hospital's clock: 410 (quirk Q23, servers.md)."""
    with west(files_expired=True) as running:
        assert get(manifest_of(running)["output"][0]["url"]).status_code == 410
    with west(file_lifetime=7200.0) as running:
        url = manifest_of(running)["output"][0]["url"]
        assert get(url).status_code == 200
        clock.forward(7201)
        assert get(url).status_code == 410


def test_many_tiny_files_that_name_wrong_successors(west: Serve) -> None:
    """A file a record; `continuesInFile` names what does not exist (quirk Q23, servers.md)."""
    with west(file_rows=1, continues_wrong=True) as running:
        manifest = manifest_of(running)
        assert [file["count"] for file in manifest["output"]] == [1] * 10
        assert {get(file["continuesInFile"]).status_code for file in manifest["output"]} == {404}


def test_manifests_in_parts(west: Serve) -> None:
    """The first part comes with 202, the whole one is linked page by page."""
    with west(partial=True) as running:
        status = kick_off(running).headers["content-location"]
        early, first = get(status), get(status).json()
        second = get(first["link"][0]["url"]).json()

        assert (early.status_code, len(early.json()["output"])) == (202, 1)
        assert early.json()["output"] == first["output"]
        assert len(first["output"] + second["output"]) == 6
        assert "link" not in second


def test_types_may_be_refused_or_left_out(west: Serve) -> None:
    """Oracle refuses `_type=MedicationAdministration`; others leave AdverseEvent out in silence (trap 4)."""
    with west(refused_types=frozenset({"MedicationAdministration"}), omitted=frozenset({"AdverseEvent"})) as running:
        assert kick_off(running, "/$export?_type=MedicationAdministration").status_code == 400
        assert "AdverseEvent/a1" not in exported(manifest_of(running, "/Patient/$export"))
        assert "AdverseEvent/a1" in exported(manifest_of(running))


def test_a_group_with_since_may_lose_children(west: Serve) -> None:
    """HAPI: what belongs to unchanged patients is left out (quirk Q23)."""
    with west(since_drops_children=True) as running:
        running.edit(running.record("Observation", "o1"))
        lost = manifest_of(running, "/Group/g1/$export?_since=2026-06-01T00:00:00Z")
        kept = manifest_of(running, "/Patient/$export?_since=2026-06-01T00:00:00Z")

    assert (lost["output"], len(kept["output"])) == ([], 1)


@pytest.mark.parametrize(("unknown_group", "status"), [("missing", 404), ("empty", 202)])
def test_an_unknown_group(west: Serve, unknown_group: str, status: int) -> None:
    """404, or an empty export as a reference server gives."""
    with west(unknown_group=unknown_group) as running:
        assert kick_off(running, "/Group/g9/$export").status_code == status


def test_levels_may_be_missing(west: Serve) -> None:
    """Many servers offer a group export only; /metadata says which."""
    with west(levels=frozenset({"group"})) as running:
        assert [kick_off(running, path).status_code for path in ("/$export", "/Patient/$export")] == [404, 404]
        assert kick_off(running, "/Group/g1/$export").status_code == 202
        rest = get(running.base_url + "/metadata").json()["rest"][0]
        operations = {one["type"]: one.get("operation") for one in rest["resource"]}
        assert "operation" not in rest
        assert operations["Patient"] is None
        assert operations["Group"][0]["definition"].endswith("group-export")


def test_the_time_may_be_in_whole_seconds(west: Serve, clock: Clock) -> None:
    """With an offset instead of Z."""
    with west(time_form="whole_seconds_offset") as running:
        assert manifest_of(running)["transactionTime"] == clock.now.isoformat(timespec="seconds")


@pytest.mark.parametrize("on", ["kickoff", "status", "file"])
def test_each_step_can_fail(west: Serve, on: str) -> None:
    """Once, then it goes on."""
    with west(faults=(Fault(kind="error", on=on, status=503),)) as running:  # type: ignore[arg-type]
        if on == "kickoff":
            assert [kick_off(running).status_code for _ in range(2)] == [503, 202]
            return
        status = kick_off(running).headers["content-location"]
        statuses = [get(status).status_code for _ in range(3)]
        if on == "status":
            assert statuses == [503, 202, 200]
            return
        url = get(status).json()["output"][0]["url"]
        assert [get(url).status_code for _ in range(2)] == [503, 200]


def test_a_job_can_be_lost(west: Serve) -> None:
    """After a restart its status is 404."""
    with west() as running:
        status = kick_off(running).headers["content-location"]
        running.forget_exports()
        assert get(status).status_code == 404
