"""Search: paging to the true end, ignored filters, drift, refusals. Quirks by their numbers in facts/quirks.md."""

from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from fhir_adapter.core.errors import HospitalUnavailable, NotAllowed
from fhir_adapter.core.windows import Page, Question
from fhir_adapter.wire import search
from tests.wire.hospital import BASE, Script, asking, bundle, capability, hospital, outcome, record

ONE = "Observation?patient=p1&_sort=_id&_count=50"
TWO = "Observation?patient=p1,p2&_sort=_id&_count=50"


def _question(*patients: str, kind: str = "Observation", **changes: Any) -> Question:
    name = "subject" if kind == "AdverseEvent" else "patient"
    return Question(**{"type": kind, "patients": patients, "parameters": ((name, ",".join(patients)),), **changes})


def _ids(pages: list[Page]) -> list[str]:
    return [entry.id for page in pages for entry in page.entries]


def _gaps(pages: list[Page]) -> list[str]:
    return [gap.code for page in pages for gap in page.gaps]


def _ask(script: Script, question: Question, **options: Any) -> list[Page]:
    with asking(script, **options) as connection:
        return list(search.pages(connection, question))


def test_an_outcome_entry_is_no_record_q1() -> None:
    """Q1: an OperationOutcome in a searchset goes to outcomes and is never counted as data."""
    script = Script()
    warning = outcome("processing", "warning", details={"text": "may not contain the entire record"})
    script.expect(ONE, bundle(record("Observation", "o1"), warning, total=1))

    [page] = _ask(script, _question("p1"))

    assert _ids([page]) == ["o1"]
    assert [(found.severity, found.code) for found in page.outcomes] == [("warning", "processing")]
    assert page.gaps == ()


def test_suppressed_records_leave_a_gap_q1() -> None:
    """Q1: Oracle's `suppressed` says that records were left out: the answer is known to be incomplete."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), outcome("suppressed", "warning")))

    assert _gaps(_ask(script, _question("p1"))) == ["suppressed"]


@pytest.mark.parametrize(("status", "code"), [(403, "forbidden"), (404, "not-found"), (400, "invalid"),
                                              (400, "required")])
def test_a_refused_type_is_a_value_q2_q3(status: int, code: str) -> None:
    """Q2, Q3: a refusal of one type is a Gap of its answer, so that other types are still asked."""
    script = Script()
    plain = "Observation?patient=p1&_count=50"
    script.expect(ONE, outcome(code), status=status)
    if code == "invalid":  # simpler words are tried: without sorting, without strictness, without both
        script.expect(plain, *[outcome(code)] * 2, status=status)
        script.expect(ONE, outcome(code), status=status)

    [page] = _ask(script, _question("p1"))

    assert _gaps([page]) == ["refused"]
    assert code in page.gaps[0].message


def test_401_ends_the_run_q3() -> None:
    """Q3: 401 is not about one type; it stops the hospital's run, and the text names no patient."""
    script = Script()
    script.expect(ONE, *[outcome("login")] * 2, status=401)

    with asking(script) as connection, pytest.raises(NotAllowed, match="West hospital") as caught:
        list(search.pages(connection, _question("p1")))

    assert "p1" not in str(caught.value)


def test_an_ignored_patient_filter_is_seen_in_the_self_link_q5() -> None:
    """Q5: a self link without `patient` says that the filter was dropped, even when the first rows look right."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), self_link=f"{BASE}/Observation?_count=50"))

    [page] = _ask(script, _question("p1"))

    assert page.honoured is False
    assert _ids([page]) == ["o1"]


def test_foreign_subjects_show_an_ignored_filter_trap_4() -> None:
    """Trap 4: sekmet-fhir answers `AdverseEvent?subject=p1` with everyone's; the caller is told to check."""
    script = Script()
    script.expect("AdverseEvent?subject=p1&_count=50",
                  bundle(record("AdverseEvent", "a1"), record("AdverseEvent", "a2", "p9"),
                         self_link=f"{BASE}/AdverseEvent?subject=p1"))

    [page] = _ask(script, _question("p1", kind="AdverseEvent"))

    assert page.honoured is False
    assert _ids([page]) == ["a1", "a2"]


