"""Each quirk of facts/quirks.md and each trap of facts/servers.md, by its name, as a client meets it on the wire."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_adapter.sandbox import (
    PERSONAS,
    PLAIN,
    ClientSecret,
    Fault,
    Persona,
    Rehearsal,
    Stage,
    UnexpectedRequests,
    serve,
)
from fhir_adapter.sandbox.quirks import ALL, quirked, table
from fhir_adapter.sandbox.rules import _NEED_TEXTS
from tests.sandbox.build import Clock, get, hospital, ids, link, observation, pages, patient, search_ids
from tests.sandbox.test_bulk import ASYNC, dose, exported, group, kick_off, lines, manifest_of

Quirky = Callable[..., AbstractContextManager[Rehearsal]]
LAB = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}
DRUG = {"coding": [{"system": "http://www.whocc.no/atc", "code": "L01FF09"}]}


def _event() -> dict[str, Any]:
    subject, study = {"reference": "Patient/p1"}, {"reference": "ResearchStudy/r1"}
    return {"resourceType": "AdverseEvent", "id": "a1", "subject": subject, "study": [study]}


def _told(id_: str) -> dict[str, Any]:
    told = {"resourceType": "MedicationAdministration", "id": id_, "subject": {"reference": "Patient/p1"}}
    return {**told, "medicationCodeableConcept": DRUG, "effectiveDateTime": "2026-02-01T09:00:00Z"}


@pytest.fixture
def clock() -> Clock:
    """The hospital's clock."""
    return Clock()


@pytest.fixture
def quirky(tmp_path: Path, clock: Clock) -> Quirky:
    """Opens a hospital with 25 observations of p1 and some other records, and with these quirks; strict."""
    rows = [observation(f"o{n:02}", at=f"2026-01-01T00:00:00.{n:03}Z", code=LAB, status="final",
                        effectiveDateTime="2026-01-01T09:00:00+08:00") for n in range(25)]  # fmt: skip
    report: dict[str, Any] = {"resourceType": "DiagnosticReport", "id": "d1", "subject": {"reference": "Patient/p1"}}
    report["result"] = [{"reference": "Observation/o03"}]
    more = [_event(), group("p1"), report, _told("t1"), dose("d1"), {"resourceType": "Medication", "id": "m1"}]
    folder = hospital(tmp_path / "west", [patient("p1"), patient("p2"), *rows, *more])

    def opened(*names: str, auth: Any = None, persona: Persona = PLAIN) -> AbstractContextManager[Rehearsal]:
        more = {"auth": auth} if auth is not None else {}
        return serve(folder, persona=quirked(persona, *names), strict=True, stage=Stage(clock=clock), **more)

    return opened


def question(running: Rehearsal, more: str = "") -> str:
    """Three pages: 10, 10, 5."""
    return f"{running.base_url}/Observation?patient=p1&_count=10{more}"


