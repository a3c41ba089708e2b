"""Asking in parts: categories, caps, poison, long tokens. Quirks by their numbers in facts/quirks.md."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qsl

import httpx
import pytest

from fhir_adapter.core.study import TypeSettings
from fhir_adapter.core.windows import Coverage, Page, Question
from fhir_adapter.wire import division, instants, plan
from fhir_adapter.wire.connection import connect
from fhir_adapter.wire.metadata import Capability, TypeCapability
from tests.wire.hospital import BASE, NOON, bundle, capability, hospital, outcome, record

Rule = Callable[[str, dict[str, str], httpx.Request], httpx.Response]


def _reply(answer: dict[str, Any], status: int = 200) -> httpx.Response:
    return httpx.Response(status, json=answer, headers={"content-type": "application/fhir+json"})


class Server:
    """A hospital that answers by a rule: type, parameters, request."""

    def __init__(self, rule: Rule, *parameters: str) -> None:
        self.rule, self.parameters = rule, parameters or ("patient", "_id", "_lastUpdated")
        self.asked: list[httpx.Request] = []

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        if request.url.path.endswith("/metadata"):
            return _reply(capability(*self.parameters, Observation="read search-type",
                                     MedicationAdministration="read search-type"))
        self.asked.append(request)
        query = request.url.query.decode()
        return self.rule(request.url.path.rpartition("/")[2], dict(parse_qsl(query)), request)

    def pages(self, question: Question, **changes: Any) -> list[Page]:
        """The answer to a question."""
        with self.open(**changes) as connection:
            return list(division.answer(connection, question))

    def open(self, **changes: Any) -> Any:
        """A connection."""
        return connect(hospital(**changes), folder=Path(), clock=lambda: NOON,
                       sleep=lambda seconds: None, random=Random(7), transport=httpx.MockTransport(self.handle))


def _question(*patients: str, kind: str = "Observation") -> Question:
    return Question(type=kind, patients=patients, parameters=(("patient", ",".join(patients)),))


def _ids(pages: list[Page]) -> set[str]:
    return {entry.id for page in pages for entry in page.entries}


def _gaps(pages: list[Page]) -> list[str]:
    return [gap.code for page in pages for gap in page.gaps]


def _epic(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
    """Epic: no Observation without category; three of HL7's categories are refused."""
    if "category" not in query and "code" not in query:
        return _reply(outcome("required", "fatal", details={"text": "Must have either code or category."}), 400)
    if query.get("category") in ("procedure", "therapy", "activity"):
        return _reply(outcome("invalid"), 400)
    return _reply(bundle(record("Observation", query.get("category", "without-category"))))


def test_a_wanted_category_fans_out_q2() -> None:
    """Q2: on issue code `required` every category is asked; what the hospital refuses is named, and how to mend it."""
    pages = Server(_epic).pages(_question("p1"))

    assert _ids(pages) == {"social-history", "vital-signs", "imaging", "laboratory", "survey", "exam"}
    gap, unseen = [gap for page in pages for gap in page.gaps]
    assert (unseen.code, "[types.Observation] codes" in unseen.message) == ("uncategorised", True)
    assert "6 of 9 categories answered; refused: procedure, therapy, activity" in gap.message
    assert "[types.Observation] categories" in gap.message


def test_configured_categories_make_the_answer_whole_q2() -> None:
    """Q2: with the categories that the hospital knows there is no gap, and the next question fans out at once."""
    server = Server(_epic)
    types = {"Observation": TypeSettings(categories=("laboratory", "imaging"), codes=())}
    with server.open(types=types) as connection:
        first = list(division.answer(connection, _question("p1")))
        asked = len(server.asked)
        second = list(division.answer(connection, _question("p2")))
        note = connection.notes["Observation"]

    assert (_ids(first), _gaps(first)) == ({"laboratory", "imaging"}, [])
    assert (asked, len(server.asked) - asked, _gaps(second)) == (3, 2, [])
    assert note == "2 of 2 categories answered"


def test_what_carries_no_category_is_a_gap_until_somebody_says_how_it_is_asked_for_q2() -> None:
    """Q2: nobody has said whether there are records without a category: categories alone are no whole answer."""
    types = {"Observation": TypeSettings(categories=("laboratory", "imaging"))}

    assert _gaps(Server(_epic).pages(_question("p1"), types=types)) == ["uncategorised"]


