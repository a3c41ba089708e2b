"""Pages that are broken, foreign or never come: neighbours land, what is missing is named, the next sync mends it."""

from collections.abc import Callable
from typing import Any

import httpx
import msgspec
import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import INCOMPLETE, UNAVAILABLE, WHOLE
from fhir_adapter.sandbox import Bearer, Fault, Persona
from tests.hostile.conftest import Open
from tests.hostile.ward import Ward, lab, on_search

LABS = "Observation"


def test_a_sound_ward_lands_whole(open_ward: Open) -> None:
    """Without any fault everything is a fact, nothing is open, and a second run finds nothing new."""
    with open_ward() as ward:
        assert_whole(ward, ward.sync())
        second = ward.sync()
        assert (second.code, second.counts.new) == (WHOLE, 0)


def assert_whole(ward: Ward, outcome: Any) -> None:
    """Every good record is a fact, nothing is missing, and the run says so."""
    assert ward.landed(*ward.good) == ward.good, outcome
    assert (outcome.code, ward.open_types(), ward.issues()) == (WHOLE, set(), set()), outcome


def others(ward: Ward) -> set[str]:
    """The good neighbours of another type than the one that goes wrong."""
    return {one for one in ward.good if not one.startswith(LABS)}


FAULTS = {
    "html": (Fault(kind="html", type=LABS), "not_fhir"),
    "truncated": (Fault(kind="truncated", type=LABS), "truncated"),
    "broken off": (Fault(kind="cut_off", type=LABS, times=5), "failed"),
    "suppressed": (Fault(kind="outcome", type=LABS, code="suppressed"), "suppressed"),
    "500": (Fault(kind="error", type=LABS, times=None), "failed"),
    "truncated page 2": (Fault(kind="truncated", type=LABS, page=2), "truncated"),
    "same link": (Fault(kind="same_next", type=LABS, times=None), "link_loop"),
    "403": (Fault(kind="error", type=LABS, status=403, code="forbidden"), "refused"),
    "a long pause": (Fault(kind="throttled", type=LABS, retry_after="7200"), "paused"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_page_that_fails_leaves_its_window_open_and_the_next_run_mends_it(open_ward: Open, name: str) -> None:
    """The other types go on, exit 3, the type is open; once the fault is gone, a run makes everything whole."""
    fault, code = FAULTS[name]
    with open_ward(persona=Persona(faults=(fault,)), pull={"page_size": 2}) as ward:
        broken = ward.sync()
        assert broken.code == INCOMPLETE, broken
        assert any(f"({code})" in message for message in broken.messages), broken
        assert LABS in ward.open_types()
        assert code in ward.issues()
        ward.rehearsal.play(Persona())
        if name == "a long pause":  # nothing more is asked of that server until it is over, in no run
            again = ward.sync()
            assert (again.code, again.counts.fetched) == (INCOMPLETE, 0)
            return
        assert ward.landed(*others(ward)) == others(ward)

        mended = ward.sync()
        if ward.damages():  # the half record of a page that ended early waits for somebody to see it
            ward.acknowledge()
            mended = ward.sync()
        assert_whole(ward, mended)


PASSING = {
    "never a link": Fault(kind="no_next", type=LABS, times=None),  # parts are asked in one larger page each
    "expired for good": Fault(kind="expired", type=LABS, page=2, times=None),
    "429": Fault(kind="throttled", type=LABS, retry_after="7", times=2),
    "503": Fault(kind="error", type=LABS, status=503, code="transient", times=2),
    "expired once": Fault(kind="expired", type=LABS, page=2),
    "no link once": Fault(kind="no_next", type=LABS),
    "warning": Fault(kind="outcome", type=LABS, code="informational", times=None),
}


@pytest.mark.parametrize("name", PASSING)
def test_a_fault_that_passes_costs_nothing_but_time(open_ward: Open, name: str) -> None:
    """Throttling is waited for as long as it asks, an expired cursor starts again, a warning is no data."""
    with open_ward(persona=Persona(faults=(PASSING[name],)), pull={"page_size": 2}) as ward:
        assert_whole(ward, ward.sync())
        assert name != "429" or sum(7 <= seconds < 8 for seconds in ward.slept) == 2


def test_an_error_without_end_is_incomplete_each_time(open_ward: Open) -> None:
    """A type that answers 500 for ever stays open since the first time; the others stay whole."""
    always = Fault(kind="error", type=LABS, times=None)
    with open_ward(persona=Persona(faults=(always,))) as ward:
        assert ward.sync().code == INCOMPLETE
        since = {row.open_since for row in flow.status(ward.work).completeness if row.type == LABS}
        assert ward.sync().code == INCOMPLETE
        assert {row.open_since for row in flow.status(ward.work).completeness if row.type == LABS} == since
        assert ward.open_types() == {LABS}
        ward.rehearsal.play(Persona())
        assert_whole(ward, ward.sync())


def test_a_refused_type_is_named_and_the_others_land(open_ward: Open) -> None:
    """403 for one type: exit 3 and an open window, not the end of the run."""
    with open_ward(persona=Persona(refused=frozenset({"AdverseEvent"}))) as ward:
        outcome = ward.sync()
        assert (outcome.code, ward.open_types()) == (INCOMPLETE, {"AdverseEvent"}), outcome
        assert any("AdverseEvent" in message and "(refused)" in message for message in outcome.messages)
        ward.rehearsal.play(Persona())
        assert_whole(ward, ward.sync())


@pytest.mark.parametrize("when", ["from the beginning", "after a good run"])
@pytest.mark.parametrize("how", ["401", "silence", "metadata is HTML"])
def test_a_hospital_that_gives_nothing_at_all_is_unavailable(open_ward: Open, when: str, how: str) -> None:
    """401 on everything, a dead server, a proxy's page: exit 5, and what was whole is open until it is back."""

    def deaf(request: httpx.Request, body: bytes) -> bytes | httpx.Response:
        if how == "silence":
            raise httpx.ConnectError("nobody is there", request=request)
        if how == "401":
            return httpx.Response(401, content=b"")
        return b"<html>Sign in</html>"

    with open_ward() as ward:
        if when == "after a good run":
            assert_whole(ward, ward.sync())
        ward.between.tricks.append(deaf)
        outcome = ward.sync()
        assert outcome.code == UNAVAILABLE, outcome
        assert outcome.messages
        if when == "after a good run":
            assert {LABS, "AdverseEvent", "MedicationAdministration"} <= ward.open_types()
            assert ward.landed(*ward.good) == ward.good
        ward.between.tricks.clear()
        assert_whole(ward, ward.sync())


def changed(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    """A page with its Bundle changed."""

    def apply(body: bytes) -> bytes:
        bundle = msgspec.json.decode(body)
        change(bundle)
        return msgspec.json.encode(bundle)

    return apply


def foreign_link(bundle: dict[str, Any]) -> None:
    """The next page is said to be at somebody else's."""
    bundle["link"] = [{"relation": "next", "url": "https://elsewhere.example/fhir/Observation?page=2"}]


def test_a_link_to_another_origin_is_not_followed(open_ward: Open) -> None:
    """What stands on the page lands; the rest is missing and named; nobody else hears of us."""
    with open_ward() as ward:
        ward.between.tricks.append(on_search(LABS, changed(foreign_link)))
        outcome = ward.sync()
        assert (outcome.code, ward.open_types(), ward.issues()) == (INCOMPLETE, {LABS}, {"off_origin"}), outcome
        assert ward.landed(*ward.good) == ward.good
        ward.between.tricks.clear()
        assert_whole(ward, ward.sync())


def test_a_count_beyond_what_is_given_is_no_whole_answer(open_ward: Open) -> None:
    """`total` above the rows and no next link: what is there lands, the window stays open."""
    with open_ward() as ward:
        ward.between.tricks.append(on_search(LABS, changed(lambda bundle: bundle.update(total=99))))
        outcome = ward.sync()
        assert (outcome.code, ward.issues()) == (INCOMPLETE, {"short"}), outcome
        assert ward.landed(*ward.good) == ward.good
        ward.between.tricks.clear()
        assert_whole(ward, ward.sync())


@pytest.mark.parametrize("size", ["a page beyond 64 MB", "an empty answer", "a single resource", "null", "a list"])
def test_what_is_no_bundle_leaves_the_window_open(open_ward: Open, size: str) -> None:
    """None of it is an answer to a search."""
    bodies = {"a page beyond 64 MB": b" " * (64 * 1024 * 1024 + 1), "an empty answer": b"", "null": b"null",
              "a single resource": b'{"resourceType":"Observation","id":"zz-x"}', "a list": b"[1, 2]"}
    with open_ward() as ward:
        ward.between.tricks.append(on_search(LABS, lambda body: bodies[size]))
        outcome = ward.sync()
        assert (outcome.code, ward.open_types()) == (INCOMPLETE, {LABS}), outcome
        assert ward.landed(*others(ward)) == others(ward)
        ward.between.tricks.clear()
        assert_whole(ward, ward.sync())


def test_a_record_of_another_type_in_a_page_is_kept_and_said(open_ward: Open) -> None:
    """A Condition among the Observations is a member's record: it is kept, and the run says what came unasked."""
    with open_ward() as ward:
        stray = {"resourceType": "Condition", "id": "zz-stray", "code": {"text": "zz-odd"},
                 "subject": {"reference": f"Patient/{ward.person()}"}}
        ward.between.tricks.append(on_search(LABS, changed(
            lambda bundle: bundle["entry"].append({"resource": stray}))))
        outcome = ward.sync()
        assert any("another type" in message for message in outcome.messages), outcome
        key = ward.work.vault.key(ward.name, "Condition", "zz-stray")
        assert [one.kind for one in ward.work.vault.versions_of([key])][:1] == ["content"]
        assert ward.landed(*ward.good) == ward.good


def test_a_record_damaged_on_its_way_is_asked_for_again(open_ward: Open) -> None:
    """Bytes that a proxy mangles once are in quarantine; the next run has the record, though nobody edited it."""
    with open_ward(people=1) as ward:
        broken = f"{ward.person()}-l3"
        ward.rehearsal.edit(lab(ward.person(), "later", day=9))  # hours after the others
        ward.between.tricks.append(on_search(LABS, lambda body: body.replace(
            f'"id":"{broken}"'.encode(), b'"id":\x00')))
        outcome = ward.sync()
        assert (outcome.code, ward.damages()) == (INCOMPLETE, ["malformed_json"]), outcome
        assert ward.landed(*ward.good) == ward.good - {f"{LABS}/{broken}"}
        ward.between.tricks.clear()
        ward.sync()
        ward.acknowledge()
        assert_whole(ward, ward.sync())


def test_a_record_dated_into_the_future_hides_nothing(open_ward: Open) -> None:
    """One lastUpdated in 2999 must not make us ask for changes since 2999."""
    with open_ward(people=1) as ward:
        ward.plant(lab(ward.person(), "future", meta={"versionId": "1", "lastUpdated": "2999-01-01T00:00:00Z"}))
        ward.sync()
        ward.plant(lab(ward.person(), "today", meta={"versionId": "1", "lastUpdated": "2026-10-01T00:00:00Z"}))
        ward.sync()
        assert ward.landed(f"{LABS}/{ward.person()}-today")


def test_401_in_the_middle_keeps_what_has_landed(open_ward: Open) -> None:
    """Credentials that end during a run: exit 5, what was asked before is kept, the next run is whole."""
    with open_ward() as ward:
        ward.between.tricks.append(on_search("AdverseEvent", lambda body: httpx.Response(401, content=b"")))
        outcome = ward.sync()
        assert outcome.code == UNAVAILABLE, outcome
        assert ward.landed(*ward.good)
        ward.between.tricks.clear()
        assert_whole(ward, ward.sync())


def test_the_sandbox_itself_can_refuse_us(open_ward: Open) -> None:
    """A server that wants a token from a hospital file that has none: exit 5."""
    with open_ward() as ward:
        ward.rehearsal.reception.guard.auth = Bearer("another")
        assert ward.sync().code == UNAVAILABLE


def test_a_late_correction_lands_beside_a_type_that_fails(open_ward: Open) -> None:
    """What is new in other types is not held up by the one that fails."""
    with open_ward() as ward:
        assert_whole(ward, ward.sync())
        ward.rehearsal.play(Persona(faults=(Fault(kind="error", type="AdverseEvent", times=None),)))
        ward.rehearsal.edit(lab(ward.person(), "late", day=9))
        assert ward.sync().code == INCOMPLETE
        assert ward.landed(f"{LABS}/{ward.person()}-late")