def test_an_ignored_filter_can_be_refused() -> None:
    """`pull.unfiltered = "refuse"`: a hospital that ignores the filter gives nothing, and that is said."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1", "p9")))

    pages = _ask(script, _question("p1"), settings=hospital(pull={"unfiltered": "refuse"}))

    assert (_ids(pages), _gaps(pages)) == ([], ["unfiltered"])


def test_an_empty_answer_is_whole_q6() -> None:
    """Q6: no `entry`, no `total`: nothing there, and nothing missing."""
    script = Script()
    script.expect(ONE, bundle())

    pages = _ask(script, _question("p1"))

    assert (_ids(pages), _gaps(pages)) == ([], [])


def test_an_expired_cursor_starts_again_q7() -> None:
    """Q7: 410 on a next link is not the end of the data."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), next_link=f"{BASE}?_getpages=dead"),
                  bundle(record("Observation", "o1"), next_link=f"{BASE}?_getpages=live"))
    script.expect(f"{BASE}?_getpages=dead", outcome("not-found"), status=410)
    script.expect(f"{BASE}?_getpages=live", bundle(record("Observation", "o2")))

    pages = _ask(script, _question("p1"))

    assert (set(_ids(pages)), _gaps(pages)) == ({"o1", "o2"}, [])


def test_a_cursor_that_always_expires_leaves_a_gap_q7() -> None:
    """Q7: after four readings the answer is said to be incomplete."""
    script = Script()
    first = bundle(record("Observation", "o1"), next_link=f"{BASE}?_getpages=dead")
    script.expect(ONE, *[first] * search.MAX_PASSES)
    script.expect(f"{BASE}?_getpages=dead", *[outcome("not-found")] * search.MAX_PASSES, status=404)

    assert _gaps(_ask(script, _question("p1"))) == ["cursor_lost"]


def test_a_lost_kept_link_starts_from_the_beginning_q7() -> None:
    """Q7: a next link kept from an earlier run that no longer lives costs nothing but a new reading."""
    script = Script()
    script.expect(f"{BASE}?_getpages=old", outcome("not-found"), status=410)
    script.expect(ONE, bundle(record("Observation", "o1")))

    with asking(script) as connection:
        pages = list(search.pages(connection, _question("p1"), resume=f"{BASE}?_getpages=old"))

    assert (_ids(pages), _gaps(pages)) == (["o1"], [])


def test_a_capped_answer_is_short_q8() -> None:
    """Q8: HAPI stops at 10,000 without a next link while `total` says more: incomplete, loudly."""
    script = Script()
    script.expect(ONE, *[bundle(record("Observation", "o1"), total=3)] * 2)

    pages = _ask(script, _question("p1"))

    assert (set(_ids(pages)), _gaps(pages)) == ({"o1"}, ["short"])


def test_a_link_loop_is_named_q10() -> None:
    """Q10a: the same next link forever ends with its name, not never."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), next_link=f"{BASE}/Observation?page=2"))
    script.expect("Observation?page=2",
                  bundle(record("Observation", "o2"), next_link=f"{BASE}/Observation?page=2"))

    pages = _ask(script, _question("p1"))

    assert (_ids(pages), _gaps(pages)) == (["o1", "o2"], ["link_loop"])


def test_an_empty_page_with_a_next_link_is_followed_q10() -> None:
    """Q10c: an empty page may have data behind it; only an absent next link ends an answer."""
    script = Script()
    script.expect(ONE, bundle(next_link=f"{BASE}/Observation?page=2"))
    script.expect("Observation?page=2", bundle(record("Observation", "o1")))

    assert _ids(_ask(script, _question("p1"))) == ["o1"]


def test_relative_links_keep_their_bytes_q11() -> None:
    """Q11: relative and pre-encoded links are joined to the answer's address and sent as they came."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), next_link="Observation?ct=eyJvIjoyMH0%3D%3D"))
    script.expect("Observation?ct=eyJvIjoyMH0==", bundle(record("Observation", "o2")))

    pages = _ask(script, _question("p1"))

    assert _ids(pages) == ["o1", "o2"]
    assert script.requests[-1].url.raw_path == b"/r4/Observation?ct=eyJvIjoyMH0%3D%3D"