def issue(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of the first issue."""
    return answer.status_code, answer.json()["issue"][0]["code"]


def sizes(found: list[dict[str, Any]]) -> list[int]:
    """How many rows each page has."""
    return [len(ids(page)) for page in found]


def outcomes(bundle: dict[str, Any]) -> list[str]:
    """The issue codes of a bundle's outcome entries."""
    notes = [one["resource"] for one in bundle.get("entry", ()) if one.get("search", {}).get("mode") == "outcome"]
    return [one["issue"][0]["code"] for one in notes]


EVERY = {f"o{n:02}" for n in range(25)}


# --- what is asked --------------------------------------------------------------------------------------------------


def test_q1_an_outcome_among_the_entries(quirky: Quirky) -> None:
    """4119 informs; `suppressed` says that rows are missing, and they are."""
    with quirky("Q1") as running:
        first = get(question(running)).json()["entry"][0]["resource"]
        assert first["issue"][0]["details"]["coding"][0]["code"] == "4119"
    with quirky("Q1b") as running:
        found = pages(question(running))
        assert outcomes(found[0]) == ["suppressed"]
        missing = EVERY - {id_ for page in found for id_ in ids(page)}
        assert missing
        assert get(f"{running.base_url}/Observation/{min(missing)}").status_code == 200


def test_q2_observation_needs_a_category(quirky: Quirky) -> None:
    """400 `required`, in a text that cannot be relied on; some categories are refused."""
    with quirky("Q2", "Q2b") as running:
        answer = get(question(running))
        assert issue(answer) == (400, "required")
        assert answer.json()["issue"][0]["severity"] == "fatal"
        texts = {get(question(running, f"&{more}")).json()["issue"][0]["diagnostics"]
                 for more in ("status=final", "date=2026", "_sort=_id", "_lastUpdated=2026")}  # fmt: skip
        assert len(texts) > 1
        assert len(_NEED_TEXTS) >= len(texts)
        assert get(question(running, "&category=laboratory")).status_code == 200
        assert get(question(running, "&category=therapy")).status_code == 400


def test_q3_one_type_is_refused_the_others_answer(quirky: Quirky) -> None:
    """Patient by id only, AdverseEvent 403, another does not exist."""
    with quirky("Q3") as running:
        assert issue(get(f"{running.base_url}/Patient?_id=p1")) == (400, "required")
        assert get(f"{running.base_url}/Patient/p1").status_code == 200
        assert issue(get(f"{running.base_url}/AdverseEvent?subject=p1")) == (403, "forbidden")
        assert get(question(running)).status_code == 200
    with quirky("Q3b") as running:
        assert get(f"{running.base_url}/AdverseEvent?subject=p1").status_code == 404


@pytest.mark.parametrize(("name", "statuses"), [("Q4", (200, 400)), ("Q4b", (400, 200))])
def test_q4_bare_or_reference(quirky: Quirky, name: str, statuses: tuple[int, int]) -> None:
    """`patient=p1` or `patient=Patient/p1`, not both."""
    with quirky(name) as running:
        asked = [f"{running.base_url}/Observation?patient={one}" for one in ("p1", "Patient/p1")]
        assert tuple(get(one).status_code for one in asked) == statuses


def test_q4_search_by_post(quirky: Quirky) -> None:
    """404 here; there it works, and its next link must be posted too."""
    form = {"patient": "p1", "_count": "10"}
    with quirky("Q4c") as running:
        assert httpx.post(f"{running.base_url}/Observation/_search", data=form).status_code == 404
    with quirky("Q4d") as running:
        first = httpx.post(f"{running.base_url}/Observation/_search", data=form).json()
        following = link(first) or ""
        assert len(ids(httpx.post(following).json())) == 10


def test_q4_an_unknown_parameter_fails_the_request(quirky: Quirky) -> None:
    """What the hospital lacks is refused, not dropped."""
    with quirky("Q4e", "Q17") as running:
        assert get(question(running, "&_lastUpdated=ge2026-01-01")).status_code == 400


def test_q5_parameters_are_dropped_in_silence(quirky: Quirky) -> None:
    """Everybody's records come; only the self link tells."""
    with quirky("Q5") as running:
        bundle = get(f"{running.base_url}/Observation?patient=nobody&_count=10").json()
        assert (len(ids(bundle)), outcomes(bundle)) == (10, [])
        assert link(bundle, "self") == f"{running.base_url}/Observation?_count=10"
    with quirky("Q5b") as running:
        assert len(search_ids(question(running, "&_lastUpdated=ge2030-01-01"))) == 25
    with quirky("Q5c", "Q17") as running:
        answer = get(question(running, "&_lastUpdated=ge2030-01-01"), Prefer="handling=strict")
        assert (answer.status_code, outcomes(answer.json())) == (200, [])


def test_q6_totals(quirky: Quirky) -> None:
    """None, an estimate, or an estimate until the last page."""
    with quirky("Q6") as running:
        assert "total" not in get(question(running)).json()
    with quirky("Q6b") as running:
        assert all(page["total"] != 25 for page in pages(question(running)))
    with quirky("Q6c") as running:
        assert [page["total"] == 25 for page in pages(question(running))] == [False, False, True]


# --- pages ----------------------------------------------------------------------------------------------------------


def test_q7_cursors_expire(quirky: Quirky, clock: Clock) -> None:
    """410 after its life time, by the hospital's clock; or once."""
    with quirky("Q7") as running:
        following = link(get(question(running)).json()) or ""
        clock.forward(59)
        assert get(following).status_code == 200
        clock.forward(2)
        answer = get(following)
        assert issue(answer) == (410, "expired")
        assert "HAPI-0417" in answer.text
    with quirky("Q7b") as running:
        following = link(get(question(running)).json()) or ""
        assert [get(following).status_code for _ in range(2)] == [410, 200]


def test_q8_a_cap_without_next_link(quirky: Quirky) -> None:
    """The total says 25, ten come."""
    with quirky("Q8") as running:
        found = pages(f"{running.base_url}/Observation?_count=7")
        assert (sizes(found), found[0]["total"]) == ([7, 3], 25)


def test_q9_page_addresses_made_by_hand(quirky: Quirky) -> None:
    """200 and nothing."""
    with quirky("Q9") as running:
        following = link(get(question(running)).json()) or ""
        made = get(following.replace("_getpagesoffset=10", "_getpagesoffset=15")).json()
        assert "entry" not in made


def test_q10_bad_next_links(quirky: Quirky) -> None:
    """The same for ever; an empty end; an empty page in the middle; none at all."""
    with quirky("Q10") as running:
        second = link(get(question(running)).json())
        assert link(get(second or "").json()) == second
    with quirky("Q10b") as running:
        assert sizes(pages(question(running))) == [10, 10, 5, 0]
    with quirky("Q10c") as running:
        assert sizes(pages(question(running))) == [10, 0, 10, 5]
    with quirky("Q10d") as running:
        assert sizes(pages(question(running))) == [10]


def test_q11_links_that_must_be_left_alone(quirky: Quirky) -> None:
    """Relative ones; and tokens that another encoding breaks."""
    with quirky("Q11") as running:
        following = link(get(question(running)).json()) or ""
        assert following.startswith("/fhir?_getpages=")
        assert get(httpx.URL(question(running)).join(following).__str__()).status_code == 200
    with quirky("Q11b") as running:
        following = link(get(question(running)).json()) or ""
        assert get(following).status_code == 200
        assert get(following.replace("%2B", "+")).status_code == 410
        assert get(following.replace("%", "%25")).status_code == 410


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("Q12", "{annex}/fhir?"),
        ("Q12b", "http://fhir-server.hospital.svc.cluster.local/fhir?"),
        ("Q12c", "http://127.0.0.1/fhir?"),
        ("Q12d", "http://127.0.0.1:443/fhir?"),
        ("Q12e", "http://127.0.0.1:{port}:{port}/fhir?"),
        ("Q12f", "https://127.0.0.1:{port}/fhir?"),
    ],
)
def test_q12_links_to_another_origin(quirky: Quirky, name: str, start: str) -> None:
    """Another host, another port, another scheme."""
    with quirky(name) as running:
        following = link(get(question(running)).json()) or ""
        assert following.startswith(start.format(annex=running.annex_url, port=running.port))


