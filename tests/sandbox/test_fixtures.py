"""The fixtures' hospitals are served whole: every current record, every older version, every deletion."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.sandbox import Rehearsal, serve
from tests.sandbox.build import get, ids, pages

HOSPITALS = Path(__file__).resolve().parents[2] / "fixtures" / "hospitals"
VERSIONS: dict[str, Any] = {"west": "R4", "east": "R5", "south": "STU3"}


@pytest.fixture(params=sorted(VERSIONS))
def running(request: pytest.FixtureRequest) -> Iterator[tuple[Rehearsal, Path]]:
    """Each hospital, and its folder."""
    folder = HOSPITALS / request.param
    with serve(folder, fhir_version=VERSIONS[request.param], strict=True) as server:
        yield server, folder


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def test_every_current_record_is_found(running: tuple[Rehearsal, Path]) -> None:
    """Unique ids by type as in the files, planted defects included; page by page."""
    server, folder = running
    for path in folder.glob("[A-Z]*.ndjson"):
        written = [line["id"] for line in _lines(path)]
        found = [id_ for page in pages(f"{server.base_url}/{path.stem}?_count=97") for id_ in ids(page)]

        assert sorted(found) == sorted(written)


def test_bodies_are_the_files_bytes(running: tuple[Rehearsal, Path]) -> None:
    """A record's bytes on the wire are those of its line."""
    server, folder = running
    for path in folder.glob("[A-Z]*.ndjson"):
        line = path.read_bytes().splitlines()[0]

        assert get(f"{server.base_url}/{path.stem}/{json.loads(line)['id']}").content == line


def test_every_patient_is_asked_for_in_two_ways(running: tuple[Rehearsal, Path]) -> None:
    """By list and by subject, the records of all patients are all the records there are."""
    server, folder = running
    patients = ",".join(line["id"] for line in _lines(folder / "Patient.ndjson"))
    for type_, parameter in (("Observation", "patient"), ("AdverseEvent", "subject")):
        total = len(_lines(folder / f"{type_}.ndjson"))

        assert get(f"{server.base_url}/{type_}?{parameter}={patients}").json()["total"] == total


def test_the_past_is_there(running: tuple[Rehearsal, Path]) -> None:
    """Each line of history.ndjson is a version or a deletion in the record's history."""
    server, folder = running
    for past in _lines(folder / "history.ndjson"):
        address = f"{server.base_url}/{past['type']}/{past['id']}"
        events = get(f"{address}/_history").json()["entry"]
        methods = {entry["response"]["etag"]: entry["request"]["method"] for entry in events}

        assert methods[f'W/"{past["versionId"]}"'] == ("DELETE" if past.get("deleted") else "PUT")