def test_a_next_link_off_origin_is_not_followed_q12() -> None:
    """Q12: a link to another host gets neither a request nor our token; the answer is incomplete."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), next_link="http://ms-fhir.cluster.local/Observation?page=2"))

    pages = _ask(script, _question("p1"))

    assert (_ids(pages), _gaps(pages)) == (["o1"], ["off_origin"])
    assert script.asked == [ONE]


def test_drifting_offsets_are_read_again_q13_trap_1() -> None:
    """Q13, trap 1: as many rows as `total` says, but one twice and so one missing: read until all are there."""
    script = Script()
    second = f"{BASE}/Observation?_offset=2"
    first = bundle(record("Observation", "o1"), record("Observation", "o2"), next_link=second, total=4)
    script.expect(ONE, first, first)
    script.expect("Observation?_offset=2",
                  bundle(record("Observation", "o2"), record("Observation", "o4"), total=4),
                  bundle(record("Observation", "o3"), record("Observation", "o4"), total=4))

    pages = _ask(script, _question("p1"))

    assert (set(_ids(pages)), _gaps(pages)) == ({"o1", "o2", "o3", "o4"}, [])


def test_deletes_while_paging_are_read_again_trap_1() -> None:
    """Trap 1: deleted rows shift live ones past us, also with `_sort=_id`; a changing `total` gives it away."""
    script = Script()
    second = f"{BASE}/Observation?_offset=2"
    script.expect(ONE, bundle(record("Observation", "o1"), record("Observation", "o2"), next_link=second, total=4),
                  bundle(record("Observation", "o2"), record("Observation", "o3"), next_link=second, total=3))
    script.expect("Observation?_offset=2", bundle(record("Observation", "o4"), total=3),
                  bundle(record("Observation", "o4"), total=3))

    pages = _ask(script, _question("p1"))

    assert (set(_ids(pages)), _gaps(pages)) == ({"o1", "o2", "o3", "o4"}, [])


def test_a_server_that_always_repeats_records_is_believed_in_the_end_q13() -> None:
    """Q13: Oracle may give a record on two pages for good; a second reading without anything new settles it."""
    script = Script()
    first = bundle(record("Observation", "o1"), record("Observation", "o2"), next_link=f"{BASE}/Observation?page=2")
    script.expect(ONE, first, first)
    script.expect("Observation?page=2", *[bundle(record("Observation", "o2"), record("Observation", "o3"))] * 2)

    pages = _ask(script, _question("p1"))

    assert (set(_ids(pages)), _gaps(pages)) == ({"o1", "o2", "o3"}, [])


def test_records_that_never_hold_still_leave_a_gap_trap_1() -> None:
    """Trap 1: a count that changes in each of four readings is said, not believed."""
    script = Script()
    for number in range(search.MAX_PASSES):
        script.expect(ONE, bundle(record("Observation", "o1"), next_link=f"{BASE}/Observation?_offset=1", total=3))
        script.expect("Observation?_offset=1", bundle(record("Observation", f"o{number}x"), total=2))

    assert _gaps(_ask(script, _question("p1"))) == ["short"]


def test_a_resumed_answer_is_counted_from_its_beginning_trap_1() -> None:
    """Trap 1: the tail of an answer proves nothing about its beginning; where the server counts, all is read again."""
    script = Script()
    tail = f"{BASE}/Observation?_offset=1"
    script.expect("Observation?_offset=1", *[bundle(record("Observation", "o2"), total=2)] * 2)
    script.expect(ONE, bundle(record("Observation", "o1"), next_link=tail, total=2))

    with asking(script) as connection:
        pages = list(search.pages(connection, _question("p1"), resume=tail))

    assert (_ids(pages), _gaps(pages)) == (["o2", "o1", "o2"], [])


def test_a_steady_answer_of_several_pages_is_read_once_q14() -> None:
    """Q14: short pages are not the end, and no sign of drift means no second reading."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), next_link=f"{BASE}/Observation?page=2", total=3))
    script.expect("Observation?page=2", bundle(record("Observation", "o2"), record("Observation", "o3"), total=3))

    assert _ids(_ask(script, _question("p1"))) == ["o1", "o2", "o3"]


