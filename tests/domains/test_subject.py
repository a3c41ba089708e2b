"""Who is in the study, in which state, alive or dead; and what the desk's sheets say of it."""

from collections.abc import Callable
from typing import Any

import pytest

from fhir_adapter.core.study import FhirVersion
from fhir_adapter.domains.enrolment import Member, members, survivors
from fhir_adapter.domains.mapping import Mapped, map_version
from fhir_adapter.domains.reading import Records
from fhir_adapter.fhir.decode import decode
from tests.build import FakeRecords, body, concept, patient, reading, row

TRIAL = "https://trial.example/atc-pd1/subject"


def subject(version: FhirVersion, **elements: Any) -> dict[str, Any]:
    """A ResearchSubject of one version."""
    person = {"subject" if version == "R5" else "individual": {"reference": "Patient/p1"}}
    return {"resourceType": "ResearchSubject", "id": "rs1", **person, **elements}


def mapped(resource: dict[str, Any], version: FhirVersion = "R4", **parts: Any) -> Mapped:
    """What a record says."""
    return map_version(resource.get("resourceType", "Sheet"), body(resource), reading(version, **parts))


def steps(found: Mapped) -> list[tuple[Any, ...]]:
    """Event, date and state of each disposition."""
    return [(f.event, f.date.text if f.date else None, f.state)  # type: ignore[attr-defined]
            for n, f in found.facts if n == "disposition"]


@pytest.mark.parametrize(
    ("version", "status", "expected"),
    [
        ("STU3", "enrolled", [("enrolled", "2023-01-02", "enrolled")]),
        ("STU3", "completed", [("enrolled", "2023-01-02", "completed"), ("end_of_study", "2024-05-01", "completed")]),
        ("R4", "on-study", [("enrolled", "2023-01-02", "on-study")]),
        ("R4", "follow-up", [("enrolled", "2023-01-02", "follow-up")]),
        ("R4", "off-study", [("enrolled", "2023-01-02", "off-study"), ("end_of_study", "2024-05-01", "off-study")]),
        ("R4", "screening", [("screened", "2023-01-02", "screening")]),
        ("R4", "ineligible", [("screening_failure", "2023-01-02", "ineligible")]),
        ("R4", "candidate", []),
    ],
)
def test_early_versions_have_one_step(version: FhirVersion, status: str, expected: list[Any]) -> None:
    """Never candidate, screening or ineligible is enrolled (endpoints.md §0.18)."""
    found = mapped(subject(version, status=status, period={"start": "2023-01-02", "end": "2024-05-01"}), version)

    assert steps(found) == expected
    assert expected or (found.outcome, found.reason) == ("ignored", "not_enrolled")


def test_r5_tells_every_step() -> None:
    """Screened, enrolled once, off study; facts of different elements."""
    found = mapped(subject("R5", status="active", progress=[
        {"subjectState": concept("screening"), "startDate": "2022-12-20", "endDate": "2023-01-02"},
        {"subjectState": concept("on-study"), "startDate": "2023-01-02", "endDate": "2023-09-01"},
        {"subjectState": concept("follow-up"), "startDate": "2023-09-01", "endDate": "2024-05-01"},
        {"subjectState": concept("off-study"), "startDate": "2024-05-01"},
    ]), "R5")

    assert steps(found) == [("screened", "2022-12-20", "screening"), ("enrolled", "2023-01-02", "on-study"),
                            ("end_of_study", "2024-05-01", "off-study")]


def test_r5_status_alone_says_nothing_of_the_person() -> None:
    """`active` is the record's publication status."""
    assert mapped(subject("R5", status="active"), "R5").reason == "no_subject_state"


def test_withdrawn_without_a_level_is_a_question() -> None:
    """From treatment, visits or records? Until somebody says, it waits."""
    found = mapped(subject("R4", status="withdrawn", period={"start": "2023-01-02", "end": "2023-04-01"}))

    assert steps(found) == [("enrolled", "2023-01-02", "withdrawn"), ("withdrawal", "2023-04-01", "withdrawn")]
    assert [doubt.kind for doubt in found.doubts] == ["withdrawal_level_open"]


