"""Each fault does what real servers were seen to do, as often as it was told to."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import pytest

from fhir_adapter.sandbox import Fault, Persona, Rehearsal, serve
from tests.sandbox.build import get, hospital, ids, link, observation, pages, patient

Serve = Callable[..., AbstractContextManager[Rehearsal]]


@pytest.fixture
def west(tmp_path: Path) -> Serve:
    """Opens a hospital with two patients and 25 observations of p1, with a persona."""
    folder = hospital(tmp_path / "west", [patient(), patient("p2"), *(observation(f"o{n:02}") for n in range(25))])

    def opened(**switches: object) -> AbstractContextManager[Rehearsal]:
        return serve(folder, persona=Persona(**switches), strict=True)  # type: ignore[arg-type]

    return opened


def question(running: Rehearsal, more: str = "") -> str:
    """Three pages: 10, 10, 5."""
    return f"{running.base_url}/Observation?patient=p1&_count=10&_sort=_id{more}"


@pytest.mark.parametrize("ignored", ["patient", "Observation.patient"])
def test_a_filter_can_be_ignored_in_silence(west: Serve, ignored: str) -> None:
    """Everybody's records come; only the self link shows it (quirk Q5)."""
    with west(ignored=frozenset({ignored})) as running:
        bundle = get(f"{running.base_url}/Observation?patient=p2&_count=30").json()

    assert len(ids(bundle)) == 25
    assert link(bundle, "self") == f"{running.base_url}/Observation?_count=30"


def test_a_list_of_patients_can_be_refused(west: Serve) -> None:
    """400 for several, 200 for one; asking is no fault."""
    with west(refuses_patient_lists=True) as running:
        answer = get(f"{running.base_url}/Observation?patient=p1,p2")
        alone = get(question(running))

    assert (answer.status_code, answer.json()["issue"][0]["code"], alone.status_code) == (400, "not-supported", 200)


def test_a_type_can_be_refused_and_another_unadvertised(west: Serve) -> None:
    """403 for the one; the other works although /metadata does not name it (trap 4)."""
    with west(refused=frozenset({"AdverseEvent"}), unadvertised=frozenset({"Observation"})) as running:
        assert get(f"{running.base_url}/AdverseEvent").status_code == 403
        assert get(question(running)).status_code == 200
        types = {one["type"] for one in get(f"{running.base_url}/metadata").json()["rest"][0]["resource"]}

    assert "Observation" not in types
    assert "AdverseEvent" in types


def test_totals_can_be_missing(west: Serve) -> None:
    """Some servers never count (quirk Q6)."""
    with west(tells_total=False) as running:
        assert "total" not in get(question(running)).json()


def test_pages_are_capped(west: Serve) -> None:
    """More than the server's own maximum is not given, without a word."""
    with west(max_count=7) as running:
        assert [len(ids(page)) for page in pages(f"{running.base_url}/Observation?_count=100")] == [7, 7, 7, 4]


@pytest.mark.parametrize(("times", "statuses"), [(1, [500, 200]), (2, [500, 500, 200]), (None, [500, 500, 500])])
def test_a_page_fails_once_or_always(west: Serve, times: int | None, statuses: list[int]) -> None:
    """Page two only, as often as told."""
    with west(faults=(Fault(kind="error", page=2, times=times),)) as running:
        following = link(get(question(running)).json()) or ""
        seen = [get(following).status_code for _ in statuses]

    assert seen == statuses


def test_faults_hit_their_type_only(west: Serve) -> None:
    """Another type is well."""
    with west(faults=(Fault(kind="error", type="Patient", times=None, status=503, code="transient"),)) as running:
        broken = get(f"{running.base_url}/Patient")
        assert get(question(running)).status_code == 200

    assert (broken.status_code, broken.json()["issue"][0]["code"]) == (503, "transient")


def test_a_truncated_page_is_no_json(west: Serve) -> None:
    """The length agrees, the JSON ends in the middle."""
    with west(faults=(Fault(kind="truncated"),)) as running:
        answer = get(question(running))

    assert answer.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        answer.json()


def test_a_connection_can_break(west: Serve) -> None:
    """Fewer bytes than announced; the next request is answered."""
    with west(faults=(Fault(kind="cut_off"),)) as running:
        with pytest.raises(httpx.RemoteProtocolError):
            get(question(running))
        assert get(question(running)).status_code == 200