def test_searches_are_not_answered_from_a_cache_q16() -> None:
    """Q16: HAPI repeats an identical search's answer for a minute unless told not to."""
    script = Script()
    script.expect(ONE, bundle())

    _ask(script, _question("p1"))

    assert script.requests[-1].headers["cache-control"] == "no-cache"
    assert script.requests[-1].headers["accept"] == "application/fhir+json"


def test_a_refused_since_falls_back_to_everything_q17() -> None:
    """Q17: where `_lastUpdated` is refused, everything is read again instead."""
    script = Script()
    since = "Observation?patient=p1&_lastUpdated=ge2026-01-01T00:00:00.000Z"
    script.expect(f"{since}&_sort=_id&_count=50", outcome("not-supported"), status=400)
    script.expect(f"{since}&_count=50", outcome("not-supported"), status=400)
    script.expect(ONE, *[bundle(record("Observation", "o1"))] * 2)
    question = _question("p1", since=datetime(2026, 1, 1, tzinfo=UTC), mode="last_updated",
                         parameters=(("patient", "p1"), ("_lastUpdated", "ge2026-01-01T00:00:00.000Z")))

    pages = _ask(script, question)

    assert (_ids(pages), _gaps(pages)) == (["o1"], [])


def test_a_cursor_as_self_link_says_nothing_q5() -> None:
    """Q5: only the first page's self link repeats the question; a later one may be an opaque cursor."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), self_link=f"{BASE}/{ONE}", next_link=f"{BASE}?page=abc"))
    script.expect(f"{BASE}?page=abc", bundle(record("Observation", "o2"), self_link=f"{BASE}?page=abc"))

    assert [page.honoured for page in _ask(script, _question("p1"))] == [True, True]


def test_a_refused_study_filter_is_left_out() -> None:
    """STU3's ResearchSubject has no search parameter `study`: all are read, and who asks checks their study."""
    script = Script()
    for address in ("ResearchSubject?study=s1&_sort=_id&_count=50", "ResearchSubject?study=s1&_count=50"):
        script.expect(address, outcome("invalid"), status=400)
    script.expect("ResearchSubject?_sort=_id&_count=50", *[bundle(record("ResearchSubject", "r1"))] * 2)
    statement = capability("_id", ResearchSubject="search-type")

    pages = _ask(script, Question(type="ResearchSubject", parameters=(("study", "s1"),)), statement=statement)

    assert (_ids(pages), _gaps(pages)) == (["r1"], [])


def test_next_links_are_absolute_and_none_where_they_lead_nowhere() -> None:
    """A kept link can be asked again by itself; one that loops is not kept, or each resumption would loop again."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), next_link="?page=2"))
    script.expect("Observation?page=2", bundle(record("Observation", "o2"), next_link="?page=2"))

    assert [page.next for page in _ask(script, _question("p1"))] == [f"{BASE}/Observation?page=2", None]


def test_a_server_that_fails_while_we_look_for_words_leaves_a_gap() -> None:
    """400, then nothing but 503: a Gap like any other, no exception."""
    script = Script()
    script.expect(ONE, outcome("invalid"), status=400)
    script.expect("Observation?patient=p1&_count=50", *[b""] * 5, status=503)

    assert _gaps(_ask(script, _question("p1"))) == ["refused"]


def test_a_refused_list_is_asked_one_by_one() -> None:
    """A server that refuses `patient=a,b` is asked for each, and the next list is not tried again in this run."""
    script = Script()
    script.expect(TWO, outcome("invalid"), status=400)
    script.expect("Observation?patient=p1,p2&_count=50", outcome("invalid"), status=400)
    script.expect(ONE, *[bundle(record("Observation", "o1"))] * 3)
    script.expect("Observation?patient=p2&_sort=_id&_count=50", *[bundle(record("Observation", "o2", "p2"))] * 2)

    with asking(script) as connection:
        first = list(search.pages(connection, _question("p1", "p2")))
        second = list(search.pages(connection, _question("p1", "p2")))

    assert _ids(first) == _ids(second) == ["o1", "o2"]
    assert _gaps(first + second) == []


def test_a_page_that_keeps_failing_leaves_a_gap_q27() -> None:
    """Q27: five tries of a next page, then the answer is incomplete; what came before is kept."""
    script = Script()
    script.expect(ONE, bundle(record("Observation", "o1"), next_link=f"{BASE}/Observation?page=2"))
    script.expect("Observation?page=2", *[b"<html>504</html>"] * 5, status=504)

    pages = _ask(script, _question("p1"))

    assert (_ids(pages), _gaps(pages)) == (["o1"], ["failed"])
    assert len(script.waits) == 4


def test_a_lasting_500_is_not_repeated_q27() -> None:
    """Q27: Oracle's 500 `required` for a record that lacks a field never heals; it is asked once."""
    script = Script()
    script.expect(ONE, outcome("required", "fatal"), status=500)

    assert _gaps(_ask(script, _question("p1"))) == ["refused"]
    assert script.waits == []