@pytest.mark.parametrize(
    ("state", "ask", "undecided"),
    [("enrolled", True, False), ("active", True, False), ("on-study", True, False),
     ("on-study-intervention", True, False), ("on-study-observation", True, False), ("follow-up", True, False),
     ("suspended", True, False), ("off-study", True, False), ("completed", True, False),
     ("screening", False, False), ("candidate", False, False),
     ("ineligible", False, False), ("withdrawn", False, True), ("unknown", False, False)],
)
def test_who_is_asked_for(state: str, ask: bool, undecided: bool) -> None:
    """DESIGN §7: off-study is asked (or deaths are lost), withdrawn not before its level is decided."""
    found = decode("ResearchSubject", body(subject("R4", status=state)), "R4")
    (member,) = members(found, "R4", TRIAL)

    assert (member.ask, member.undecided) == (ask, undecided)
    assert members(found, "R4", TRIAL, screening=True)[0].ask == (ask or state in ("screening", "candidate"))


def test_numbers_of_the_trial_and_of_the_hospital() -> None:
    """Only the trial's own system gives a trial number."""
    both = [{"system": "urn:west", "value": "W7"}, {"system": TRIAL, "value": "ATC-001"}]
    found = decode("ResearchSubject", body(subject("R4", status="on-study", identifier=both)), "R4")
    member = members(found, "R4", TRIAL)[0]

    assert (member.number, member.local, member.person.reference) == ("ATC-001", "W7", "Patient/p1")


def test_members_of_a_group() -> None:
    """An inactive member is counted, not asked."""
    group = decode("Group", body({"resourceType": "Group", "member": [
        {"entity": {"reference": "Patient/a"}}, {"entity": {"reference": "Patient/b"}, "inactive": True}]}), "R4")

    asked = [(m.person.reference, m.ask) for m in members(group, "R4", TRIAL)]

    assert asked == [("Patient/a", True), ("Patient/b", False)]


def test_an_entered_in_error_subject_is_nobody() -> None:
    """R4 allows the status on no ResearchSubject; some servers send it."""
    found = decode("ResearchSubject", body(subject("R4", status="entered-in-error")), "R4")

    assert members(found, "R4", TRIAL) == ()
    assert isinstance(Member(person=found.person), Member)


def test_w122_merged_patients() -> None:
    """endpoint_examples W122: `replaced-by` points forward and need not be mutual; chains end, circles do not."""
    old = decode("Patient", body(patient("old", active=False, link=[
        {"other": {"reference": "Patient/new"}, "type": "replaced-by"}])), "R4")
    new = decode("Patient", body(patient("new", link=[])), "R4")

    assert (old.replaced_by.reference, new.replaced_by) == ("Patient/new", None)
    assert survivors({"old": "new"}) == ({"old": "new"}, frozenset())
    assert survivors({"a": "b", "b": "c"}) == ({"a": "c", "b": "c"}, frozenset())
    assert survivors({"a": "b", "b": "a", "x": "a"}) == ({}, frozenset({"a", "b", "x"}))


@pytest.mark.parametrize(
    ("elements", "status", "death", "statement", "doubts"),
    [
        ({"deceasedDateTime": "2024-03-31T23:30:00+08:00"}, "dead", "2024-03-31", "deceased_date", []),
        ({"deceasedDateTime": "2024-03"}, "dead", "2024-03", "deceased_date", ["partial_date"]),
        ({"deceasedDateTime": "2024"}, "dead", "2024", "deceased_date", ["partial_date"]),
        ({"deceasedBoolean": True}, "dead", None, "deceased_flag", ["death_date_missing"]),
        ({"deceasedBoolean": False}, "alive", None, "deceased_flag", []),
    ],
)
def test_life_and_death(
    elements: dict[str, Any], status: str, death: str | None, statement: str, doubts: list[str]
) -> None:
    """The local day as written, never completed, never via UTC."""
    found = mapped(patient(**elements))
    (fact,) = (f for n, f in found.facts if n == "vital_status")

    assert (fact.status, fact.death.text if fact.death else None, fact.statement) == (  # type: ignore[attr-defined]
        status, death, statement)
    assert [doubt.kind for doubt in found.doubts] == doubts
    assert all(doubt.origin.element == fact.element for doubt in found.doubts)


def test_nothing_said_of_death_says_nothing() -> None:
    """Absence is no proof of life; sex and birth year only are carried of the rest."""
    found = mapped(patient(gender="female", birthDate="1958-07-14", name=[{"family": "Canary"}]))

    assert [n for n, _ in found.facts] == ["demographic"]
    assert (found.facts[0][1].sex, found.facts[0][1].birth_year) == ("female", 1958)  # type: ignore[attr-defined]