def test_q12_the_other_origin_answers_and_watches(quirky: Quirky) -> None:
    """Without credentials it is well; with them a strict block fails."""

    def follow(**headers: str) -> None:
        with quirky("Q12") as running:
            assert len(ids(get(link(get(question(running)).json()) or "", **headers).json())) == 10

    follow()
    with pytest.raises(UnexpectedRequests, match="another origin"):
        follow(Authorization="Bearer s3cret")


def test_q13_orders_that_change(quirky: Quirky) -> None:
    """Offsets over a changing order double and miss rows while the total is right; `_sort=_id` does not."""
    with quirky("Q13") as running:
        found = pages(question(running))
        rows = [id_ for page in found for id_ in ids(page)]
        assert (len(rows), found[0]["total"]) == (25, 25)
        assert len(set(rows)) < 25
        assert search_ids(question(running, "&_sort=_id")) == EVERY
    with quirky("Q13b") as running:
        first = get(question(running)).json()
        running.edit(running.record("Observation", "o01"))
        assert outcomes(get(link(first) or "").json()) == ["conflict"]
    with quirky("Q13c") as running:
        found = pages(question(running))
        assert ids(found[0])[-1] == ids(found[1])[0]
    with quirky("Q13d") as running:
        assert ids(get(question(running, "&_sort=_id")).json()) != sorted(EVERY)[:10]


def test_q14_short_and_long_pages(quirky: Quirky) -> None:
    """Fewer rows than asked for though more follow; more than asked for."""
    with quirky("Q14") as running:
        found = pages(question(running))
        assert len(found) > 3
        assert {id_ for page in found for id_ in ids(page)} == EVERY
    with quirky("Q14b") as running:
        assert sizes(pages(question(running))) == [15, 10]


def test_q15_huge_and_stale_tokens(quirky: Quirky, clock: Clock) -> None:
    """404 when the token is too long, 500 when it is too old."""
    with quirky("Q15") as running:
        following, statuses = link(get(f"{running.base_url}/Observation?_count=5").json()), []
        while following:
            answer = get(following)
            statuses.append(answer.status_code)
            following = link(answer.json()) if answer.status_code == 200 else None
        assert statuses == [200, 200, 404]
    with quirky("Q15b") as running:
        following = link(get(question(running)).json())
        clock.forward(61)
        assert get(following or "").status_code == 500