def test_records_without_a_category_are_asked_for_by_the_codes_that_are_named_q2() -> None:
    """Q2: Epic shows a record without a category to nobody who does not name its code."""
    server = Server(_epic)
    types = {"Observation": TypeSettings(categories=("laboratory",), codes=("http://loinc.org|21889-1", "urn:x|y"))}
    with server.open(types=types) as connection:
        pages = list(division.answer(connection, _question("p1")))

        assert (_ids(pages), _gaps(pages)) == ({"laboratory", "without-category"}, [])
        assert connection.notes["Observation"] == "1 of 1 categories answered"
    assert [one.url.params.get("code") for one in server.asked][-1] == "http://loinc.org|21889-1,urn:x|y"


def test_strictness_is_asked_for_and_dropped_where_refused_q5() -> None:
    """Q5: `Prefer: handling=strict` goes along; a server that refuses because of it is asked without, from then on."""
    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        if "strict" in request.headers.get("prefer", ""):
            return _reply(outcome("not-supported"), 400)
        return _reply(bundle(record("Observation", "o1"), self_link=f"{BASE}/Observation?patient=p1"))

    server = Server(rule)
    with server.open() as connection:
        first = list(division.answer(connection, _question("p1")))
        count = len(server.asked)
        second = list(division.answer(connection, _question("p1")))

    assert (_ids(first), _gaps(first), _gaps(second)) == ({"o1"}, [], [])
    assert server.asked[0].headers["prefer"] == "handling=strict"
    assert [request.headers.get("prefer") for request in server.asked[count:]] == [None]


def _row(number: int, days: int = 30) -> dict[str, Any]:
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=days * number)
    return record("Observation", f"o{number}", "p1", meta={"lastUpdated": instants.written(at)})


def _within(row: dict[str, Any], bounds: list[str]) -> bool:
    at = row["meta"]["lastUpdated"]
    return all(at >= bound[2:] if bound.startswith("ge") else at < bound[2:] for bound in bounds)


def _bounds(request: httpx.Request, name: str = "_lastUpdated") -> list[str]:
    return [value for key, value in parse_qsl(request.url.query.decode()) if key == name]


def test_a_hard_cap_is_split_by_time_q8() -> None:
    """Q8: five rows and no next link although `total` says 40: halved by time until every part is whole."""
    rows = [_row(number) for number in range(40)]

    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        found = [row for row in rows if _within(row, _bounds(request))]
        return _reply(bundle(*found[:5], total=len(found), self_link=str(request.url)))

    pages = Server(rule).pages(_question("p1"))

    assert _ids(pages) == {f"o{number}" for number in range(40)}
    assert _gaps(pages) == []
    assert all(page.next is None for page in pages)


def test_a_cap_whose_span_is_ignored_stays_a_gap_q8() -> None:
    """Q8, Q5: where the server drops the span, halving leads nowhere; the answer is short, and that is said."""
    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        return _reply(bundle(_row(1), total=40, self_link=f"{BASE}/Observation?patient=p1"))

    server = Server(rule)
    pages = server.pages(_question("p1"))

    assert "short" in _gaps(pages)
    assert len(server.asked) < 20


@pytest.mark.parametrize("status", [500, 504])
def test_a_poison_record_is_isolated_by_time_q27(status: int) -> None:
    """Q27: a record that fails every page it is on is closed in to a second; all others are had; the slice is named."""
    rows = [_row(number) for number in range(12)]

    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        found = [row for row in rows if _within(row, _bounds(request))]
        if any(row["id"] == "o7" for row in found):
            return _reply(outcome("required", "fatal"), status)
        return _reply(bundle(*found, self_link=str(request.url)))

    pages = Server(rule).pages(_question("p1"))
    damages = [damage for page in pages for damage in page.damages]

    assert _ids(pages) == {f"o{number}" for number in range(12)} - {"o7"}
    assert _gaps(pages) == ["poison"]
    assert [damage.code for damage in damages] == ["poison_slice"]
    assert _row(7)["meta"]["lastUpdated"][:15] in damages[0].message  # to the minute: the span begins or ends there
    assert "p1" not in damages[0].message


def test_a_poison_record_among_patients_is_isolated_by_patient_first_q27() -> None:
    """Q27: without a time to cut by, the patient whose records fail is left; the others' are had."""
    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        patients = query["patient"].split(",")
        if "p3" in patients:
            return _reply(outcome("exception", "fatal"), 500)
        return _reply(bundle(*[record("Observation", f"o-{patient}", patient) for patient in patients]))

    pages = Server(rule, "patient").pages(_question("p1", "p2", "p3", "p4", "p5"))

    assert _ids(pages) == {"o-p1", "o-p2", "o-p4", "o-p5"}
    assert _gaps(pages) == ["poison"]


