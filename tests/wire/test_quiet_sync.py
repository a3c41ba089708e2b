"""How far back patients are asked when little has changed: tight, and nothing is lost (docs/decisions/0006)."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import WHOLE
from fhir_adapter.core.windows import WindowState
from fhir_adapter.sandbox.persona import Fault, Persona
from fhir_adapter.sandbox.switches import Paging
from fhir_adapter.wire import instants
from tests.databases import Databases
from tests.sandbox.build import NOON, observation
from tests.wire.place import Place, small_hospital

LATE, OVERLAP = timedelta(days=2), timedelta(minutes=10)
A_MOMENT = timedelta(seconds=1)
"""So long an answer takes at most, under a clock that the rate moves by milliseconds."""

LIVE = Persona(paging=Paging(style="offset"))
"""Pages show the records as they are when each page is asked for."""


def _at(days: float) -> str:
    """An instant so many days before NOON."""
    return instants.written(NOON - timedelta(days=days))


def _seen(id_: str, patient: str, days: float) -> dict[str, Any]:
    return observation(id_, patient, _at(days), status="final", code={"text": "x"})


def _since(place: Place, type: str = "Observation") -> datetime | None:
    """From when the last question about a type asked; None: in full."""
    last = [seen for seen in place.server.requests if seen.path.endswith(f"/{type}")][-1]
    written = dict(last.query).get("_lastUpdated")
    return instants.read(unquote(written).removeprefix("ge")) if written is not None else None


def test_a_quiet_sync_brings_the_last_two_days_alone(tmp_path: Path, database_urls: Databases) -> None:
    """One patient was here yesterday, the other last year with thirty records: they are not sent again."""
    old = [_seen(f"old{number}", "p2", 365) for number in range(30)]
    with small_hospital(tmp_path, *old, _seen("new", "p1", 1), databases=database_urls) as place:
        first = place.pull()
        place.clock.forward(3600)
        place.pull()
        place.clock.forward(3600)
        quiet = place.pull()

        assert first.counts.new > 30
        assert quiet.counts.new == 0
        assert _since(place) == pytest.approx(NOON - timedelta(days=1) - LATE, abs=A_MOMENT)
        clinical = quiet.counts.fetched - 2 - 1  # without the two Patients and the Group, which are read each time
        assert clinical == 1


@pytest.mark.parametrize(("days", "come"), [(2.9, True), (0.5, True), (3.1, False)])
def test_a_record_that_appears_late(tmp_path: Path, days: float, come: bool) -> None:
    """Up to two days behind the hospital's newest it is found by the next sync; later by the weekly count alone."""
    with small_hospital(tmp_path, _seen("new", "p1", 1), _seen("old", "p2", 365)) as place:
        place.pull()
        place.pull()
        place.server.plant(json.dumps(_seen("late", "p2", days)).encode())
        place.pull()

        assert ("late" in place.kept("Observation")) is come


def test_a_patients_own_newest_record_outruns_that(tmp_path: Path) -> None:
    """Where the hospital has been quiet for long, a patient is asked since the own newest record less the overlap."""
    with small_hospital(tmp_path, _seen("new", "p1", 20), _seen("old", "p2", 20)) as place:
        place.pull(late="30d")
        place.pull(late="30d")

        assert _since(place) == pytest.approx(NOON - timedelta(days=20) - OVERLAP, abs=A_MOMENT)


def test_a_patient_without_a_record_is_asked_in_full(tmp_path: Path) -> None:
    """Whatever others have: the first record of somebody may be an old one."""
    with small_hospital(tmp_path) as place:
        place.pull()
        place.server.plant(json.dumps({**_seen("c1", "p2", 300), "resourceType": "Condition"}).encode())
        place.pull()

        assert set(place.kept("Condition")) == {"c1"}


class _Pages(httpx.BaseTransport):
    """The network, and something that happens before the third page of Observations comes."""

    def __init__(self, happens: Callable[[], None]) -> None:
        self.happens, self.network, self.pages = happens, httpx.HTTPTransport(), 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Real answers."""
        if request.url.path.endswith("/Observation"):
            self.pages += 1
            if self.pages == 3:
                self.happens()
        return self.network.handle_request(request)

    def close(self) -> None:
        """Closes the network."""
        self.network.close()


def _amend(place: Place, name: str) -> None:
    place.server.edit({**place.server.record("Observation", name), "status": "amended"})


def _is_amended(place: Place, name: str) -> bool:
    with place.at_work() as work:
        head = work.vault.head_of(work.vault.key("west", "Observation", name))
    return head is not None and b'"amended"' in head.body


def test_an_edit_behind_the_pages_that_are_read_is_not_lost(tmp_path: Path) -> None:
    """Page one is read, its record changes, a later page brings a newer one: the next sync asks since page one.

    Our clock is ahead, so that it does not tell that those edits came after the question.
    """
    rows = [_seen(name, "p1", 1) for name in ("a0", "a1", "z8", "z9")]
    with small_hospital(tmp_path, *rows, persona=LIVE) as place:
        place.ahead = timedelta(minutes=15)

        def happens() -> None:
            for name in ("a0", "z9"):
                place.clock.forward(120)
                _amend(place, name)

        pages = _Pages(happens)
        with place.at_work(transport=pages, page_size=2, late="0s", overlap="30s", totals="ignore") as work:
            assert flow.pull(work, []).hospitals[0].code == WHOLE
        place.pull(late="0s", overlap="30s")

        assert pages.pages > 3
        assert _is_amended(place, "z9")
        assert _is_amended(place, "a0")


def test_an_answer_begun_in_an_earlier_run_counts_from_then(tmp_path: Path) -> None:
    """Stopped amid its pages and gone on with a day later: what changed on page one meanwhile is asked for."""
    rows = [_seen(name, "p1", 1) for name in ("a0", "a1", "z8", "z9")]

    def happens() -> None:
        raise KeyboardInterrupt

    with small_hospital(tmp_path, *rows, persona=LIVE) as place:
        settings: dict[str, Any] = {"page_size": 2, "late": "0s", "totals": "ignore"}
        with place.at_work(transport=_Pages(happens), **settings) as work, pytest.raises(KeyboardInterrupt):
            flow.pull(work, [])
        place.clock.forward(86400)
        for name in ("a0", "z9"):
            _amend(place, name)
            place.clock.forward(3600)
        resumed = len(place.server.requests)
        place.pull(**settings)
        first = next(seen for seen in place.server.requests[resumed:] if seen.path.endswith("/Observation"))
        place.pull(**settings)

        assert "_offset" in dict(first.query)
        assert _is_amended(place, "z9")
        assert _is_amended(place, "a0")


def test_windows_that_nobody_asks_any_more_are_given_up(tmp_path: Path) -> None:
    """A run was stopped, then the cohort grew and the lists were cut otherwise: no window stays open for ever."""
    broken = Fault(kind="error", on="page", type="Observation", times=None, status=500)
    with small_hospital(tmp_path, persona=Persona(faults=(broken,))) as place:
        place.pull()
        place.server.play(Persona())
        outcome = place.pull(patients_per_question=1)
        with place.at_work() as work:
            left = work.vault.windows("west", WindowState.OPEN)

        assert (outcome.code, left) == (WHOLE, [])