def test_q16_cached_searches(quirky: Quirky, clock: Clock) -> None:
    """An edit is not seen for a minute, unless no-cache is said."""
    with quirky("Q16") as running:
        before = get(question(running)).content
        running.delete("Observation", "o01")
        assert get(question(running)).content == before
        assert get(question(running), **{"Cache-Control": "no-cache"}).json()["total"] == 24
        clock.forward(61)
        assert get(question(running)).json()["total"] == 24


# --- time -----------------------------------------------------------------------------------------------------------


def test_q17_no_last_updated(quirky: Quirky) -> None:
    """Not in /metadata, dropped in a search, not in the records, no ETag on reads."""
    with quirky("Q17") as running:
        resources = get(f"{running.base_url}/metadata").json()["rest"][0]["resource"]
        assert not [one for one in resources for p in one["searchParam"] if p["name"] == "_lastUpdated"]
        bundle = get(question(running, "&_lastUpdated=ge2030-01-01")).json()
        assert (len(ids(bundle)), outcomes(bundle)) == (10, ["not-supported"])
        assert "meta" not in bundle["entry"][1]["resource"]
        assert "etag" not in get(f"{running.base_url}/Observation/o01").headers
    with quirky("Q17b") as running:
        assert get(f"{running.base_url}/Observation/o01").json()["meta"] == {"versionId": "1"}


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("Observation?patient=p1&date=ge2026&_lastUpdated=ge2026", 400),
        ("Observation?patient=p1&date=ge2025&date=lt2027", 200),
        ("Observation?patient=p1&date=ge2025&date=lt2027&date=lt2028", 400),
        ("Observation?patient=p1&_lastUpdated=ne2026", 400),
        ("MedicationAdministration?patient=p1&effective-time=ge2026-01-01", 400),
        ("MedicationAdministration?patient=p1&effective-time=ge2026-01-01T00:00:00Z", 200),
        ("MedicationAdministration?_id=t1&patient=p1", 400),
        ("MedicationAdministration?_id=t1", 200),
    ],
)
def test_q18_oracles_rules(quirky: Quirky, asked: str, status: int) -> None:
    """As its documentation has them; with _lastUpdated the newest come first."""

    def ask() -> int:
        with quirky("Q18") as running:
            newest = ids(get(f"{running.base_url}/Observation?_lastUpdated=ge2026-01-01&_count=2").json())
            assert newest == ["o24", "o23"]
            return get(f"{running.base_url}/{asked}").status_code

    assert ask() == status


def test_q18_too_many_patients(quirky: Quirky) -> None:
    """422."""
    with quirky("Q18b") as running:
        assert get(f"{running.base_url}/Patient").status_code == 422


def test_q19_late_commits_and_skewed_clocks(quirky: Quirky, clock: Clock) -> None:
    """An edit is not seen at once, though its lastUpdated is the time of the edit; times go back and forth."""
    with quirky("Q19") as running:
        made = running.life.edit(observation("late"), late=100)
        assert get(f"{running.base_url}/Observation/late").status_code == 404
        clock.forward(101)
        shown = get(f"{running.base_url}/Observation/late").json()
        assert shown["meta"]["lastUpdated"] == made.data["meta"]["lastUpdated"] == "2026-07-01T12:00:00.000Z"
        lags = [running.edit(observation(f"n{n}")) for n in range(20)]
        waits = [(one.visible_from - one.last_updated).total_seconds() for one in lags if one.visible_from]
        assert 60 < max(waits) <= 121
        assert waits != sorted(waits)
    with quirky("Q19b") as running:
        times = [running.edit(observation(f"n{n}")).last_updated for n in range(20)]
        assert times != sorted(times)
        assert all(abs((one - clock()).total_seconds()) <= 2 for one in times)


def test_q20_written_dates(quirky: Quirky) -> None:
    """Offsets whose plus must be escaped; dates that no calendar has."""
    with quirky("Q20") as running:
        written = get(f"{running.base_url}/Observation/o01").json()["meta"]["lastUpdated"]
        assert written == "2026-01-01T08:00:00.001+08:00"
        assert get(question(running, f"&_lastUpdated=ge{written.replace('+', '%2B')}")).json()["total"] == 24
    with quirky("Q20b") as running:
        every = [one["resource"]["effectiveDateTime"] for page in pages(question(running)) for one in page["entry"]]
        odd = {one for one in every if one != "2026-01-01T09:00:00+08:00"}
        assert odd == {"2026-01-01T10:00:00", "2026-01-01T23:59:60Z", "2062-01-01T09:00:00+08:00"}