def others(hospital: str) -> Records:
    """The records of another hospital of the study."""
    return {"west": FakeRecords("west")}[hospital]


@pytest.mark.parametrize(
    ("cells", "check"),
    [
        ({"event": "consent", "date": "2022-12-20"}, lambda f: f.event == "consent" and f.date.text == "2022-12-20"),
        ({"event": "end_of_component", "date": "2023-05-01", "component": "anlotinib"},
         lambda f: f.component == "anlotinib"),
        ({"event": "withdrawal", "date": "2023-05-01", "level": "visits"}, lambda f: f.level == "visits"),
        ({"event": "lost_to_follow_up", "date": "2023-05"}, lambda f: f.date.text == "2023-05"),
        ({"event": "clinical_progression", "date": "2023-05-01"}, lambda f: f.event == "clinical_progression"),
    ],
)
def test_the_disposition_sheet(cells: dict[str, str], check: Callable[[Any], bool]) -> None:
    """Each row is one step, signed."""
    found = mapped(row("disposition", **cells))

    assert [n for n, _ in found.facts] == ["disposition"]
    assert check(found.facts[0][1])
    assert not found.problems
    assert not found.doubts


def test_a_death_in_the_sheet_is_a_vital_status() -> None:
    """With its cause; a month only is a doubt."""
    found = mapped(row("disposition", event="death", date="2024-02", cause="toxicity"))
    ((name, fact),) = found.facts

    assert (name, fact.statement, fact.cause, fact.death.text) == (  # type: ignore[attr-defined]
        "vital_status", "sheet", "toxicity", "2024-02")
    assert [doubt.kind for doubt in found.doubts] == ["partial_date"]


@pytest.mark.parametrize(
    ("sheet", "cells", "column"),
    [
        ("disposition", {"event": "vanished", "date": "2023-01-02"}, "event"),
        ("disposition", {"event": "consent", "date": ""}, "date"),
        ("disposition", {"event": "death", "date": "31.12.2023"}, "date"),
        ("disposition", {"event": "death", "date": "2023-01-02", "cause": "bad luck"}, "cause"),
        ("disposition", {"event": "end_of_component", "date": "2023-01-02"}, "component"),
        ("disposition", {"event": "consent", "date": "2023-01-02", "signed_by": ""}, "signed_by"),
        ("therapies", {"kind": "magic", "therapy": "dabrafenib", "role": "prior"}, "kind"),
        ("therapies", {"kind": "drug", "therapy": "unheard of", "role": "prior"}, "therapy"),
        ("therapies", {"kind": "drug", "therapy": "dabrafenib", "role": ""}, "role"),
        ("therapies", {"kind": "radiotherapy", "role": "prior", "record": "Procedure/1", "hospital": "moon"},
         "hospital"),
        ("therapies", {"kind": "radiotherapy", "role": "prior", "record": "1", "hospital": "west"}, "record"),
    ],
)
def test_wrong_cells_name_sheet_and_column(sheet: str, cells: dict[str, str], column: str) -> None:
    """The row is refused whole, and no value is repeated."""
    found = mapped(row(sheet, **cells), records_of=others)

    assert (found.outcome, found.reason) == ("quarantined", "sheet_cell")
    assert any(f"sheet {sheet}" in p.message and f"column {column}" in p.message for p in found.problems)
    assert all(not value or value not in problem.message for problem in found.problems
               for value in (cells.get(column, ""),) if column not in ("event", "cause", "kind"))


def test_the_therapies_sheet() -> None:
    """A therapy known to the desk, or the role of a hospital's record."""
    known = mapped(row("therapies", kind="drug", therapy="dabrafenib", role="subsequent", start_date="2023-08-01"))
    record = mapped(row("therapies", kind="radiotherapy", role="study", hospital="west", record="Procedure/c1"),
                    records_of=others)

    assert [(f.kind, f.therapy, f.stated_role, f.record) for _, f in (*known.facts, *record.facts)] == [  # type: ignore[attr-defined]
        ("drug", "dabrafenib", "subsequent", None),
        ("radiotherapy", "radiotherapy", "study", "key-of-west-Procedure-c1")]
