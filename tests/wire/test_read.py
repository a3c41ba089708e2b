"""Reads by id, and deletes out of histories."""

from datetime import UTC, datetime
from typing import Any

import pytest

from fhir_adapter.wire import history, instants
from fhir_adapter.wire.read import read, read_many
from tests.wire.hospital import BASE, Script, asking, bundle, capability, outcome

SINCE = datetime(2026, 1, 1, tzinfo=UTC)
HISTORY = "Observation/_history?_since=2026-01-01T00:00:00.000Z&_count=50"


def _patient(name: str, **elements: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": name, **elements}


@pytest.mark.parametrize(("status", "why"), [(410, "gone"), (404, "not_found"), (403, "forbidden")])
def test_three_kinds_of_absence_q30(status: int, why: str) -> None:
    """Q30: deleted, unknown and forbidden are different facts; none of them is a gap of the answer."""
    script = Script()
    script.expect("Patient/p1", outcome("x"), status=status)

    with asking(script) as connection:
        found = read(connection, "Patient", "p1")

    assert [(one.id, one.why) for one in found.missing] == [("p1", why)]
    assert found.page.gaps == ()


def test_a_read_that_brings_something_else_is_a_gap() -> None:
    """Another type or another id than asked for is not taken."""
    script = Script()
    script.expect("Patient/p1", _patient("p2"))

    with asking(script) as connection:
        found = read(connection, "Patient", "p1")

    assert (found.page.entries, [one.why for one in found.missing]) == ((), ["failed"])
    assert [gap.code for gap in found.page.gaps] == ["unexpected_answer"]


def test_a_merged_patient_comes_by_direct_read_alone_q29() -> None:
    """Q29: Oracle's search leaves a combined patient out; whom the list does not bring is read by id."""
    script = Script()
    script.expect("Patient?_id=p1,p2&_count=2", bundle(_patient("p1")))
    script.expect("Patient/p2", _patient("p2", active=False))

    with asking(script, statement=capability("_id", Patient="read search-type")) as connection:
        found = list(read_many(connection, "Patient", ["p1", "p2", "p1"]))

    assert [entry.id for reading in found for entry in reading.page.entries] == ["p1", "p2"]


def test_without_lists_everyone_is_read_singly_q3() -> None:
    """Q3: Epic refuses to search patients; a refused list is not tried twice."""
    script = Script()
    script.expect("Patient?_id=p1,p2&_count=2", outcome("not-supported"), status=400)
    for name in ("p1", "p2"):
        script.expect(f"Patient/{name}", *[_patient(name)] * 2)

    with asking(script, statement=capability("_id", Patient="read")) as connection:
        for _ in range(2):
            assert [one.page.entries[0].id for one in read_many(connection, "Patient", ["p1", "p2"])] == ["p1", "p2"]


def _version(name: str, at: str, *, deleted: bool = False) -> dict[str, Any]:
    if deleted:
        return {"fullUrl": f"{BASE}/Observation/{name}", "request": {"method": "DELETE", "url": f"Observation/{name}"},
                "response": {"status": "204", "etag": 'W/"2"', "lastModified": at}}
    return {"resource": {"resourceType": "Observation", "id": name, "meta": {"lastUpdated": at}},
            "request": {"method": "PUT", "url": f"Observation/{name}"}, "response": {"status": "200"}}


def _history(*entries: dict[str, Any], next_link: str | None = None) -> dict[str, Any]:
    links = [{"relation": "next", "url": next_link}] if next_link else []
    return {"resourceType": "Bundle", "type": "history", "entry": list(entries), "link": links}


def _deletes(script: Script) -> tuple[list[str], list[str]]:
    with asking(script) as connection:
        pages = list(history.deletes(connection, "Observation", SINCE))
    return [entry.id for page in pages for entry in page.entries], [gap.code for page in pages for gap in page.gaps]


def test_deletes_come_from_the_history_trap_5() -> None:
    """Trap 5: nothing else lists them. Older ones, and those made again since, are none."""
    script = Script()
    script.expect(HISTORY, _history(
        _version("made-again", "2026-01-05T00:00:00Z"), _version("gone", "2026-01-04T00:00:00.5Z", deleted=True),
        _version("made-again", "2026-01-03T00:00:00Z", deleted=True), _version("gone", "2026-01-02T00:00:00Z"),
        _version("long-gone", "2025-12-31T23:00:00Z", deleted=True)))

    assert _deletes(script) == (["gone"], [])


def test_instants_win_over_the_order_of_a_history() -> None:
    """A history told oldest first does not make a record that lives again a deleted one."""
    script = Script()
    script.expect(HISTORY, _history(_version("x", "2026-01-03T00:00:00Z", deleted=True),
                                    _version("x", "2026-01-05T01:00:00+04:00")))

    assert _deletes(script) == ([], [])


def test_a_next_link_that_forgot_since_gets_it_back_trap_2() -> None:
    """Trap 2: sekmet-fhir drops `_since` from next links and would tell its whole history."""
    script = Script()
    script.expect(HISTORY, _history(_version("a", "2026-01-05T00:00:00Z", deleted=True),
                                    next_link=f"{BASE}/Observation/_history?_count=50&_offset=50"))
    script.expect("Observation/_history?_count=50&_offset=50&_since=2026-01-01T00:00:00.000Z",
                  _history(_version("b", "2026-01-04T00:00:00Z", deleted=True)))

    assert _deletes(script) == (["a", "b"], [])


def test_opaque_history_cursors_are_left_alone_q9() -> None:
    """Q9: HAPI's `_getpages` links are followed as they are."""
    script = Script()
    script.expect(HISTORY, _history(next_link=f"{BASE}?_getpages=abc"))
    script.expect(f"{BASE}?_getpages=abc", _history(_version("b", "2026-01-04T00:00:00Z", deleted=True)))

    assert _deletes(script) == (["b"], [])


def test_a_history_that_loops_or_fails_leaves_a_gap() -> None:
    """Deletes that could not be read are said to be missing."""
    loop, refused = Script(), Script()
    loop.expect(HISTORY, _history(next_link=f"{BASE}/{HISTORY}"))
    refused.expect(HISTORY, outcome("not-supported"), status=400)

    assert _deletes(loop) == ([], ["link_loop"])
    assert _deletes(refused) == ([], ["refused"])


@pytest.mark.parametrize(("written", "sent"), [
    ("2026-01-31T23:59:60Z", "2026-01-31T23:59:59.000Z"),
    ("2026-01-31T23:59:59.123456789Z", "2026-01-31T23:59:59.123Z"),
    ("2026-02-01T03:59:59.5+04:00", "2026-01-31T23:59:59.500Z"),
])
def test_instants_are_sent_in_utc_q20_trap_3(written: str, sent: str) -> None:
    """Q20, trap 3: leap seconds, nanoseconds and offsets become UTC `Z` with milliseconds."""
    moment = instants.read(written)

    assert moment is not None
    assert instants.written(moment) == sent


@pytest.mark.parametrize("written", ["", "2026-01-31", "2026-01-31T10:00:00", "2026-13-01T00:00:00Z", "now",
                                     "0001-01-01T00:00:00+14:00"])
def test_instants_that_are_none(written: str) -> None:
    """Without a zone or beyond the calendar there is no instant; nothing is guessed."""
    assert instants.read(written) is None
