"""Patient and ResearchSubject, row by row of profiles.md §1.5."""

from typing import Any

import pytest

from fhir_adapter.fhir.decode import Unreadable, decode
from tests.build import body, concept, patient


def subject(version: str = "R4", **elements: Any) -> Any:
    """A ResearchSubject."""
    person = {"subject" if version == "R5" else "individual": {"reference": "Patient/p1"}}
    return decode("ResearchSubject", body({"resourceType": "ResearchSubject", **person, **elements}), version)


def test_one_form_of_death() -> None:
    """A patient is dead since a date, or dead, or alive: not two of them."""
    with pytest.raises(Unreadable) as caught:
        decode("Patient", body(patient(deceasedBoolean=True, deceasedDateTime="2024")), "R4")

    assert caught.value.code == "several_values"


def test_only_replaced_by_is_a_merge() -> None:
    """`seealso`, `refer`, `replaces` and `active = false` keep the record."""
    others = [{"other": {"reference": f"Patient/{kind}"}, "type": kind} for kind in ("seealso", "refer", "replaces")]
    kept = decode("Patient", body(patient(active=False, link=others)), "R4")
    merged = decode("Patient", body(patient(link=[*others, {"other": {"reference": "Patient/new"},
                                                            "type": "replaced-by"}])), "R4")

    assert kept.replaced_by is None
    assert merged.replaced_by.reference == "Patient/new"


def test_identifiers_with_a_value() -> None:
    """System and value; an identifier without value identifies nobody."""
    found = decode("Patient", body(patient(identifier=[{"system": "urn:mr", "value": "7"}, {"system": "urn:x"}])), "R4")

    assert found.identifiers == (("urn:mr", "7"),)


@pytest.mark.parametrize(("version", "status"), [("STU3", "enrolled"), ("R4", "on-study-intervention")])
def test_the_state_of_early_versions_is_the_status(version: str, status: str) -> None:
    """With the period as its dates."""
    found = subject(version, status=status, period={"start": "2023-01-02"})

    assert found.state(version) == status
    assert [(step.state, step.start_date) for step in found.steps(version)] == [(status, "2023-01-02")]


@pytest.mark.parametrize(
    ("progress", "state"),
    [
        ([], None),
        ([{"milestone": concept("Randomized")}], None),
        ([{"subjectState": concept("screening"), "startDate": "2023-01-01", "endDate": "2023-01-02"},
          {"subjectState": concept("on-study"), "startDate": "2023-01-02"}], "on-study"),
        ([{"subjectState": concept("on-study"), "startDate": "2023-01-02", "endDate": "2023-05-01"},
          {"subjectState": concept("off-study"), "startDate": "2023-05-01", "endDate": "2023-05-01"}], "off-study"),
        ([{"subjectState": concept("On-Study")}], "on-study"),
    ],
)
def test_r5_keeps_the_state_in_progress(progress: list[dict[str, Any]], state: str | None) -> None:
    """R5's `status` is a publication status and says nothing of the person."""
    assert subject("R5", status="active", progress=progress).state("R5") == state


def test_arms() -> None:
    """Strings in STU3 and R4, comparison groups in R5."""
    assert subject("R4", status="on-study", assignedArm="A").arm == "A"
    assert subject("R5", status="active", actualComparisonGroup="B").arm == "B"


def test_one_identifier_in_stu3() -> None:
    """STU3 has one object, later versions a list."""
    one = {"system": "urn:s", "value": "1"}

    assert subject("STU3", status="enrolled", identifier=one).identifiers[0].value == "1"
    assert subject("R4", status="on-study", identifier=[one]).identifiers[0].value == "1"


def test_somebody_must_be_meant() -> None:
    """A research subject without a person is nobody."""
    with pytest.raises(Unreadable) as caught:
        decode("ResearchSubject", body({"resourceType": "ResearchSubject", "status": "on-study"}), "R4")

    assert caught.value.code == "missing_element"
