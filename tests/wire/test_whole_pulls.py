"""Whole pulls of a small hospital: exports and restarts, merges, disappearances, pauses (facts/quirks.md)."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import INCOMPLETE, WHOLE
from fhir_adapter.core.windows import WindowState
from fhir_adapter.sandbox.persona import PLAIN, Fault, Persona
from fhir_adapter.sandbox.switches import Asking, Bulk, Records
from fhir_adapter.steps import exporting
from tests.sandbox.build import NOON, observation
from tests.wire.place import GROUP, SAID, small_hospital

MINE = {f"o{number}" for number in range(9) if number % 3 != 2}
BULK: dict[str, Any] = {"mode": "bulk"}


def test_an_export_keeps_the_cohort_alone_and_ends_its_job_q21(tmp_path: Path) -> None:
    """Group export: only members are kept, whatever came; DELETE when done; coverage from the transaction time."""
    with small_hospital(tmp_path) as place:
        outcome = place.pull(**BULK, bulk={"level": "system"})
        with place.at_work() as work:
            coverage = work.vault.coverage("west")["Observation", "p1"]
        deleted = [seen for seen in place.server.requests if seen.method == "DELETE"]

        assert (outcome.code, outcome.messages) == (WHOLE, ())
        assert set(place.kept("Observation")) == MINE
        assert len(deleted) == 1
        assert coverage.since is not None
        assert abs(coverage.since - NOON) < timedelta(minutes=5)


def test_a_second_export_asks_for_changes_and_hears_of_deletes_q24(tmp_path: Path) -> None:
    """`_since` less the overlap; a `deleted` file takes records away; edits come."""
    with small_hospital(tmp_path) as place:
        place.pull(**BULK)
        place.clock.forward(3600)
        place.server.delete("Observation", "o0")
        place.server.edit({**place.server.record("Observation", "o1"), "status": "amended"})
        outcome = place.pull(**BULK)
        second = [seen for seen in place.server.requests if seen.path.endswith("$export")][-1]

        assert outcome.code == WHOLE
        assert "_since" in dict(second.query)
        assert set(place.kept("Observation")) == MINE - {"o0"}


def test_someone_new_to_the_cohort_gets_full_history_q23(tmp_path: Path) -> None:
    """Q23: with a newcomer the export is asked for in full, whatever was reached for the others."""
    with small_hospital(tmp_path) as place:
        place.pull(**BULK)
        place.clock.forward(3600)
        everyone = [*GROUP["member"], {"entity": {"reference": "Patient/p3"}}]  # type: ignore[misc]
        place.server.edit({**GROUP, "member": everyone})
        place.pull(**BULK)
        last = [seen for seen in place.server.requests if seen.path.endswith("$export")][-1]

        assert "_since" not in dict(last.query)
        assert set(place.kept("Observation")) == {f"o{number}" for number in range(9)}


def test_a_job_outlives_the_run_that_began_it(tmp_path: Path) -> None:
    """A run whose patience ends leaves the job to the next, which polls the stored address and kicks off nothing."""
    with small_hospital(tmp_path, persona=Persona(bulk=Bulk(polls=6, retry_after=30))) as place:
        first = place.pull(**BULK, bulk={"wait": "1m"})
        with place.at_work() as work:
            waiting = [one for one in work.vault.windows("west", WindowState.OPEN)
                       if one.question.type == exporting.EXPORT]
        second = place.pull(**BULK, bulk={"wait": "1h"})

        assert first.code == INCOMPLETE
        assert any("still at work" in said for said in first.messages)
        assert [one.next is not None for one in waiting] == [True]
        assert second.code == WHOLE
        assert len(place.asked("$export")) == 1
        assert set(place.kept("Observation")) == MINE


def test_a_job_that_expired_is_asked_for_anew(tmp_path: Path) -> None:
    """404 on the stored status: another job, in the same run."""
    with small_hospital(tmp_path, persona=Persona(bulk=Bulk(polls=6, retry_after=30))) as place:
        place.pull(**BULK, bulk={"wait": "1m"})
        place.server.forget_exports()
        place.server.play(PLAIN)
        outcome = place.pull(**BULK)

        assert outcome.code == WHOLE
        assert len(place.asked("$export")) == 2
        assert set(place.kept("Observation")) == MINE


def test_an_error_file_leaves_the_export_open_q25(tmp_path: Path) -> None:
    """Q25: a manifest with errors is partial success: said, and the next export is a full one again."""
    with small_hospital(tmp_path, persona=Persona(bulk=Bulk(failed_type="Observation"))) as place:
        first = place.pull(**BULK)
        place.server.play(PLAIN)
        second = place.pull(**BULK)

        assert (first.code, second.code) == (INCOMPLETE, WHOLE)
        assert set(place.kept("Observation")) == MINE


def test_types_that_exports_leave_out_are_searched_trap_4(tmp_path: Path) -> None:
    """Trap 4: AdverseEvents are missing from Patient and Group exports without a word; search finds them."""
    event = {"resourceType": "AdverseEvent", "id": "a1", "subject": {"reference": "Patient/p1"},
             "actuality": "actual", "meta": {"versionId": "1", "lastUpdated": SAID}}
    persona = Persona(bulk=Bulk(omitted=frozenset({"AdverseEvent"})))
    with small_hospital(tmp_path, event, persona=persona) as place:
        outcome = place.pull(**BULK)

        assert (outcome.code, set(place.kept("AdverseEvent"))) == (WHOLE, {"a1"})


def test_files_that_expired_are_exported_again_then_named_q23(tmp_path: Path) -> None:
    """Every file 410, twice: the run says so and the next one begins anew."""
    with small_hospital(tmp_path, persona=Persona(bulk=Bulk(files_expired=True))) as place:
        outcome = place.pull(**BULK)
        place.server.play(PLAIN)

        assert outcome.code == INCOMPLETE
        assert any("lost twice" in said for said in outcome.messages)
        assert place.pull(**BULK).code == WHOLE


def test_a_long_pause_is_remembered_q26(tmp_path: Path) -> None:
    """Q26: 844 seconds in the text alone: the hospital, not the request, is left alone, by the next process too."""
    with small_hospital(tmp_path) as place:
        place.server.play(Persona(faults=(Fault(kind="throttled", on="page", type="Observation", retry_after="844"),)))
        first = place.pull()
        before = len(place.server.requests)
        second = place.pull()
        with place.at_work() as work:
            lines = flow.status(work).lines
        untouched = len(place.server.requests)
        place.clock.forward(900)
        third = place.pull()

        assert (first.code, second.code, third.code) == (INCOMPLETE, INCOMPLETE, WHOLE)
        assert untouched == before
        assert any("to be left alone until 2026-07-01 12:14" in said for said in second.messages)
        assert any("west is left alone, paused until 2026-07-01 12:14" in line for line in lines)
        assert set(place.kept("Observation")) == MINE


def test_quiet_hours_are_kept(tmp_path: Path) -> None:
    """Nothing is asked between the hours, by the hospital's own clock."""
    with small_hospital(tmp_path) as place:
        outcome = place.pull(quiet_hours="11:00-13:00", time_zone="UTC")

        assert (outcome.code, place.server.requests) == (INCOMPLETE, [])
        assert place.pull(quiet_hours="13:00-15:00", time_zone="UTC").code == WHOLE


