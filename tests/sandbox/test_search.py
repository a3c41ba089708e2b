"""Search answers what was asked, in the words of each FHIR version."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_adapter.sandbox import Rehearsal, Stage, serve
from tests.sandbox.build import Clock, get, hospital, ids, link, observation, pages, patient, search_ids

LAB = {"system": "http://loinc.org", "code": "718-7"}


@pytest.fixture
def west(tmp_path: Path) -> Iterator[Rehearsal]:
    """Two patients and nine observations, one a day, at an R4 hospital."""
    rows = [observation(f"o{day}", f"p{day % 2 + 1}", f"2026-01-0{day}T10:00:00.500Z") for day in range(1, 10)]
    rows[0]["code"] = {"coding": [LAB]}
    rows[0]["effectiveDateTime"] = "2025-12-24T09:00:00+08:00"
    folder = hospital(tmp_path / "west", [patient("p1", identifier=[{"system": "urn:mrn", "value": "7"}]),
                                          patient("p2"), *rows])  # fmt: skip
    with serve(folder, strict=True, stage=Stage(clock=Clock())) as running:
        yield running


@pytest.mark.parametrize("asked", ["p1", "Patient/p1", "http://elsewhere.example/fhir/Patient/p1"])
@pytest.mark.parametrize("name", ["patient", "subject"])
def test_a_patient_is_named_in_three_ways(west: Rehearsal, name: str, asked: str) -> None:
    """A bare id, a reference and an absolute address mean the same patient."""
    assert search_ids(f"{west.base_url}/Observation?{name}={asked}") == {"o2", "o4", "o6", "o8"}


def test_a_list_of_patients_is_an_or(west: Rehearsal) -> None:
    """`patient=p1,p2` finds the records of both."""
    assert len(search_ids(f"{west.base_url}/Observation?patient=p1,p2")) == 9


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ("_lastUpdated=ge2026-01-08T10:00:00.500Z", {"o8", "o9"}),
        ("_lastUpdated=gt2026-01-08T10:00:00.500Z", {"o9"}),
        ("_lastUpdated=le2026-01-02T10:00:00.500Z", {"o1", "o2"}),
        ("_lastUpdated=lt2026-01-02T10:00:00.500Z", {"o1"}),
        ("_lastUpdated=ge2026-01-08T18:00:00.500%2B08:00", {"o8", "o9"}),  # the same instant with an offset
        ("_lastUpdated=gt2026-01-08T10:00:00Z", {"o9"}),  # a second is a span: o8 lies inside it
        ("_lastUpdated=2026-01-03", {"o3"}),
        ("_lastUpdated=ge2026-01-02&_lastUpdated=lt2026-01-04", {"o2", "o3"}),
        ("_id=o1,o5", {"o1", "o5"}),
        ("code=718-7", {"o1"}),
        ("code=http://loinc.org|718-7", {"o1"}),
        ("code=http://snomed.info/sct|718-7", set()),
        ("date=2025-12-24", {"o1"}),
        ("date=ge2025-12-25", set()),
    ],
)
def test_parameters_select(west: Rehearsal, parameters: str, expected: set[str]) -> None:
    """Prefixes, precision and offsets as in the specification's search page."""
    assert search_ids(f"{west.base_url}/Observation?{parameters}") == expected


def test_identifiers_are_system_and_value(west: Rehearsal) -> None:
    """`system|value` and `value` find, another system does not."""
    assert search_ids(f"{west.base_url}/Patient?identifier=urn:mrn|7") == {"p1"}
    assert search_ids(f"{west.base_url}/Patient?identifier=7") == {"p1"}
    assert search_ids(f"{west.base_url}/Patient?identifier=urn:other|7") == set()


@pytest.mark.parametrize(
    ("sort", "first"), [("_id", "o1"), ("-_id", "o9"), ("_lastUpdated", "o1"), ("-_lastUpdated", "o9")]
)
def test_rows_are_sorted(west: Rehearsal, sort: str, first: str) -> None:
    """By id or by lastUpdated, up or down."""
    assert ids(get(f"{west.base_url}/Observation?_sort={sort}").json())[0] == first


def test_an_unsorted_answer_has_an_order_of_its_own(tmp_path: Path) -> None:
    """Without `_sort` the order is the server's: another seed, another order, the same rows."""
    folder = hospital(tmp_path / "west", [observation(f"o{number}") for number in range(30)])
    orders = []
    for seed in (1, 1, 2):
        with serve(folder, stage=Stage(seed=seed)) as running:
            orders.append(ids(get(f"{running.base_url}/Observation").json()))

    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == sorted(orders[2])


def test_nothing_found_has_no_entry(west: Rehearsal) -> None:
    """An empty answer says total 0 and has no `entry`, as many servers do."""
    bundle = get(f"{west.base_url}/Procedure?patient=p1").json()

    assert (bundle["total"], "entry" in bundle) == (0, False)