def test_a_proxy_may_answer_html(west: Serve) -> None:
    """With status 200 (quirk Q27)."""
    with west(faults=(Fault(kind="html"),)) as running:
        answer = get(question(running))

    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/html")


@pytest.mark.parametrize("written", ["7", "Wed, 01 Jul 2026 12:00:07 GMT", "1795405067"])
def test_too_many_requests(west: Serve, written: str) -> None:
    """Retry-After as seconds, as a date, as an absolute epoch (servers.md)."""
    with west(faults=(Fault(kind="throttled", retry_after=written),)) as running:
        answer = get(question(running))

    assert (answer.status_code, answer.headers["retry-after"]) == (429, written)


def test_a_cursor_expires(west: Serve) -> None:
    """By a fault, or all of them at once; asking the question again works (quirk Q7)."""
    with west(faults=(Fault(kind="expired", page=3),)) as running:
        second = link(get(question(running)).json()) or ""
        third = link(get(second).json()) or ""
        assert get(third).status_code == 410
        assert get(third).status_code == 200
        running.expire_searches()
        assert get(second).status_code == 410
        assert len(pages(question(running))) == 3


def test_open_searches_are_few(west: Serve) -> None:
    """The oldest next link is forgotten first."""
    with west(open_searches=1) as running:
        first = link(get(question(running)).json()) or ""
        second = link(get(question(running)).json()) or ""

        assert [get(first).status_code, get(second).status_code] == [410, 200]


def test_the_next_link_can_be_missing(west: Serve) -> None:
    """total says more than came (quirk Q8)."""
    with west(faults=(Fault(kind="no_next", page=2),)) as running:
        found = pages(question(running))

    assert [len(ids(page)) for page in found] == [10, 10]
    assert found[-1]["total"] == 25


def test_the_next_link_can_lead_nowhere(west: Serve) -> None:
    """The same page for ever (quirk Q10)."""
    with west(faults=(Fault(kind="same_next", page=2, times=None),)) as running:
        second = link(get(question(running)).json())

        assert link(get(second or "").json()) == second


def test_an_outcome_among_the_entries(west: Serve) -> None:
    """It is no data; its code may say that records were suppressed (quirk Q1)."""
    with west(faults=(Fault(kind="outcome", code="suppressed"),)) as running:
        entries = get(question(running)).json()["entry"]

    assert (entries[0]["search"]["mode"], entries[0]["resource"]["issue"][0]["code"]) == ("outcome", "suppressed")
    assert len(entries) == 11


def test_a_record_nested_too_deep(west: Serve) -> None:
    """100,000 levels, of a patient who was asked for; its neighbours are well."""
    with west(faults=(Fault(kind="deep"),)) as running:
        text = get(question(running)).text

    assert "[" * 100_000 in text
    assert '"reference":"Patient/p1"},"extension":[[' in text
    assert text.count('"mode":"match"') == 10


def test_an_answer_comes_late(west: Serve) -> None:
    """A caller with less patience gives up; the server still stops cleanly."""
    with west(faults=(Fault(kind="slow", seconds=0.5),)) as running, pytest.raises(httpx.ReadTimeout):
        httpx.get(question(running), timeout=0.1)


@pytest.mark.parametrize("on", ["metadata", "read", "history", "token"])
def test_faults_outside_searches(west: Serve, on: str) -> None:
    """Metadata, reads, history and the token endpoint fail too."""
    with west(faults=(Fault(kind="error", on=on, status=503),)) as running:  # type: ignore[arg-type]
        addresses = {"metadata": "/metadata", "read": "/Patient/p1", "history": "/Patient/_history"}
        if on == "token":
            assert httpx.post(running.token_url).status_code == 503
        else:
            assert [get(running.base_url + addresses[on]).status_code for _ in range(2)] == [503, 200]


def test_a_hospital_mends_its_ways(west: Serve) -> None:
    """Another persona from now on."""
    with west(faults=(Fault(kind="error", times=None),)) as running:
        assert get(question(running)).status_code == 500
        running.play(Persona())
        assert get(question(running)).status_code == 200