def test_dates_cut_what_has_no_last_updated_q15_q27() -> None:
    """Q15: a next link that always answers 500 leads to narrower questions, by date, and the undated besides."""
    dated = [record("Observation", f"o{number}", effectiveDateTime=f"20{number:02}-06-01") for number in range(24)]

    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        if query.get("date:missing") == "true":
            return _reply(bundle(record("Observation", "undated")))
        if "ct" in query:
            return _reply(outcome("exception"), 500)
        bounds = _bounds(request, "date")
        found = [row for row in dated if all(
            row["effectiveDateTime"] >= one[2:12] if one[:2] == "ge" else row["effectiveDateTime"] < one[2:12]
            for one in bounds)]
        more = f"{BASE}/Observation?ct=long" if len(found) > 4 else None
        return _reply(bundle(*found[:4], next_link=more))

    pages = Server(rule, "patient", "date").pages(_question("p1"))

    assert _ids(pages) == {f"o{number}" for number in range(24)} | {"undated"}
    assert _gaps(pages) == []


def test_every_search_asks_for_no_cached_answer_q16() -> None:
    """Q16: HAPI replays a search for a minute unless told `Cache-Control: no-cache`."""
    server = Server(lambda kind, query, request: _reply(bundle()))
    server.pages(_question("p1"))

    assert {request.headers["cache-control"] for request in server.asked} == {"no-cache"}


def _coverage(since_days: int, whole_days: int, mode: Any = "event_window") -> list[Coverage]:
    return [Coverage(type="Observation", patient="p1", mode=mode, since=NOON - timedelta(days=since_days),
                     whole_as_of=NOON - timedelta(days=whole_days))]


def _planned(types: dict[str, TypeSettings], coverage: list[Coverage], version: str = "R4") -> Question:
    asked = hospital(types=types, fhir_version=version)
    questions = plan.clinical(asked, Capability(), ["p1"], coverage, ["Observation", "MedicationAdministration"])
    return next(one for one in questions if one.type == "Observation")


def test_an_event_window_looks_back_q17() -> None:
    """Q17: without `_lastUpdated`, the event's own date since the last answer less the look-back (Epic, `date`)."""
    types = {"Observation": TypeSettings(since_mode="event_window", look_back=timedelta(days=90))}
    question = _planned(types, _coverage(since_days=10, whole_days=1))

    assert question.mode == "event_window"
    assert ("date", f"ge{instants.written(NOON - timedelta(days=91))}") in question.parameters


@pytest.mark.parametrize("coverage", [[], _coverage(40, 1), _coverage(10, 1, "last_updated")])
def test_an_event_window_is_read_whole_now_and_then_q17(coverage: list[Coverage]) -> None:
    """Q17: at first, after `full_every`, and after another mode, everything is read: edits of old records show then."""
    types = {"Observation": TypeSettings(since_mode="event_window")}

    assert _planned(types, coverage).parameters == (("patient", "p1"),)


