"""What is loaded into the real server is really there."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.real.build import patient, procedure, puts
from tests.real.server import RealServer, RealServerRefused, invalid_records, levels, read_hospital

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def _hospital(folder: Path, *resources: dict[str, Any], history: tuple[dict[str, Any], ...] = ()) -> Path:
    for resource in resources:
        with (folder / f"{resource['resourceType']}.ndjson").open("a") as file:
            file.write(json.dumps(resource) + "\n")
    (folder / "history.ndjson").write_text("".join(json.dumps(line) + "\n" for line in history))
    return folder


def test_what_is_referred_to_comes_first() -> None:
    """Layers by reference, also within a type; a circle is cut and nothing is lost."""
    part = {**procedure("part"), "partOf": [{"reference": "Procedure/whole"}]}
    circle = [{**procedure(one), "partOf": [{"reference": f"Procedure/{other}"}]} for one, other in ("ab", "ba")]
    records = {(one["resourceType"], one["id"]): json.dumps(one).encode()
               for one in (part, procedure("whole"), patient(), *circle)}  # fmt: skip
    layers = levels(records)
    place = {one: number for number, layer in enumerate(layers) for one in layer}

    assert place["Patient", "p1"] < place["Procedure", "whole"] < place["Procedure", "part"]
    assert place.keys() == records.keys()


def test_versions_are_written_oldest_first(tmp_path: Path) -> None:
    """The history's versions, then the current one; a deletion last."""
    meta = {"versionId": "2", "lastUpdated": "2026-02-01T00:00:00Z"}
    past = {"type": "Procedure", "id": "r1", "versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z"}
    gone = {"type": "Procedure", "id": "r2", "versionId": "2", "lastUpdated": "2026-02-01T00:00:00Z", "deleted": True}
    folder = _hospital(
        tmp_path,
        {**procedure("r1"), "meta": meta},
        history=(
            gone,
            {**past, "resource": procedure("r1", status="in-progress")},
            {**past, "id": "r2", "resource": procedure("r2")},
        ),
    )
    read = read_hospital(folder)

    assert [b"in-progress" in (write.body or b"") for write in read["Procedure", "r1"]] == [True, False]
    assert [write.body is None for write in read["Procedure", "r2"]] == [False, True]
    assert read_hospital(folder, history=False).keys() == {("Procedure", "r1")}


@pytest.mark.real
def test_a_small_hospital_lands(real_server: RealServer, tmp_path: Path) -> None:
    """Counts by type, an older version, a deletion; behind both doors."""
    past = {"type": "Procedure", "id": "r1", "versionId": "0", "lastUpdated": "2026-01-01T00:00:00Z"}
    folder = _hospital(
        tmp_path,
        procedure("r1"),
        patient(),
        procedure("bad"),
        history=(
            {**past, "resource": procedure("r1", status="in-progress")},
            {**past, "id": "r2", "resource": procedure("r2")},
            {**past, "id": "r2", "versionId": "1", "lastUpdated": "2026-01-02T00:00:00Z", "deleted": True},
        ),
    )
    counts = real_server.load(folder, leave_out=[("Procedure", "bad")])

    assert counts == {"Patient": 1, "Procedure": 1}
    assert real_server.ids("Procedure") == {"r1"}
    history = real_server.client.get(f"{real_server.base_url}/Procedure/_history").json()
    assert [entry["request"]["method"] for entry in history["entry"]] == ["DELETE", "PUT", "PUT", "PUT"]


@pytest.mark.real
def test_edits_are_applied_in_order(open_server: RealServer) -> None:
    """PUT and DELETE; what is refused is said."""
    done = open_server.apply([*puts(patient(), patient("p2")), {"method": "DELETE", "type": "Patient", "id": "p1"}])

    assert (done, open_server.ids("Patient")) == (3, {"p2"})
    with pytest.raises(RealServerRefused, match="Patient/p3: 400"):
        open_server.apply(puts({**patient("p3"), "birthDate": "yesterday"}))


@pytest.mark.real
def test_the_fixtures_land(open_server: RealServer) -> None:
    """Every valid record of the R4 hospital is taken: unique ids by type as in the files."""
    west = FIXTURES / "hospitals" / "west"
    without = invalid_records(FIXTURES / "invalid.csv", "west", only_refused=True)
    written = {
        path.stem: {json.loads(line)["id"] for line in path.read_bytes().splitlines() if b'"id"' in line}
        for path in west.glob("[A-Z]*.ndjson")
    }
    expected = {type_: ids - {id_ for kind, id_ in without if kind == type_} for type_, ids in written.items()}
    past = [json.loads(line) for line in (west / "history.ndjson").read_bytes().splitlines()]
    gone = {(line["type"], line["id"]) for line in past if line.get("deleted")}
    counts = open_server.load(west, without)

    assert counts == {type_: len(ids) for type_, ids in expected.items() if ids}
    assert {type_: open_server.ids(type_) for type_ in expected} == expected
    for type_, id_ in gone:
        assert open_server.client.get(f"{open_server.base_url}/{type_}/{id_}").status_code == 410
    for type_, id_ in without:
        assert open_server.client.get(f"{open_server.base_url}/{type_}/{id_}").status_code == 404


@pytest.mark.real
def test_the_planted_defects_are_refused(open_server: RealServer) -> None:
    """It validates: that is why the invalid ones are left out, and only those."""
    west = FIXTURES / "hospitals" / "west"
    bodies = {one: writes[-1] for one, writes in read_hospital(west).items()}
    for one in invalid_records(FIXTURES / "invalid.csv", "west", only_refused=True):
        with pytest.raises(RealServerRefused, match="400"):
            open_server.write(bodies[one])
