"""Each vendor's persona on the wire: what it is known for, and that it can still be read whole by who knows it."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_adapter.sandbox import PERSONAS, ClientSecret, Rehearsal, Stage, serve
from tests.sandbox.build import Clock, get, hospital, ids, link, observation, patient
from tests.sandbox.test_bulk import group, kick_off

SECRET = ClientSecret("us", "s3cret")
LAB = [{"coding": [{"code": "laboratory"}]}]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two patients, a group, and 45 laboratory observations of p1."""
    rows = [observation(f"o{n:02}", category=LAB, at=f"2026-01-01T00:00:{n:02}Z") for n in range(45)]
    return hospital(tmp_path / "west", [patient("p1"), patient("p2"), group("p1"), *rows])


def every(running: Rehearsal, more: str = "", **headers: str) -> set[str]:
    """The observations of p1, by whatever next links there are."""
    found: set[str] = set()
    following: str | None = f"{running.base_url}/Observation?patient=p1&category=laboratory&_count=10{more}"
    while following:
        bundle: dict[str, Any] = get(following, **headers).json()
        found |= {id_ for id_ in ids(bundle) if id_.startswith("o")}
        following = link(bundle)
    return found


@pytest.mark.parametrize("name", sorted(PERSONAS))
def test_who_knows_a_vendor_gets_everything(folder: Path, name: str) -> None:
    """With category, `_sort=_id` and the vendor's header, all 45 come, and a strict block finds nothing to blame."""
    more = "" if name == "epic" else "&_sort=_id"
    with serve(folder, persona=PERSONAS[name], strict=True, stage=Stage(clock=Clock())) as running:
        assert len(every(running, more, **{"Epic-Client-ID": "us"})) == 45


def test_epic(folder: Path) -> None:
    """Observation needs a category, Patient is read by id, 4119 stands among the entries, nothing has meta."""
    with serve(folder, persona=PERSONAS["epic"], stage=Stage(clock=Clock())) as running:
        ours = {"Epic-Client-ID": "us"}
        assert get(f"{running.base_url}/Patient/p1").status_code == 403
        assert get(f"{running.base_url}/Observation?patient=p1", **ours).json()["issue"][0]["code"] == "required"
        assert get(f"{running.base_url}/Patient?_id=p1", **ours).status_code == 400
        assert "meta" not in get(f"{running.base_url}/Patient/p1", **ours).json()
        assert get(f"{running.base_url}/AdverseEvent?subject=p1", **ours).status_code == 400
        assert get(f"{running.base_url}/Observation/_history", **ours).status_code == 404
        first = get(f"{running.base_url}/Observation?patient=p1&category=laboratory", **ours).json()["entry"][0]
        assert first["resource"]["issue"][0]["details"]["coding"][0]["code"] == "4119"


def test_oracle(folder: Path) -> None:
    """No AdverseEvent, no `_lastUpdated` of a Patient, short pages, v2 scopes in vain, files elsewhere."""
    with serve(folder, persona=PERSONAS["oracle"], auth=SECRET, stage=Stage(clock=Clock())) as running:
        form = {"grant_type": "client_credentials", "scope": "system/*.read"}
        token = httpx.post(running.token_url, data=form, auth=("us", "s3cret")).json()
        ours = {"Authorization": f"Bearer {token['access_token']}"}
        assert token["expires_in"] == 570
        assert get(f"{running.base_url}/AdverseEvent?subject=p1", **ours).status_code == 404
        types = {one["type"]: [p["name"] for p in one["searchParam"]]
                 for one in get(f"{running.base_url}/metadata").json()["rest"][0]["resource"]}  # fmt: skip
        assert "_lastUpdated" in types["Observation"]
        assert "_lastUpdated" not in types["Patient"] + types["MedicationAdministration"]
        assert "AdverseEvent" not in types
        refused = "/Group/g1/$export?_type=MedicationAdministration"
        answer = get(running.base_url + refused, Accept="application/fhir+json", Prefer="respond-async", **ours)
        assert answer.status_code == 400


def test_hapi(folder: Path) -> None:
    """Cursors of an hour, cached searches, POST, jobs that it deletes itself."""
    clock = Clock()
    with serve(folder, persona=PERSONAS["hapi"], stage=Stage(clock=clock)) as running:
        form = {"patient": "p1", "_count": "10"}
        following = link(httpx.post(f"{running.base_url}/Observation/_search", data=form).json()) or ""
        assert get(following).status_code == 200
        clock.forward(3601)
        assert get(following).status_code == 410
        assert httpx.delete(kick_off(running).headers["content-location"]).status_code == 404


def test_azure(folder: Path) -> None:
    """Page two is empty with a next link; throttles speak in milliseconds."""
    with serve(folder, persona=PERSONAS["azure"], stage=Stage(clock=Clock())) as running:
        first = get(f"{running.base_url}/Observation?patient=p1&_count=10").json()
        second = get(link(first) or "").json()
        assert ("entry" in second, link(second) is not None) == (False, True)
        statuses = [get(f"{running.base_url}/Patient/p1") for _ in range(3)]
        assert {one.status_code for one in statuses} == {200}


def test_medplum(folder: Path) -> None:
    """Offsets over an order of its own each time; totals are estimates."""
    with serve(folder, persona=PERSONAS["medplum"], stage=Stage(clock=Clock())) as running:
        bundle = get(f"{running.base_url}/Observation?patient=p1&_count=10").json()
        assert bundle["total"] != 45
        assert "_offset=10" in (link(bundle) or "")
        assert len(every(running)) < 45


def test_athena(folder: Path) -> None:
    """No history, no export; its throttle says the seconds in words alone."""
    clock = Clock()
    with serve(folder, persona=PERSONAS["athena"], stage=Stage(clock=clock)) as running:
        assert kick_off(running, "/Group/g1/$export").status_code == 404
        assert get(f"{running.base_url}/Observation/_history").status_code == 404
        with httpx.Client() as client:
            statuses = [client.get(f"{running.base_url}/Patient/p1") for _ in range(600)]
        assert statuses[-1].status_code == 429
        assert "retry-after" not in statuses[-1].headers
        assert "Try in another 844 seconds" in statuses[-1].text