@pytest.mark.parametrize(("version", "name"), [("R4", "_getpages"), ("R5", "_cursor"), ("STU3", "ct")])
def test_pages_follow_opaque_links(tmp_path: Path, version: Any, name: str) -> None:
    """Every row comes once, the total stays, the last page has no next link; each version has its own kind of link."""
    folder = hospital(tmp_path / "any", [observation(f"o{number:03}") for number in range(23)])
    with serve(folder, fhir_version=version, strict=True) as running:
        found = pages(f"{running.base_url}/Observation?_count=10")

    assert [len(page["entry"]) for page in found] == [10, 10, 3]
    assert {page["total"] for page in found} == {23}
    assert len({id_ for page in found for id_ in ids(page)}) == 23
    assert f"{name}=" in (link(found[0]) or "")


def test_a_search_keeps_its_rows_while_life_goes_on(west: Rehearsal) -> None:
    """A next link continues the answer that was begun, whatever is edited meanwhile; asking again shows the edit."""
    first = get(f"{west.base_url}/Observation?_count=5&_sort=_lastUpdated").json()
    west.edit(west.record("Observation", "o1"))
    west.delete("Observation", "o9")
    second = get(link(first) or "").json()

    assert {*ids(first), *ids(second)} == {f"o{day}" for day in range(1, 10)}
    assert search_ids(f"{west.base_url}/Observation") == {f"o{day}" for day in range(1, 9)}


def test_a_page_address_made_by_hand_is_refused(west: Rehearsal) -> None:
    """Next links are passed through, never built (quirk Q9)."""
    following = link(get(f"{west.base_url}/Observation?_count=3").json()) or ""

    assert get(following.replace("_getpagesoffset=3", "_getpagesoffset=6")).status_code == 410


def test_bodies_are_served_as_they_were_written(tmp_path: Path) -> None:
    """13.20 stays 13.20, also in a later version; white space and key order stay in what nobody edited."""
    folder = hospital(tmp_path / "west", [])
    line = '{"id":"o1",  "resourceType":"Observation","valueQuantity":{"value":13.20}}'
    (folder / "Observation.ndjson").write_text(line + "\n")
    with serve(folder, strict=True) as running:
        before = get(f"{running.base_url}/Observation/o1").text
        running.edit(running.record("Observation", "o1"))
        after = get(f"{running.base_url}/Observation/o1").text

    assert before == line
    assert '"value":13.20}' in after


# --- the versions' own words ---------------------------------------------------------------------------------------


def _event(version: str) -> list[dict[str, Any]]:
    subject = "subject" if version == "R5" else "individual"
    person = {"reference": "Patient/p1"}
    return [
        patient("p1"),
        {"resourceType": "AdverseEvent", "id": "a1", "subject": person},
        {"resourceType": "ResearchSubject", "id": "s1", subject: person, "study": {"reference": "ResearchStudy/r1"}},
    ]


@pytest.mark.parametrize(
    ("version", "question", "status"),
    [
        ("STU3", "AdverseEvent?patient=p1", 400),
        ("R4", "AdverseEvent?patient=p1", 400),
        ("R5", "AdverseEvent?patient=p1", 200),
        ("STU3", "AdverseEvent?subject=p1", 200),
        ("R4", "AdverseEvent?subject=Patient/p1", 200),
        ("STU3", "ResearchSubject?individual=p1", 200),
        ("R4", "ResearchSubject?patient=p1", 200),
        ("R4", "ResearchSubject?study=r1", 200),
        ("STU3", "ResearchSubject?study=r1", 400),
        ("R5", "ResearchSubject?individual=p1", 400),
        ("R5", "ResearchSubject?subject=p1", 200),
        ("R4", "BodySite?patient=p1", 404),
        ("STU3", "BodyStructure?patient=p1", 404),
    ],
)
def test_each_version_has_its_own_parameters(tmp_path: Path, version: Any, question: str, status: int) -> None:
    """AdverseEvent.patient since R5, ResearchSubject.study since R4, its person is `individual` until R4."""
    with serve(hospital(tmp_path / "any", _event(version)), fhir_version=version) as running:
        answer = get(f"{running.base_url}/{question}", Prefer="handling=strict")

    assert answer.status_code == status
    if status == 200:
        assert len(answer.json()["entry"]) == 1
    else:
        assert len(running.unexpected) == 1


def test_an_unknown_parameter_is_ignored_and_said(tmp_path: Path) -> None:
    """Lenient: everything comes, with an OperationOutcome entry, and the self link shows what was applied."""
    with serve(hospital(tmp_path / "west", _event("R4"))) as running:
        bundle = get(f"{running.base_url}/AdverseEvent?patient=nobody&_count=5").json()

    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["outcome", "match"]
    assert link(bundle, "self") == f"{running.base_url}/AdverseEvent?_count=5"


@pytest.mark.parametrize("value", ["ge2026-01-01T00:00:00 02:00", "ge2026-13", "2026-01-01T00:00:00", "yesterday"])
def test_an_unreadable_date_is_refused(tmp_path: Path, value: str) -> None:
    """A plus sign that was not escaped, month 13, a time without zone: 400, and never a guess."""
    with serve(hospital(tmp_path / "west", [])) as running:
        answer = httpx.get(f"{running.base_url}/Observation", params={"_lastUpdated": value})

    assert answer.status_code == 400
    assert answer.json()["resourceType"] == "OperationOutcome"