@pytest.mark.parametrize(("body", "headers", "gap"), [
    (b"<!DOCTYPE html><title>Sign in</title>", {"content-type": "text/html"}, "not_fhir"),
    (b"<html/>", {}, "not_fhir"),
    (b"", {}, "not_fhir"),
    (b"[1, 2]", {}, "not_fhir"),
    (b"\x00\x01 no JSON", {}, "not_fhir"),
    (b'{"resourceType":"OperationOutcome","issue":[{"severity":"error","code":"exception"}]}', {}, "unexpected_answer"),
    (b'{"resourceType":"Patient","id":"p1"}', {}, "unexpected_answer"),
    (b'{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"Observation","id":"o1"}},{"r', {}, "truncated"),
])
def test_a_strange_200_is_a_gap(body: bytes, headers: dict[str, str], gap: str) -> None:
    """HTML, nothing, something else, or half a page with status 200: said plainly, never taken for an empty answer."""
    script = Script()
    script.expect(ONE, body, headers=headers)

    assert _gaps(_ask(script, _question("p1"))) == [gap]


def test_records_of_another_type_are_noticed() -> None:
    """A resource of a type that nobody asked for is passed on under its own type, with a warning."""
    script = Script()
    script.expect(ONE, bundle({"resourceType": "Patient", "id": "p1"}))

    [page] = _ask(script, _question("p1"))

    assert [(entry.type, entry.id) for entry in page.entries] == [("Patient", "p1")]
    assert [found.code for found in page.outcomes] == ["unexpected-type"]


def test_damage_keeps_its_bytes_only_where_the_filter_was_honoured() -> None:
    """Bytes that cannot be read may be about anybody, unless the server filtered by our patient."""
    bad = (b'{"resourceType":"Bundle","link":[%s],'
           b'"entry":[{"resource":{"resourceType":"Observation","id":"o1","n":01}}]}')
    honoured, ignored = Script(), Script()
    honoured.expect(ONE, bad % b"")
    ignored.expect(ONE, bad % b'{"relation":"self","url":"Observation?_count=50"}')

    [kept] = _ask(honoured, _question("p1"))
    [digest] = _ask(ignored, _question("p1"))

    assert b'"n":01' in kept.damages[0].body
    assert digest.damages[0].body == b""
    assert digest.damages[0].sha256 == kept.damages[0].sha256
    assert digest.damages[0].length == len(kept.damages[0].body)


def test_a_dead_server_is_not_asked_everything() -> None:
    """Three questions without any answer, each tried five times, end the hospital's run."""
    script = Script()
    script.expect(ONE, *[httpx.ConnectError("refused") for _ in range(15)])

    with asking(script) as connection:
        for _ in range(2):
            assert _gaps(list(search.pages(connection, _question("p1")))) == ["failed"]
        with pytest.raises(HospitalUnavailable, match="no answer to 3 requests"):
            list(search.pages(connection, _question("p1")))


def test_without_a_listed_id_parameter_nothing_is_sorted() -> None:
    """`_sort=_id` is asked only of servers that list `_id`."""
    script = Script()
    script.expect("Observation?patient=p1&_count=50", bundle())

    assert _gaps(_ask(script, _question("p1"), statement=capability("patient"))) == []