# --- bulk: the rest stands in test_bulk.py --------------------------------------------------------------------------


@pytest.mark.parametrize("name", [one.name for one in ALL if one.name[:3] in ("Q21", "Q22", "Q23", "Q24", "Q25")])
def test_q21_to_q25_bulk_quirks_by_name(quirky: Quirky, name: str) -> None:
    """Each is a switch of `bulk` that test_bulk.py shows; by its name it still lets a job begin."""
    with quirky(name) as running:
        assert running.persona.bulk != PLAIN.bulk
        assert kick_off(running, "/Group/g1/$export").status_code == 202


# --- load, tokens, identity -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Q26", "Q26b", "Q26c", "Q26d", "Q26e", "Q26f", "S3"])
def test_q26_throttles(quirky: Quirky, clock: Clock, name: str) -> None:
    """After 20 requests 429, until the time that is said in one form or another."""
    with quirky(name) as running:
        statuses = [get(f"{running.base_url}/Patient/p1").status_code for _ in range(20)]
        answer = get(f"{running.base_url}/Patient/p1")
        assert (set(statuses), answer.status_code) == ({200}, 429)
        wait = _wait_of(answer, clock)
        clock.forward(wait - 1)
        assert get(f"{running.base_url}/Patient/p1").status_code == 429
        clock.forward(1)
        assert get(f"{running.base_url}/Patient/p1").status_code == 200


def _wait_of(answer: httpx.Response, clock: Clock) -> float:
    said = answer.headers.get("retry-after")
    if "x-ms-retry-after-ms" in answer.headers:
        return int(answer.headers["x-ms-retry-after-ms"]) / 1000
    if said is None:
        return float(answer.json()["issue"][0]["diagnostics"].split()[-2])
    if not said.isdigit():
        return (parsedate_to_datetime(said) - clock()).total_seconds()
    number, now = int(said), clock().timestamp()
    return number if number < 10**6 else number / (1000 if number > 10**11 else 1) - now


def test_q27_permanent_errors_and_other_bodies(quirky: Quirky) -> None:
    """A poisoned record fails its page and its read for good; gateways answer HTML; 200 may be an outcome."""
    with quirky("Q27") as running:
        well = {id_ for id_ in EVERY if get(f"{running.base_url}/Observation/{id_}").status_code == 200}
        assert 0 < len(EVERY - well) < 12
        answer = get(f"{running.base_url}/Observation?_count=100")
        assert issue(answer) == (500, "required")
        assert answer.json()["issue"][0]["location"] == ["/f:Observation/f:status"]
        assert get(f"{running.base_url}/Observation?_id={','.join(sorted(well))}").status_code == 200
    with quirky() as running:
        running.life.poison("Observation", "o07")
        assert get(f"{running.base_url}/Observation?_id=o07").status_code == 500
        running.life.heal()
        assert get(f"{running.base_url}/Observation?_id=o07").status_code == 200
    with quirky("Q27b") as running:
        answers = [get(question(running)) for _ in range(3)]
        assert [one.status_code for one in answers] == [504, 504, 200]
        assert answers[0].headers["content-type"].startswith("text/html")
    with quirky("Q27c") as running:
        assert get(question(running)).json()["resourceType"] == "OperationOutcome"


def _token(running: Rehearsal, scope: str = "system/*.read") -> httpx.Response:
    form = {"grant_type": "client_credentials", "scope": scope}
    return httpx.post(running.token_url, data=form, auth=("us", "s3cret"))


def _bearer(running: Rehearsal, scope: str = "system/*.read") -> dict[str, str]:
    return {"Authorization": f"Bearer {_token(running, scope).json()['access_token']}"}


def test_q28_tokens(quirky: Quirky, clock: Clock) -> None:
    """They are short, die early, and are refused now and then with a bare 400."""
    auth = ClientSecret("us", "s3cret")
    with quirky("Q28", auth=auth) as running:
        headers = _bearer(running)
        clock.forward(4)
        assert issue(get(question(running), **headers)) == (401, "expired")
    with quirky("Q28b", auth=auth) as running:
        headers = _bearer(running)
        assert [get(question(running), **headers).status_code for _ in range(6)] == [200] * 5 + [401]
    with quirky("Q28c", auth=auth) as running:
        answers = [_token(running) for _ in range(4)]
        assert [(one.status_code, bool(one.content)) for one in answers] == [(200, True), (400, False)] * 2


