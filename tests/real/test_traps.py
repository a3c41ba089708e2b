"""The traps of the real server are really there: if one goes away, what was built against it is looked at again.

Source: facts/servers.md, "Traps it really shows", by number.
"""

import time
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import httpx
import pytest

from fhir_adapter.sandbox.auth import ASSERTION_TYPE
from tests.real.build import adverse_event, patient, procedure, puts
from tests.real.server import TOKEN_SECONDS, RealServer
from tests.sandbox.test_auth import signed

pytestmark = pytest.mark.real


def _ids(page: dict[str, Any]) -> list[str]:
    return [entry["resource"]["id"] for entry in page.get("entry", ()) if entry["search"]["mode"] == "match"]


def test_trap_1_offset_paging_drifts(open_server: RealServer) -> None:
    """Records of page one that change while page two is read push others out of sight, and total does not tell."""
    rows = [procedure(f"r{number:03}") for number in range(120)]
    open_server.apply(puts(patient(), *rows))
    found: list[str] = []
    for number, page in enumerate(open_server.pages("Procedure?_count=50&_sort=_lastUpdated")):
        found += _ids(page)
        assert page["total"] == 120
        if number == 0:
            open_server.apply(puts(*(procedure(id_, status="stopped") for id_ in found[:20])))

    assert len(found) == 120
    assert len(set(found)) == 100


def test_trap_2_the_history_next_link_drops_since(open_server: RealServer) -> None:
    """Page two of a history since an instant tells of everything."""
    open_server.apply(puts(patient(), *(procedure(f"old{number}") for number in range(5))))
    time.sleep(0.01)
    open_server.apply(puts(procedure("first")))
    (entry,) = open_server.client.get(f"{open_server.base_url}/Procedure/first/_history").json()["entry"]
    since = entry["resource"]["meta"]["lastUpdated"]
    open_server.apply(puts(*(procedure(f"new{number}") for number in range(3))))
    first, second, *_ = open_server.pages(f"Procedure/_history?_since={since}&_count=2")

    assert (first["total"], second["total"]) == (4, 9)


def test_trap_3_since_is_compared_as_text(open_server: RealServer) -> None:
    """One instant in two notations: with `Z` it finds the record, with `+14:00` nothing."""
    open_server.apply(puts(patient(), procedure("r1")))
    (entry,) = next(open_server.pages("Procedure/_history"))["entry"]
    before = datetime.fromisoformat(entry["resource"]["meta"]["lastUpdated"]) - timedelta(seconds=1)
    east = before.astimezone(timezone(timedelta(hours=14))).isoformat(timespec="seconds").replace("+", "%2B")
    utc = before.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    totals = [next(open_server.pages(f"Procedure/_history?_since={since}"))["total"] for since in (utc, east)]

    assert totals == [1, 0]


def test_trap_4_adverse_events_are_everybodys(open_server: RealServer) -> None:
    """`patient` and `subject` are ignored, and the type is not advertised."""
    events = [adverse_event(f"a{number}", f"p{number % 2 + 1}") for number in range(6)]
    open_server.apply(puts(patient("p1"), patient("p2"), *events))
    statement = open_server.client.get(f"{open_server.base_url}/metadata").json()

    assert "AdverseEvent" not in {one["type"] for one in statement["rest"][0]["resource"]}
    for parameter in ("patient", "subject"):
        (page,) = open_server.pages(f"AdverseEvent?{parameter}=p1")
        assert len(_ids(page)) == 6


def test_trap_6_timestamps_tie(open_server: RealServer) -> None:
    """Records of one transaction share instants: `gt` at one of them loses its neighbours."""
    entries = [
        {"resource": procedure(f"t{number}"), "request": {"method": "PUT", "url": f"Procedure/t{number}"}}
        for number in range(100)
    ]
    transaction = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    open_server.client.post(open_server.base_url, json=transaction).raise_for_status()
    instants = {
        entry["resource"]["meta"]["lastUpdated"]
        for page in open_server.pages("Procedure?_count=100")
        for entry in page["entry"]
    }

    assert len(instants) < 100


def test_trap_7_decimals_are_changed(open_server: RealServer) -> None:
    """1.10 comes back as 1.1: digits cannot be compared after this server, values can."""
    body = (
        b'{"resourceType":"Observation","id":"o1","status":"final","code":{"text":"x"},"valueQuantity":{"value":1.10}}'
    )
    address = f"{open_server.base_url}/Observation/o1"
    open_server.client.put(address, content=body).raise_for_status()

    assert '"value":1.1}' in open_server.client.get(address).text


def test_deletions_stand_in_history_only(open_server: RealServer) -> None:
    """A deleted record is missing from searches, gone for reads (410), and a DELETE entry of the history."""
    open_server.apply([*puts(patient(), procedure("r1")), {"method": "DELETE", "type": "Procedure", "id": "r1"}])
    (history,) = open_server.pages("Procedure/_history")

    assert open_server.ids("Procedure") == set()
    assert open_server.client.get(f"{open_server.base_url}/Procedure/r1").status_code == 410
    assert history["entry"][0]["request"]["method"] == "DELETE"
    assert "resource" not in history["entry"][0]


def test_tokens_live_for_three_seconds(smart_server: RealServer) -> None:
    """Our key opens the door; nobody enters without it; after three seconds it is shut again."""
    server = smart_server
    now = int(time.time())
    claims = {"iss": "adapter", "sub": "adapter", "aud": server.token_url, "iat": now, "exp": now + 240, "jti": "1"}
    form = {
        "grant_type": "client_credentials",
        "scope": server.auth.scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": signed(claims, server.key, server.key.thumbprint()),
    }
    token = httpx.post(server.token_url, data=form).json()
    statuses = [httpx.get(f"{server.base_url}/Patient").status_code]
    for _ in range(2):
        headers = {"Authorization": f"Bearer {token['access_token']}"}
        statuses.append(httpx.get(f"{server.base_url}/Patient", headers=headers).status_code)
        time.sleep(TOKEN_SECONDS + 0.2)

    assert (token["expires_in"], statuses) == (3, [401, 200, 401])
