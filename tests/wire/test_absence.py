"""What is no longer there, or seems so: a 404 that passes, counts that cannot be relied on, deletions not read."""

import json
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import INCOMPLETE, WHOLE
from fhir_adapter.sandbox.persona import PLAIN, Fault, Persona
from fhir_adapter.sandbox.switches import Paging
from tests.sandbox.build import observation
from tests.wire.place import Place, small_hospital

WEEK = 8 * 86400
NO_LISTS = Persona(ignored=frozenset({"_id"}))
"""A server whose search by `_id` says nothing about a record: it ignores the parameter."""


def _again(place: Place, seconds: int = 3600, **pull: Any) -> tuple[int, dict[str, str]]:
    place.clock.forward(seconds)
    outcome = place.pull(reread="7d", **pull)
    return outcome.code, place.kept("Observation")


def test_a_404_that_passes_retracts_nothing_q30(tmp_path: Path) -> None:
    """Q30: a read by id says 404 once, and no search can agree: not visible until the next sync, then there again."""
    with small_hospital(tmp_path, persona=NO_LISTS) as place:
        place.pull(reread="7d")
        server = place.server
        server.play(Persona(ignored=NO_LISTS.ignored, faults=(
            Fault(kind="error", on="read", type="Observation", status=404, times=1, code="not-found"),)))
        code, doubted = _again(place, WEEK)
        _, later = _again(place)

        assert (code, sorted(doubted.values()).count("not_visible")) == (WHOLE, 1)
        assert set(later.values()) == {"content"}
        assert len(later) == len(doubted) == 6


def test_a_404_that_stays_is_a_deletion_q30(tmp_path: Path) -> None:
    """Q30: the next sync asks again by id, finds nothing either, and the record is deleted."""
    with small_hospital(tmp_path, persona=NO_LISTS) as place:
        place.pull(reread="7d")
        place.server.life.hide("Observation", "o0", 404)
        _, doubted = _again(place, WEEK)
        code, later = _again(place)

        assert doubted["o0"] == "not_visible"
        assert "o0" not in later
        assert code == WHOLE


def test_a_410_is_believed_at_once_q30(tmp_path: Path) -> None:
    """Q30: 410 says deleted."""
    with small_hospital(tmp_path, persona=NO_LISTS) as place:
        place.pull(reread="7d")
        place.server.play(Persona(ignored=NO_LISTS.ignored, faults=(
            Fault(kind="error", on="read", type="Observation", status=410, times=1, code="deleted"),)))
        _, kept = _again(place, WEEK)

        assert len(kept) == 5


def test_a_search_that_agrees_confirms_a_404_q30(tmp_path: Path) -> None:
    """Q30: neither the search for its id nor the read brings it: deleted. When it is there again, the same version,
    the weekly reading by id brings it back."""
    with small_hospital(tmp_path) as place:
        place.pull(reread="7d")
        place.server.life.hide("Observation", "o0", 404)
        _, gone = _again(place, WEEK)
        place.server.life.show("Observation", "o0")
        _, early = _again(place)
        _, later = _again(place, WEEK)

        assert "o0" not in gone
        assert "o0" not in early
        assert later["o0"] == "content"


EXPORTED: dict[str, Any] = {"mode": "bulk", "bulk": {"level": "patient", "absent": "trust"}}


@pytest.mark.parametrize(("persona", "pull"), [
    (Persona(ignored=frozenset({"patient"})), {}), (Persona(ignored=frozenset({"patient"})), EXPORTED),
    (Persona(paging=Paging(total="estimated")), EXPORTED), (Persona(tells_total=False), EXPORTED),
    (Persona(paging=Paging(cap=5)), EXPORTED),
])
def test_counts_that_cannot_be_relied_on_alarm_nobody_q5_q6(tmp_path: Path, persona: Persona, pull: Any) -> None:
    """Q5, Q6, Q8: everybody's count, an estimate, none, a cap: nothing is missing, and nothing is said to be."""
    with small_hospital(tmp_path) as place:
        place.pull(reread="7d", **pull)
        place.server.play(persona)
        code, kept = _again(place, WEEK, **pull)

        assert (code, len(kept)) == (WHOLE, 6)


@pytest.mark.parametrize("pull", [{}, EXPORTED])
def test_a_real_shortfall_alarms_and_is_mended(tmp_path: Path, pull: Any) -> None:
    """A record that came unseen, long ago by its lastUpdated: the count tells, and the next sync has it."""
    with small_hospital(tmp_path) as place:
        place.pull(reread="7d", **pull)
        place.server.plant(json.dumps(observation("late", "p1", "2020-01-01T00:00:00Z", status="final")).encode())
        code, _ = _again(place, WEEK, **pull)
        mended, kept = _again(place, **pull)

        assert (code, mended) == (INCOMPLETE, WHOLE)
        assert kept["late"] == "content"


def test_deletions_that_could_not_be_read_are_open_in_the_status(tmp_path: Path) -> None:
    """Exit 3, and until a later run has read that history, the status names it with the time since when."""
    def shown(place: Place) -> dict[str, str | None]:
        with place.at_work() as work:
            return {row.type: row.open_since for row in flow.status(work).completeness if row.type.endswith("_history")}

    with small_hospital(tmp_path) as place:
        place.pull()
        place.clock.forward(3600)
        before = shown(place)
        place.server.delete("Observation", "o0")
        place.server.play(Persona(faults=(Fault(kind="error", on="history", type="Observation", times=None),)))
        broken = place.pull()
        open_now = shown(place)
        place.server.play(PLAIN)
        place.clock.forward(3600)
        mended = place.pull()

        assert before == {}
        assert broken.code == INCOMPLETE
        assert open_now == {"Observation/_history": "2026-07-01T13:00:00+00:00"}
        assert (mended.code, shown(place)) == (WHOLE, {})
        assert "o0" not in place.kept("Observation")


def test_who_was_never_asked_is_in_the_status(tmp_path: Path) -> None:
    """Before the first pull every hospital stands there as never asked; afterwards its types do."""
    with small_hospital(tmp_path) as place:
        with place.at_work() as work:
            first = flow.status(work).completeness
        place.pull()
        with place.at_work() as work:
            second = flow.status(work).completeness

        assert [(row.hospital, row.type, row.mode, row.whole_as_of) for row in first] == [
            ("west", "*", "never asked", None)]
        assert "never asked" not in {row.mode for row in second}