def test_q28_scopes(quirky: Quirky) -> None:
    """v2 in vain, v1 only, v2 only, and less than was asked for."""
    auth = ClientSecret("us", "s3cret")
    with quirky("Q28d", auth=auth) as running:
        statuses = [get(question(running), **_bearer(running, f"system/*.{one}")).status_code for one in ("rs", "read")]
        assert statuses == [403, 200]
    with quirky("Q28g", auth=auth) as running:
        assert [_token(running, f"system/*.{one}").status_code for one in ("rs", "read")] == [400, 200]
    with quirky("Q28h", auth=auth) as running:
        assert [_token(running, f"system/*.{one}").status_code for one in ("rs", "read")] == [200, 400]
    with quirky("Q28i", auth=auth) as running:
        granted = _token(running).json()
        assert "system/Observation.read" in granted["scope"].split()
        assert "AdverseEvent" not in granted["scope"]
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        assert get(f"{running.base_url}/AdverseEvent?subject=p1", **headers).status_code == 403


def test_q28_discovery_and_headers(quirky: Quirky) -> None:
    """Keywords are wrong, the endpoint is right; it may be at another origin; a header must be there."""
    auth = ClientSecret("us", "s3cret")
    with quirky("Q28e", auth=auth) as running:
        told = get(f"{running.base_url}/.well-known/smart-configuration").json()
        assert (told["token_endpoint"], told["capabilities"]) == (running.token_url, ["launch-ehr", "client-public"])
    with quirky("Q28j", auth=auth) as running:
        told = get(f"{running.base_url}/.well-known/smart-configuration").json()
        assert told["token_endpoint"] == running.annex_url + "/auth/token"
        form = {"grant_type": "client_credentials", "scope": "system/*.read"}
        assert httpx.post(told["token_endpoint"], data=form, auth=("us", "s3cret")).status_code == 200

    def ask(**headers: str) -> int:
        with quirky("Q28f") as running:
            return get(question(running), **headers).status_code

    assert ask(**{"Epic-Client-ID": "us"}) == 200
    with pytest.raises(UnexpectedRequests, match="Epic-Client-ID"):
        ask()


def test_q29_merges(quirky: Quirky) -> None:
    """Seen by direct read only; searches for the old id find nothing, or are refused; undone it is as before."""
    with quirky("Q29") as running:
        running.life.merge("p1", "p2")
        assert search_ids(f"{running.base_url}/Patient") == {"p2"}
        old = get(f"{running.base_url}/Patient/p1").json()
        assert (old["active"], old["link"][0]["type"]) == (False, "replaced-by")
        assert old["link"][0]["other"]["reference"] == "Patient/p2"
        assert search_ids(question(running)) == set()
        assert search_ids(f"{running.base_url}/Observation?patient=p2") == EVERY
        running.life.unmerge("p1")
        assert search_ids(question(running)) == EVERY
        assert search_ids(f"{running.base_url}/Patient") == {"p1", "p2"}
        assert "link" not in get(f"{running.base_url}/Patient/p2").json()
    with quirky("Q29b") as running:
        running.life.merge("p1", "p2")
        assert get(question(running)).status_code == 400


def test_q30_masked_and_hidden(quirky: Quirky) -> None:
    """entered-in-error comes without content; a hidden record is found by no search and is not deleted."""
    with quirky("Q30") as running:
        running.life.retract("Observation", "o01")
        masked = get(f"{running.base_url}/Observation/o01").json()
        assert masked["status"] == "entered-in-error"
        assert "718-7" not in json.dumps(masked)
        assert "masked" in json.dumps(masked)
    with quirky("Q30b") as running:
        for read, status in ((200, 200), (403, 403), (404, 404)):
            running.life.hide("Observation", "o02", read)
            assert search_ids(question(running)) == EVERY - {"o02"}
            assert get(f"{running.base_url}/Observation/o02").status_code == status
        running.life.show("Observation", "o02")
        assert search_ids(question(running)) == EVERY


