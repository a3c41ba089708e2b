"""Read, vread and history: every version is kept, a deletion is told."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.sandbox import Rehearsal, Stage, serve
from tests.sandbox.build import Clock, get, hospital, ids, observation, pages, patient


def _past(number: int, at: str, **more: Any) -> dict[str, Any]:
    return {"type": "Observation", "id": "o1", "versionId": str(number), "lastUpdated": at, **more}


@pytest.fixture
def west(tmp_path: Path) -> Iterator[Rehearsal]:
    """o1 has an older version, o2 was deleted, o3 is as it always was."""
    head = observation("o1", at="2026-02-01T00:00:00Z", status="final")
    head["meta"]["versionId"] = "2"
    gone = {"type": "Observation", "id": "o2", "versionId": "2", "lastUpdated": "2026-03-01T00:00:00Z"}
    history = [
        _past(1, "2026-01-01T00:00:00Z", resource=observation("o1", status="preliminary")),
        {**gone, "versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z", "resource": observation("o2")},
        {**gone, "deleted": True},
    ]
    folder = hospital(tmp_path / "west", [patient(), head, observation("o3")], history)
    with serve(folder, strict=True, stage=Stage(clock=Clock())) as running:
        yield running


def _events(bundle: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [
        (entry["request"]["method"], entry["request"]["url"], entry["response"]["etag"]) for entry in bundle["entry"]
    ]


def test_a_read_gives_the_current_version(west: Rehearsal) -> None:
    """With its ETag and Last-Modified."""
    answer = get(f"{west.base_url}/Observation/o1")

    assert (answer.json()["status"], answer.headers["etag"]) == ("final", 'W/"2"')
    assert answer.headers["last-modified"] == "Sun, 01 Feb 2026 00:00:00 GMT"


def test_a_vread_gives_an_older_version(west: Rehearsal) -> None:
    """By its versionId."""
    assert get(f"{west.base_url}/Observation/o1/_history/1").json()["status"] == "preliminary"


def test_gone_and_never_there_differ(west: Rehearsal) -> None:
    """410 for a deleted record, 404 for an unknown one; neither is the caller's fault."""
    gone = get(f"{west.base_url}/Observation/o2")
    never = get(f"{west.base_url}/Observation/o9")

    assert (gone.status_code, gone.json()["issue"][0]["code"]) == (410, "deleted")
    assert (never.status_code, never.json()["issue"][0]["code"]) == (404, "not-found")


def test_a_search_omits_the_deleted(west: Rehearsal) -> None:
    """Only history tells of it."""
    assert sorted(ids(get(f"{west.base_url}/Observation").json())) == ["o1", "o3"]


def test_history_tells_everything_newest_first(west: Rehearsal) -> None:
    """A deletion is an entry without resource."""
    bundle = get(f"{west.base_url}/Observation/_history").json()

    assert _events(bundle) == [
        ("DELETE", "Observation/o2", 'W/"2"'),
        ("PUT", "Observation/o1", 'W/"2"'),
        ("PUT", "Observation/o3", 'W/"1"'),
        ("PUT", "Observation/o2", 'W/"1"'),
        ("PUT", "Observation/o1", 'W/"1"'),
    ]
    assert "resource" not in bundle["entry"][0]
    assert bundle["entry"][0]["response"]["lastModified"] == "2026-03-01T00:00:00.000Z"


def test_history_since_compares_instants(west: Rehearsal) -> None:
    """At or after; an offset is understood."""
    address = f"{west.base_url}/Observation/_history?_since="

    assert len(get(address + "2026-02-01T08:00:00%2B08:00").json()["entry"]) == 2
    assert len(get(address + "2026-02-01T00:00:00.001Z").json()["entry"]) == 1


def test_history_is_paged_within_since(west: Rehearsal) -> None:
    """The next link keeps what was asked."""
    found = pages(f"{west.base_url}/Observation/_history?_since=2026-01-15T00:00:00Z&_count=1")

    assert [page["total"] for page in found] == [2, 2]


def test_one_records_history_and_the_hospitals(west: Rehearsal) -> None:
    """Instance and system level."""
    assert len(get(f"{west.base_url}/Observation/o1/_history").json()["entry"]) == 2
    assert len(get(f"{west.base_url}/_history").json()["entry"]) == 6
    assert get(f"{west.base_url}/Observation/o9/_history").status_code == 404


def test_life_goes_on(west: Rehearsal) -> None:
    """An edit gets the next versionId and a later lastUpdated; a deletion too; a record may come back."""
    changed = {**west.record("Observation", "o3"), "status": "amended"}

    first, second = west.edit(changed), west.edit(changed)
    west.delete("Observation", "o3")
    back = west.edit(changed)

    assert [one.version_id for one in (first, second, back)] == ["2", "3", "5"]
    assert first.last_updated < second.last_updated < back.last_updated
    assert get(f"{west.base_url}/Observation/o3").json()["meta"]["versionId"] == "5"
    with pytest.raises(KeyError):
        west.record("Observation", "o2")
    with pytest.raises(KeyError):
        west.delete("Observation", "o9")


def test_a_broken_record_can_be_planted(west: Rehearsal) -> None:
    """Bytes that no JSON reader takes are served as they are, to whoever asks for their patient."""
    head = b'{"resourceType":"Observation","id":"bad","subject":{"reference":"Patient/p1"}'
    body = head + b',"valueString":"\\ud800" 1e999}'
    west.plant(body)

    assert body in get(f"{west.base_url}/Observation?patient=p1").content


def test_a_line_without_type_or_id_stops_the_start(tmp_path: Path) -> None:
    """The error names file and line, not the record."""
    folder = hospital(tmp_path / "bad", [patient()])
    (folder / "Patient.ndjson").write_text('{"resourceType":"Patient","name":"Canary"}\n')

    with pytest.raises(ValueError, match=r"Patient\.ndjson line 1") as caught, serve(folder):
        pass
    assert "Canary" not in str(caught.value)
