"""Settling: what contradicts is held, what people decided is laid over the facts, nothing vanishes."""

from typing import Any

import pandas as pd
import pytest

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.facts import Fact
from fhir_adapter.core.tables import FACT_COLUMNS, columns_of
from fhir_adapter.domains.adverse_event import AdverseEvent
from fhir_adapter.domains.ae_causality import AeCausality
from fhir_adapter.domains.lesion_measurement import LesionMeasurement
from fhir_adapter.domains.response_assessment import ResponseAssessment
from fhir_adapter.domains.vital_status import VitalStatus
from fhir_adapter.review.settling import Settled, settle

FACTS: dict[str, type[Fact]] = {
    "vital_status": VitalStatus, "adverse_event": AdverseEvent, "lesion_measurement": LesionMeasurement,
    "response_assessment": ResponseAssessment, "ae_causality": AeCausality,
}


def fact(table: str, resource: str, subject: str = "S1", **values: Any) -> dict[str, Any]:
    """A fact row with sensible bookkeeping."""
    return {"table": table, "fact_key": f"{resource}-v{values.get('ordinal', 1)}", "subject": subject,
            "hospital": "west", "resource": resource, "ordinal": 1, "element": "e", "position": 0,
            "standing": "current", "held_by": None, **values}


def frames(*facts: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Fact frames with every column of their tables."""
    found = {}
    for table, record in FACTS.items():
        names = [spec.name for spec in FACT_COLUMNS + columns_of(record, skip=("element", "index"))]
        found[table] = pd.DataFrame([one for one in facts if one["table"] == table], columns=names).astype(object)
    return found


def origins(*facts: dict[str, Any], gone: tuple[str, ...] = ()) -> pd.DataFrame:
    """One head version a record, unless the record is gone: then a later version says so."""
    rows = [{"resource": one["resource"], "ordinal": one["ordinal"], "is_head": one["resource"] not in gone,
             "outcome": "mapped", "reason": None} for one in facts]
    rows += [{"resource": key, "ordinal": 9, "is_head": True, "outcome": "ignored", "reason": "deleted"}
             for key in gone]
    return pd.DataFrame(rows).drop_duplicates()


def settled(*facts: dict[str, Any], decisions: tuple[Decision, ...] = (), gone: tuple[str, ...] = ()) -> Settled:
    """Settle these facts."""
    return settle(frames(*facts), origins(*facts, gone=gone), (), decisions)


def death(resource: str, day: str) -> dict[str, Any]:
    """A stated death."""
    return fact("vital_status", resource, status="dead", death=day, statement="deceased_date")


def decide(conflict: Any, choice: str, value: str = "", number: int = 1, undoes: int | None = None) -> Decision:
    """A decision about a conflict as it stands."""
    return Decision(number=number, conflict_key=conflict.key, kind=conflict.kind, fingerprint=conflict.fingerprint,
                    choice=choice, value=value, reason="seen in the chart", decided_by="inv1", system_user="tester",
                    decided_at="2026-01-01T00:00:00Z", undoes=undoes)


DEATHS = (death("a", "2024-03-01"), death("b", "2024-03-09"))


def standing(result: Settled, table: str = "vital_status") -> dict[str, str]:
    """Standing by fact key."""
    frame = result.frames[table]
    return dict(zip(frame.fact_key, frame.standing, strict=True))


def test_two_death_dates_are_held_and_neither_vanishes() -> None:
    """An open conflict holds both statements."""
    result = settled(*DEATHS)
    assert [one.kind for one in result.conflicts] == ["death_dates_disagree"]
    assert standing(result) == {"a-v1": "held", "b-v1": "held"}
    assert set(result.frames["vital_status"].held_kind) == {"death_dates_disagree"}


def test_a_month_agrees_with_a_day_in_it() -> None:
    """2024-03 and 2024-03-09 can both be true."""
    assert settled(death("a", "2024-03"), death("b", "2024-03-09")).conflicts == ()


def test_accepting_one_statement_overrules_the_other() -> None:
    """The decision is named on the fact that it overrules."""
    conflict = settled(*DEATHS).conflicts[0]
    result = settled(*DEATHS, decisions=(decide(conflict, "accept", "b"),))
    assert standing(result) == {"a-v1": "overruled", "b-v1": "current"}
    assert result.conflicts[0].state == "closed"
    assert result.frames["vital_status"].set_index("fact_key").held_by["a-v1"] == "decision 1"


def test_undoing_a_decision_restores_what_was() -> None:
    """Undo is another decision; the state before it comes back."""
    before = settled(*DEATHS)
    done = decide(before.conflicts[0], "accept", "b")
    undo = decide(before.conflicts[0], "accept", "b", number=2, undoes=1)
    after = settled(*DEATHS, decisions=(done, undo))
    assert standing(after) == standing(before)
    assert after.conflicts[0].state == "open"


def test_a_decision_about_other_values_is_not_applied() -> None:
    """When the source changes after a decision, the conflict is open again and says so."""
    conflict = settled(*DEATHS).conflicts[0]
    changed = settled(death("a", "2024-03-02"), DEATHS[1], decisions=(decide(conflict, "accept", "b"),))
    assert changed.conflicts[0].key == conflict.key
    assert changed.conflicts[0].state == "open"
    assert "changed after decision 1" in changed.conflicts[0].message


def test_an_override_is_a_fact_whose_origin_is_the_decision() -> None:
    """Both statements are overruled by a dated fact of the decision."""
    conflict = settled(*DEATHS).conflicts[0]
    result = settled(*DEATHS, decisions=(decide(conflict, "override", '{"death": "2024-03-05"}', number=7),))
    added = result.frames["vital_status"].query("hospital == 'decision'").iloc[0]
    assert (added.death, added.death_precision, added.ordinal, added.standing) == ("2024-03-05", "day", 7, "current")
    assert set(standing(result).values()) == {"overruled", "current"}


def test_a_deleted_record_is_retracted_and_asks_for_a_person() -> None:
    """Deleted: the facts of the last version do not count, and a conflict says so."""
    result = settled(death("a", "2024-03-01"), gone=("a",))
    assert standing(result) == {"a-v1": "retracted"}
    assert [one.kind for one in result.conflicts] == ["retracted_record"]


def test_a_newer_version_supersedes_an_older_one() -> None:
    """Only the head's facts are current."""
    old, new = death("a", "2024-03-01"), {**death("a", "2024-03-02"), "ordinal": 2, "fact_key": "a-v2"}
    heads = pd.DataFrame([
        {"resource": "a", "ordinal": 1, "is_head": False, "outcome": "mapped", "reason": None},
        {"resource": "a", "ordinal": 2, "is_head": True, "outcome": "mapped", "reason": None},
    ])
    result = settle(frames(old, new), heads, (), ())
    assert standing(result) == {"a-v1": "superseded", "a-v2": "current"}
    assert result.conflicts == ()


def test_a_fatal_event_of_a_living_subject_is_a_conflict_that_keeps_the_event() -> None:
    """The event counts meanwhile; the subject is alive meanwhile."""
    event = fact("adverse_event", "x", term="Pneumonitis", grade=5, outcome="fatal", onset="2024-02-01")
    result = settled(event)
    assert [one.kind for one in result.conflicts] == ["fatal_ae_without_death"]
    assert standing(result, "adverse_event") == {"x-v1": "current"}


@pytest.mark.parametrize(("onset", "kinds"), [("2024-02-01", ["duplicate_adverse_event"]), ("2024-02-08", [])])
def test_events_are_duplicates_only_with_one_onset(onset: str, kinds: list[str]) -> None:
    """One episode in several records by grade has several onsets (profiles.md §7)."""
    one = fact("adverse_event", "x", term="ALT increased", grade=1, onset="2024-02-01")
    two = fact("adverse_event", "y", term="ALT increased", grade=3, onset=onset)
    assert [conflict.kind for conflict in settled(one, two).conflicts] == kinds


@pytest.mark.parametrize(("onset", "end", "kinds"), [
    ("2024-02-09", "2024-02-10", ["duplicate_adverse_event"]), ("2024-02-10", "2024-02-10", []),
    ("2024-02-11", "2024-02-10", []), ("2024-02-09", None, []), ("2024-02-09", "2024-03", []),
])
def test_events_of_one_term_that_overlap(onset: str, end: str | None, kinds: list[str]) -> None:
    """Grades of an episode follow each other; a record that begins before the other has ended may tell it again."""
    one = fact("adverse_event", "x", term="Fatigue", grade=1, onset="2024-02-01", end_date=end)
    two = fact("adverse_event", "y", term="Fatigue", grade=2, onset=onset)
    assert [conflict.kind for conflict in settled(one, two).conflicts] == kinds


@pytest.mark.parametrize(("said", "kinds"), [(False, ["causality_disagrees"]), (True, []), (None, [])])
def test_a_sheet_and_a_record_that_judge_causality(said: bool | None, kinds: list[str]) -> None:
    """About one event and one component; what the record leaves open contradicts nothing, and both count meanwhile."""
    word = {True: "related", False: "not_related", None: "unknown"}[said]
    facts = [fact("ae_causality", "e", component="anlotinib", relatedness=word, related=said),
             fact("ae_causality", "e", component="tislelizumab", relatedness="unlikely", related=False, fact_key="o"),
             fact("ae_causality", "row", component="anlotinib", relatedness="related", related=True, record="e")]
    assert [conflict.kind for conflict in settled(*facts).conflicts] == kinds


@pytest.mark.parametrize("by_record", [False, True])
def test_a_chosen_side_is_still_chosen_in_a_newer_version(by_record: bool) -> None:
    """The record comes again and says the same of the death: the decision is about the same values, and holds."""
    first, other = death("a", "2024-03-05"), death("b", "2024-03-09")
    conflict = settled(first, other).conflicts[0]
    chosen = decide(conflict, "accept", first["resource"] if by_record else first["fact_key"])
    again = {**first, "ordinal": 2, "fact_key": "a-v2"}
    known = origins(first, again, other)
    known["is_head"] = (known.resource != "a") | (known.ordinal == 2)
    result = settle(frames(first, again, other), known, (), (chosen,))

    assert [one.state for one in result.conflicts] == ["closed"]
    assert standing(result, "vital_status") == {first["fact_key"]: "superseded", "a-v2": "current",
                                                other["fact_key"]: "overruled"}


@pytest.mark.parametrize(
    ("performer", "kind"), [("r2", "readers_disagree"), ("r1", "lesion_measured_twice")]
)
def test_two_sizes_of_one_lesion_on_one_day(performer: str, kind: str) -> None:
    """Two performers disagree; one performer measured twice (profiles.md §8.1)."""
    size = {"lesion": "L", "date": "2024-02-01", "fragment": "", "evaluator": "investigator", "axis": "longest",
            "state": "measured"}
    one = fact("lesion_measurement", "x", **size, size_um=20000, performer="r1")
    two = fact("lesion_measurement", "y", **size, size_um=26000, performer=performer)
    assert [conflict.kind for conflict in settled(one, two).conflicts] == [kind]


def test_investigator_and_central_review_stay_apart() -> None:
    """Two evaluators who differ are listed, and neither is held."""
    stated = {"category": "overall", "criteria": "RECIST 1.1", "date": "2024-02-01"}
    one = fact("response_assessment", "x", **stated, value="PR", evaluator="investigator")
    two = fact("response_assessment", "y", **stated, value="SD", evaluator="central 1")
    result = settled(one, two)
    assert [conflict.kind for conflict in result.conflicts] == ["evaluators_disagree"]
    assert set(standing(result, "response_assessment").values()) == {"current"}