def test_a_merge_and_its_end_q29(tmp_path: Path) -> None:
    """Q29: seen only by reading the patient by id; the survivor is asked for; when undone, two subjects again."""
    with small_hospital(tmp_path) as place:
        place.pull()
        place.clock.forward(3600)
        place.server.life.merge("p1", "p3")
        merged = place.pull()
        with place.at_work() as work:
            joined = {one.patient: one.subject for one in work.vault.identities("west")}
        records = set(place.kept("Observation"))
        place.clock.forward(3600)
        place.server.life.unmerge("p1")
        undone = place.pull()
        with place.at_work() as work:
            apart = {one.patient: one.subject for one in work.vault.identities("west")}

        assert merged.code == WHOLE
        assert joined["p1"] == joined["p3"]
        assert records == {f"o{number}" for number in range(9)}
        assert apart["p1"] == joined["p1"] != apart["p3"]
        assert any("taken back" in said for said in undone.messages)


def test_a_group_export_leaves_nobody_of_the_cohort_out_in_silence_q23(tmp_path: Path) -> None:
    """Q23: who replaces a member is in no file of the Group's export: asked by search, then and at every later one."""
    with small_hospital(tmp_path) as place:
        place.pull(**BULK)
        place.clock.forward(3600)
        place.server.life.merge("p1", "p3")
        merged = place.pull(**BULK)
        records = set(place.kept("Observation"))
        place.clock.forward(3600)
        place.server.edit({**place.server.record("Observation", "o2"), "status": "amended"})
        place.server.edit(observation("o9", "p3"))
        place.pull(**BULK)

        assert merged.code == WHOLE
        assert records == {f"o{number}" for number in range(9)}
        assert "o9" in place.kept("Observation")


