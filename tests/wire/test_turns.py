"""Whose turn it is to ask: leases over long waits and long answers, and runs that begin together."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import INCOMPLETE, LEASE_HELD, WHOLE, LeaseHeld
from fhir_adapter.sandbox.persona import Fault, Persona
from fhir_adapter.steps.leases import LEASE_TIME
from tests.databases import Databases
from tests.wire.place import small_hospital

FIVE_MINUTES = "300"


def test_waits_that_outlast_the_lease_do_not_lose_it(tmp_path: Path) -> None:
    """A hospital that wants five minutes, four times for one page: twenty minutes, and the lease lasts for ten."""
    slow = Fault(kind="throttled", on="page", type="Observation", retry_after=FIVE_MINUTES, times=4)
    with small_hospital(tmp_path, persona=Persona(faults=(slow,))) as place:
        began = place.clock()
        outcome = place.pull()

        assert place.clock() - began > LEASE_TIME
        assert (outcome.code, outcome.messages) == (WHOLE, ())


def test_waits_without_end_are_given_up_with_the_lease_in_hand(tmp_path: Path) -> None:
    """The same for ever: the run says what is missing (exit 3), and nobody has taken its lease meanwhile."""
    slow = Fault(kind="throttled", on="page", type="Observation", retry_after=FIVE_MINUTES, times=None)
    with small_hospital(tmp_path, persona=Persona(faults=(slow,))) as place:
        outcome = place.pull()
        with place.at_work() as work:
            free = work.vault.lease_holders(place.clock())

        assert outcome.code == 3
        assert any("429" in said for said in outcome.messages)
        assert free == {}


class Dripping(httpx.BaseTransport):
    """The network, but every piece of an export's file takes its time."""

    def __init__(self, passes: Callable[[float], None], seconds: float) -> None:
        self.passes, self.seconds = passes, seconds
        self.network = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Real answers; files in pieces."""
        response = self.network.handle_request(request)
        assert isinstance(response.stream, httpx.SyncByteStream)
        body = b"".join(response.stream)
        response.close()
        is_file = response.headers.get("content-type", "").startswith("application/fhir+ndjson")
        stream = _Pieces(body, self if is_file else None)
        return httpx.Response(response.status_code, headers=response.headers, stream=stream, request=request)

    def close(self) -> None:
        """Closes the network."""
        self.network.close()


class _Pieces(httpx.SyncByteStream):
    def __init__(self, body: bytes, slow: Dripping | None) -> None:
        self.body, self.slow = body, slow

    def __iter__(self) -> Iterator[bytes]:
        size = max(1, len(self.body) // 20)
        for start in range(0, len(self.body), size):
            if self.slow is not None:
                self.slow.passes(self.slow.seconds)
            yield self.body[start : start + size]


def test_a_file_that_takes_longer_than_the_lease_is_kept(tmp_path: Path) -> None:
    """An export's file that comes in for half an hour: the lease is renewed piece by piece."""
    with small_hospital(tmp_path) as place:
        began = place.clock()
        transport = Dripping(place.clock.forward, 90)
        with place.at_work(transport=transport, mode="bulk", timeout="2m") as work:
            outcome = flow.pull(work, []).hospitals[0]

        assert place.clock() - began > 2 * LEASE_TIME
        assert (outcome.code, outcome.messages) == (WHOLE, ())


def test_of_two_runs_over_two_hospitals_one_does_the_work(tmp_path: Path, database_urls: Databases) -> None:
    """Whoever is second finds every hospital taken, also those whose turn has not come, and asks nothing."""
    with small_hospital(tmp_path, databases=database_urls) as place:
        place.names = ("east", "west")
        second: list[tuple[list[int], int]] = []
        with place.at_work() as work, place.at_work() as other:
            def told(what: str, done: int, total: int) -> None:
                if done < total:
                    before = len(place.server.requests)
                    codes = [one.code for one in flow.pull(other, []).hospitals]
                    second.append((codes, len(place.server.requests) - before))

            first = flow.pull(work, [], told)
            after = flow.pull(other, [])

        assert [one.code for one in first.hospitals] == [WHOLE, WHOLE]
        assert [one.code for one in after.hospitals] == [WHOLE, WHOLE]
        assert len(second) > 1
        assert {(tuple(codes), asked) for codes, asked in second} == {((LEASE_HELD, LEASE_HELD), 0)}


def test_a_hospital_that_another_run_has_is_left_to_it_and_the_others_are_asked(tmp_path: Path) -> None:
    """`sync west` by hand beside the scheduled job: that one asks the rest."""
    with small_hospital(tmp_path) as place:
        place.names = ("east", "west")
        codes: dict[str, int] = {}
        with place.at_work() as work, place.at_work() as other:
            def told(what: str, done: int, total: int) -> None:
                if not codes:
                    codes.update({one.hospital: one.code for one in flow.pull(other, []).hospitals})

            flow.pull(work, ["west"], told)

        assert codes == {"east": WHOLE, "west": LEASE_HELD}


def test_doctor_and_plan_take_their_turn(tmp_path: Path) -> None:
    """While a run asks, they ask nothing: rate and concurrency are one budget for all processes."""
    with small_hospital(tmp_path) as place:
        found: list[Any] = []
        with place.at_work() as work, place.at_work() as other:
            def told(what: str, done: int, total: int) -> None:
                if not found:
                    before = len(place.server.requests)
                    examined = flow.doctor(other, ["west"])[0]
                    with pytest.raises(LeaseHeld, match="pull:west"):
                        flow.plan(other, "west")
                    found.append((examined.code, examined.findings[0].step, len(place.server.requests) - before))

            flow.pull(work, [], told)
            after = flow.doctor(other, ["west"])[0]

        assert found == [(LEASE_HELD, "turn", 0)]
        assert after.code == WHOLE


@pytest.mark.parametrize("quiet", [True, False])
def test_nobody_asks_a_hospital_that_wants_to_be_left_alone(tmp_path: Path, quiet: bool) -> None:
    """In its quiet hours, and after a Retry-After of an earlier process: sync, doctor and plan ask nothing."""
    long = Fault(kind="throttled", on="page", type="Observation", retry_after="3000", times=1)
    with small_hospital(tmp_path, persona=Persona(faults=() if quiet else (long,))) as place:
        settings: dict[str, Any] = {"quiet_hours": "11:00-13:00", "time_zone": "UTC"} if quiet else {}
        place.pull(**settings)
        before = len(place.server.requests)
        with place.at_work(**settings) as work:
            examined, planned, lines = flow.doctor(work, ["west"])[0], flow.plan(work, "west"), flow.status(work).lines
            flow.pull(work, [])

        assert len(place.server.requests) == before == (0 if quiet else before)
        assert (examined.code, examined.findings[0].step) == (INCOMPLETE, "turn")
        assert [one.words for one in planned] == [""]
        assert any("paused until 2026-07-01" in line for line in lines)