def _oracle(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
    """Oracle's rules: no date beside _lastUpdated, each at most twice, `effective-time` with prefix and time part."""
    names = [key for key, _ in parse_qsl(request.url.query.decode())]
    if "_sort" in names or {"date", "_lastUpdated"} <= set(names) or any(names.count(one) > 2 for one in names):
        return _reply(outcome("not-supported"), 400)
    for value in _bounds(request, "effective-time"):
        if value[:2] not in ("ge", "gt", "le", "lt", "eq") or "T" not in value:
            return _reply(outcome("value"), 400)
    return _reply(bundle(record(kind, "o1")))


@pytest.mark.parametrize("kind", ["Observation", "MedicationAdministration"])
def test_oracles_rules_are_kept_q18(kind: str) -> None:
    """Q18: changes by `_lastUpdated` alone; MedicationAdministration by `effective-time` with prefix and time."""
    types = {"MedicationAdministration": TypeSettings(since_mode="event_window")}
    known = [Coverage(type=kind, patient="p1", mode="last_updated" if kind == "Observation" else "event_window",
                      since=NOON - timedelta(days=3), whole_as_of=NOON - timedelta(days=1))]
    lists = Capability(types={"Observation": TypeCapability(parameters=frozenset({"_lastUpdated"}))})
    [question] = plan.clinical(hospital(types=types), lists, ["p1"], known, [kind])
    pages = Server(_oracle, "patient", "_id", "date", "effective-time").pages(question, types=types)

    assert (_ids(pages), _gaps(pages)) == ({"o1"}, [])
    assert question.since is not None


def test_adverse_events_of_epic_go_by_subject_and_study_q34() -> None:
    """Q34: `subject`, not `patient`, and the hospital's own study id from its file."""
    types = {"AdverseEvent": TypeSettings(parameters={"study": "eStudy1,eStudy2"})}
    [question] = plan.clinical(hospital(types=types), Capability(), ["p1"], [], ["AdverseEvent"])

    assert question.parameters == (("subject", "p1"), ("study", "eStudy1,eStudy2"))


def test_parts_keep_no_next_link() -> None:
    """A run that is stopped in the middle of parts asks them again: one part's link would skip the others."""
    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        if "," in query.get("patient", ""):
            return _reply(outcome("too-costly"), 400)
        more = f"{BASE}/Observation?page=2&patient={query['patient']}" if "page" not in query else None
        return _reply(bundle(record("Observation", f"{query['patient']}-{query.get('page', 1)}", query["patient"]),
                             next_link=more))

    pages = Server(rule).pages(_question("p1", "p2"))

    assert _ids(pages) == {"p1-1", "p1-2", "p2-1", "p2-2"}
    assert {page.next for page in pages} == {None}




def _paged(count: int, poison: frozenset[int], status: int = 500) -> Server:
    """A server with so many rows in pages; each page that holds poison fails."""
    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        found = [number for number in range(count) if _within(_row(number, 2), _bounds(request))]
        start, size = int(query.get("_offset", 0)), int(query["_count"])
        part = found[start:start + size]
        if poison & set(part):
            return _reply(outcome("exception", "fatal"), status)
        base = str(request.url).split("&_offset")[0]
        more = f"{base}&_offset={start + size}" if start + size < len(found) else None
        return _reply(bundle(*[_row(number, 2) for number in part], next_link=more, self_link=base, total=len(found)))

    return Server(rule)


def test_an_estimate_is_no_cap_q6() -> None:
    """Q6: totals that are always one too many: the answer is short, said so, and not cut down to the last second."""
    def rule(kind: str, query: dict[str, str], request: httpx.Request) -> httpx.Response:
        found = [row for row in map(_row, range(5)) if _within(row, _bounds(request))]
        return _reply(bundle(*found, total=len(found) + 1, self_link=str(request.url)))

    server = Server(rule)
    with server.open() as connection:
        first = list(division.answer(connection, _question("p1")))
        asked = len(server.asked)
        second = list(division.answer(connection, _question("p2")))

    assert (set(_gaps(first)), set(_gaps(second))) == ({"short"}, {"short"})
    assert len(_ids(first)) == 5
    assert asked < 60
    assert len(server.asked) - asked <= 2


def test_parts_come_in_larger_pages_q27() -> None:
    """Q27: pages of 4 and a poison record near the end of 400: what is read again is read in pages that grow."""
    server = _paged(400, frozenset({390}))
    pages = server.pages(_question("p1"), pull={"page_size": 4})
    sizes = [int(request.url.params["_count"]) for request in server.asked]

    assert _ids(pages) == {f"o{number}" for number in range(400)} - {"o390"}
    assert _gaps(pages) == ["poison"]
    assert (min(sizes), max(sizes)) == (4, 200)
    # 98 pages until the first failure (tried 5 times); 50 for the first half, in pages of 8; then few and small ones.
    assert len(server.asked) < 300


def test_a_server_that_fails_for_want_of_time_gets_no_larger_pages_q27() -> None:
    """Q27: a gateway's 504 may be about the size of the answer: parts keep the page size that the hospital bears."""
    server = _paged(40, frozenset({30}), 504)
    server.pages(_question("p1"), pull={"page_size": 4})

    assert {request.url.params["_count"] for request in server.asked} == {"4"}


def test_cutting_has_an_end_q27(monkeypatch: pytest.MonkeyPatch) -> None:
    """Q27: every fifth record fails: what cutting costs is bounded, and that it was given up is named."""
    monkeypatch.setattr(division, "MAX_REQUESTS", 60)
    server = _paged(300, frozenset(range(0, 300, 5)))
    pages = server.pages(_question("p1"), pull={"page_size": 10})

    assert "too_many_parts" in _gaps(pages)
    assert len(server.asked) < 2 * 60 + 20  # a failure is tried twice, and no more are begun once the budget is spent
    assert len(_ids(pages)) > 0