def test_q31_references(quirky: Quirky) -> None:
    """Drugs in records of their own, or contained; results by read only; exports without what they refer to."""
    with quirky("Q31") as running:
        told = get(f"{running.base_url}/MedicationAdministration/t1").json()
        reference = told["medicationReference"]["reference"]
        assert get(f"{running.base_url}/{reference}").json()["code"] == DRUG
        assert reference.split("/")[1] in search_ids(f"{running.base_url}/Medication")
    with quirky("Q31b") as running:
        told = get(f"{running.base_url}/MedicationAdministration/t1").json()
        assert (told["medicationReference"]["reference"], told["contained"][0]["code"]) == ("#med", DRUG)
    with quirky("Q31c") as running:
        assert search_ids(question(running)) == EVERY - {"o03"}
        assert get(f"{running.base_url}/Observation/o03").status_code == 200
    with quirky("Q31d") as running:
        assert "Medication/m1" not in exported(manifest_of(running, "/Patient/$export"))


def test_q32_ids_are_a_hospitals_own(tmp_path: Path) -> None:
    """The same id is another person at another hospital."""
    west = hospital(tmp_path / "west", [patient("1", gender="male")])
    east = hospital(tmp_path / "east", [patient("1", gender="female")])
    with serve(west) as one, serve(east) as other:
        assert [get(f"{here.base_url}/Patient/1").json()["gender"] for here in (one, other)] == ["male", "female"]


def test_q33_another_version_in_metadata(quirky: Quirky) -> None:
    """R4 records, R5 said."""
    with quirky("Q33") as running:
        assert get(f"{running.base_url}/metadata").json()["fhirVersion"] == "5.0.0"


def test_q34_adverse_events_by_subject_and_study(quirky: Quirky) -> None:
    """Neither alone."""
    with quirky("Q34") as running:
        address = f"{running.base_url}/AdverseEvent?subject=p1"
        assert issue(get(address)) == (400, "required")
        assert ids(get(f"{address}&study=r0,r1").json()) == ["a1"]


def test_q35_local_codes_and_undated_searches(quirky: Quirky) -> None:
    """A filter by LOINC finds nothing; without a date an answer stops in silence."""
    with quirky("Q35") as running:
        code = get(f"{running.base_url}/Observation/o01").json()["code"]["coding"][0]
        assert code["system"] == "urn:oid:2.999.7"
        assert search_ids(question(running, "&code=http://loinc.org|718-7")) == set()
        assert search_ids(question(running, f"&code={code['code']}")) == EVERY
    with quirky("Q35b") as running:
        assert (len(search_ids(question(running))), len(search_ids(question(running, "&date=ge2020")))) == (10, 25)


# --- the traps of facts/servers.md ----------------------------------------------------------------------------------


def test_t1_offsets_drift(quirky: Quirky) -> None:
    """Deleting rows of page one hides live ones, also with `_sort=_id`."""
    with quirky("T1") as running:
        first = get(question(running, "&_sort=_id")).json()
        for id_ in ids(first)[:5]:
            running.delete("Observation", id_)
        rest = [id_ for page in pages(link(first) or "") for id_ in ids(page)]
        assert len({*ids(first), *rest}) == 20


def test_t2_t3_t8_histories(quirky: Quirky) -> None:
    """`_since` is lost on page two; an offset compares as text; the self link is bare and nothing was created."""
    with quirky("T2") as running:
        running.edit(running.record("Observation", "o01"))
        running.edit(running.record("Observation", "o02"))
        found = pages(f"{running.base_url}/Observation/_history?_since=2026-06-01T00:00:00Z&_count=1")
        assert (found[0]["total"], found[1]["total"]) == (2, 27)
    with quirky("T3") as running:
        address = f"{running.base_url}/Observation/_history?_since="
        assert get(address + "2026-01-01T00:00:00.000Z").json()["total"] == 25
        assert get(address + "2026-01-01T02:00:00.000%2B02:00").json()["total"] == 0
    with quirky("T8") as running:
        told = get(f"{running.base_url}/Observation/_history?_count=3").json()
        assert link(told, "self") == f"{running.base_url}/Observation/_history"
        assert {entry["response"]["status"] for entry in told["entry"]} == {"200 OK"}


def test_t4_adverse_event_is_half_supported(quirky: Quirky) -> None:
    """Not advertised, its filter is ignored, Patient export leaves it out, system export has it."""
    with quirky("T4") as running:
        resources = get(f"{running.base_url}/metadata").json()["rest"][0]["resource"]
        assert "AdverseEvent" not in {one["type"] for one in resources}
        assert search_ids(f"{running.base_url}/AdverseEvent?subject=nobody") == {"a1"}
        assert "AdverseEvent/a1" not in exported(manifest_of(running, "/Patient/$export"))
        assert "AdverseEvent/a1" in exported(manifest_of(running))