@pytest.mark.parametrize(("read", "kind"), [(403, "not_visible"), (404, None), (200, "content")])
def test_not_visible_is_not_deleted_q30(tmp_path: Path, read: int, kind: str | None) -> None:
    """Q30: a known record that no search finds: 403 by id is not visible and stays; 404 is deleted; 200 is there."""
    with small_hospital(tmp_path) as place:
        place.pull(reread="7d")
        place.server.life.hide("Observation", "o0", read)
        place.clock.forward(8 * 86400)
        outcome = place.pull(reread="7d")
        again = place.pull(reread="7d")
        with place.at_work() as work:
            head = work.vault.head_of(work.vault.key("west", "Observation", "o0"))
        place.server.life.show("Observation", "o0")

        assert (outcome.code, again.code) == (WHOLE, WHOLE)
        assert place.kept("Observation").get("o0") == kind
        assert head is not None
        assert head.kind == ("deleted" if read == 404 else "content")


def test_what_a_full_reading_misses_is_read_by_id_q30(tmp_path: Path) -> None:
    """Where everything is read again each time, a record that is missing is looked for at once."""
    persona = Persona(asking=Asking(without_last_updated=frozenset({"*"})))
    with small_hospital(tmp_path, persona=persona) as place:
        place.pull()
        place.server.life.hide("Observation", "o0", 403)
        place.pull()

        assert place.kept("Observation")["o0"] == "not_visible"


def test_a_server_that_forgets_everything_deletes_nothing(tmp_path: Path) -> None:
    """More than half of many known records gone at once is a server's fault: an alarm, and nothing is deleted."""
    more = [observation(f"m{number}", "p1", SAID, status="final", code={"text": "x"}) for number in range(30)]
    persona = Persona(asking=Asking(without_last_updated=frozenset({"*"})))
    with small_hospital(tmp_path, *more, persona=persona) as place:
        place.pull()
        for one in more:
            place.server.life.hide("Observation", one["id"], 404)
        outcome = place.pull()

        assert outcome.code == INCOMPLETE
        assert any("nothing is taken for deleted" in said for said in outcome.messages)
        assert any("far fewer records" in said for said in outcome.messages)
        assert len(place.kept("Observation")) == len(MINE) + 30


def test_a_poison_record_stays_named_and_the_rest_is_had_q27(tmp_path: Path) -> None:
    """Q27: over the real store: everything but the poison, quarantine that names the slice, exit 3."""
    with small_hospital(tmp_path, persona=Persona(records=Records(poison=frozenset({"Observation/o4"})))) as place:
        outcome = place.pull()
        with place.at_work() as work:
            named = [one.message for one in work.vault.quarantined("west")]

        assert outcome.code == INCOMPLETE
        assert set(place.kept("Observation")) == MINE - {"o4"}
        assert len(named) == 1
        assert "Observation of 1 patient(s)" in named[0]


def test_what_was_learned_is_not_learned_again(tmp_path: Path) -> None:
    """A refused list of patients: the next run asks one by one at once."""
    with small_hospital(tmp_path, persona=Persona(refuses_patient_lists=True)) as place:
        place.pull()
        place.clock.forward(60)
        before = len(place.server.requests)
        place.pull()
        refused = [seen for seen in place.server.requests[before:] if seen.status == 400]

        assert refused == []




def test_counts_are_reconciled_where_the_server_counts(tmp_path: Path) -> None:
    """A record that came unseen, with an old lastUpdated: the weekly count tells that one is missing here."""
    with small_hospital(tmp_path) as place:
        place.pull(reread="7d")
        place.server.plant(json.dumps(observation("late", "p1", "2020-01-01T00:00:00Z", status="final")).encode())
        place.clock.forward(8 * 86400)
        outcome = place.pull(reread="7d")

        assert outcome.code == INCOMPLETE
        assert any("counts 7 records of the cohort, we have 6" in said for said in outcome.messages)
        assert place.pull(reread="7d").code == WHOLE
        assert "late" in place.kept("Observation")