def test_t6_t7_times_and_numbers(quirky: Quirky) -> None:
    """Many records at one second; 1.10 comes back as 1.1."""
    with quirky("T6") as running:
        times = {one["resource"]["meta"]["lastUpdated"] for page in pages(question(running)) for one in page["entry"]}
        assert times == {"2026-01-01T00:00:00Z"}
        assert search_ids(question(running, "&_lastUpdated=gt2026-01-01T00:00:00Z")) == set()
    body = b'{"resourceType":"Observation","id":"x","valueQuantity":{"value":1.10}}'
    for names, expected in (((), b"1.10}"), (("T7",), b"1.1}")):
        with quirky(*names) as running:
            running.plant(body)
            assert expected in get(f"{running.base_url}/Observation/x").content


def test_t9_and_s_shapes_of_exports(quirky: Quirky) -> None:
    """Scopes are not looked at; a kick-off is 500, or 401 once; files expire; an unknown group is empty."""
    auth = ClientSecret("us", "s3cret")
    for names, status in (((), 403), (("T9",), 202)):
        with quirky(*names, auth=auth) as running:
            headers = {**ASYNC, **_bearer(running, "system/Patient.read")}
            assert get(f"{running.base_url}/Patient/$export?_type=Observation", **headers).status_code == status
    with quirky("S9") as running:
        assert [kick_off(running).status_code for _ in range(2)] == [500, 500]
    with quirky("S10") as running:
        refused = kick_off(running)
        assert (refused.status_code, refused.headers["content-type"].split(";")[0]) == (401, "text/plain")
        assert kick_off(running).status_code == 202
    with quirky("S8", "S11", "S2") as running:
        manifest = manifest_of(running)
        assert manifest["transactionTime"] == "2026-07-01T12:00:00+00:00"
        assert {get(file["url"]).status_code for file in manifest["output"]} == {410}
    with quirky("S12") as running:
        assert manifest_of(running, "/Group/g9/$export")["output"] == []
    with quirky("S7") as running:
        (error,) = manifest_of(running)["error"]
        assert (error["count"], len(lines(error["url"]))) == (639, 1)


def test_s5_one_unknown_type_and_there_is_no_token(quirky: Quirky) -> None:
    """400 for the whole request."""
    with quirky("S5", auth=ClientSecret("us", "s3cret")) as running:
        assert _token(running, "system/Patient.read system/Spaceship.read").status_code == 400
        assert _token(running, "system/Patient.read").status_code == 200


def test_m_an_in_memory_router(quirky: Quirky) -> None:
    """/metadata is an empty searchset, a deleted record reads 404, versionIds are no numbers."""
    with quirky("M1", "M2", "M3", "M4") as running:
        assert get(f"{running.base_url}/metadata").json() == {"resourceType": "Bundle", "type": "searchset"}
        running.delete("Observation", "o01")
        assert get(f"{running.base_url}/Observation/o01").status_code == 404
        assert get(f"{running.base_url}/Observation/o01/_history").status_code == 404
        number = get(f"{running.base_url}/Observation/o02").json()["meta"]["versionId"]
        assert len(number) == 36
        assert get(f"{running.base_url}/Observation/o02/_history/{number}").status_code == 200


def test_faults_can_wait_for_their_turn(quirky: Quirky) -> None:
    """The first two requests go well, the third fails once."""
    with quirky(persona=Persona(faults=(Fault(kind="error", skip=2),))) as running:
        assert [get(question(running)).status_code for _ in range(4)] == [200, 200, 500, 200]


def test_an_unknown_quirk_is_said() -> None:
    """With the names that there are."""
    with pytest.raises(KeyError, match="Q35b"):
        quirked(PLAIN, "Q99")


def test_names_are_unique_and_complete() -> None:
    """Q1 to Q35, T1 to T9, each once; each switch differs from what is plain."""
    names = [one.name for one in ALL]

    assert len(names) == len(set(names))
    assert {*(f"Q{n}" for n in range(1, 36)), *(f"T{n}" for n in range(1, 10))} <= set(names)
    for one in ALL:
        assert (quirked(PLAIN, one.name) != PLAIN) == bool(one.switches), one.name
        assert one.switches or one.how




def test_the_page_lists_every_quirk() -> None:
    """docs/sandbox.md ends with the table as the code has it, and names every persona."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")

    assert page.endswith(table()), "write the table of fhir_adapter.sandbox.quirks.table() into docs/sandbox.md"
    assert all(f"`{name}`" in page for name in PERSONAS)
