"""Observation, AdverseEvent, BodyStructure, Condition, Encounter: the same question answered for every version."""

from typing import Any

import pytest

from fhir_adapter.fhir.decode import Unreadable, decode
from tests.build import body

CODE = {"coding": [{"system": "http://loinc.org", "code": "718-7"}]}


def read(resource: dict[str, Any], version: str = "R4") -> Any:
    """The lean structure of a resource."""
    return decode(resource["resourceType"], body(resource), version)


def observation(**elements: Any) -> dict[str, Any]:
    """A final Observation."""
    return {"resourceType": "Observation", "status": "final", "code": CODE, **elements}


def event(**elements: Any) -> dict[str, Any]:
    """An AdverseEvent."""
    return {"resourceType": "AdverseEvent", **elements}


@pytest.mark.parametrize(
    ("elements", "span"),
    [
        ({"effectiveDateTime": "2023-01-02"}, ("effectiveDateTime", "2023-01-02", None)),
        ({"effectiveInstant": "2023-01-02T08:00:00Z"}, ("effectiveInstant", "2023-01-02T08:00:00Z", None)),
        (
            {"effectivePeriod": {"start": "2023-01-02", "end": "2023-01-04"}},
            ("effectivePeriod", "2023-01-02", "2023-01-04"),
        ),
        ({"effectivePeriod": {"start": "2023-01-02"}}, ("effectivePeriod", "2023-01-02", None)),
        (
            {"effectiveTiming": {"event": ["2023-01-04", "2023-01-02"]}},
            ("effectiveTiming", "2023-01-02", "2023-01-04"),
        ),
        ({}, ("", None, None)),
    ],
)
def test_when_of_an_observation(elements: dict[str, Any], span: tuple[Any, ...]) -> None:
    """profiles.md §1.3: dateTime, Period, and since R4 Timing and instant; a period may lack its end."""
    when = read(observation(**elements)).when

    assert (when.element, when.start, when.end) == span


def test_links_of_an_observation() -> None:
    """STU3 related with its kind, later hasMember and derivedFrom."""
    target = {"reference": "Observation/o2"}
    stu3 = read(observation(related=[{"type": "has-member", "target": target}]), "STU3")
    later = read(observation(hasMember=[target], derivedFrom=[{"reference": "Observation/o3"}]))

    assert [r.reference for r in stu3.members] == [r.reference for r in later.members] == ["Observation/o2"]
    assert [r.reference for r in later.sources] == ["Observation/o3"]


@pytest.mark.parametrize(
    ("elements", "version", "code"),
    [
        ({"status": "done"}, "R4", "wrong_shape"),
        ({"valueQuantity": {"value": "9.5"}}, "R4", "wrong_shape"),
        ({"valueQuantity": {"value": 1}, "valueString": "1"}, "R4", "several_values"),
        ({"valueInteger": 1}, "STU3", "version_contradiction"),
        ({"related": []}, "R4", None),
        ({"bodyStructure": {"reference": "BodyStructure/b"}}, "R4", "version_contradiction"),
        ({"modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}, "R4", "unknown_modifier"),
        ({"code": None}, "R4", "wrong_shape"),
    ],
)
def test_what_is_refused(elements: dict[str, Any], version: str, code: str | None) -> None:
    """Strict on what we read: code lists, numbers, one value[x], elements of the declared version."""
    resource = observation(**elements)
    if code is None:
        assert read(resource, version).status == "final"
        return
    with pytest.raises(Unreadable) as refused:
        read(resource, version)

    assert refused.value.code == code


def test_missing_status_is_refused() -> None:
    """profiles.md §8.13: 2.6 % of real records lack a required element."""
    with pytest.raises(Unreadable) as refused:
        read({"resourceType": "Observation", "code": CODE})

    assert (refused.value.code, refused.value.element) == ("missing_element", "status")


def test_number_of_an_observation() -> None:
    """An integer, or a quantity without comparator."""
    assert read(observation(valueInteger=3)).number == 3
    assert read(observation(valueQuantity={"value": 3, "comparator": "<"})).number is None


def test_status_of_the_backport() -> None:
    """R4 has no status: the research profile carries it in a modifierExtension."""
    url = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/status"
    told = read(event(actuality="actual", modifierExtension=[{"url": url, "valueCode": "entered-in-error"}]))

    assert told.entered_in_error
    assert read(event(status="entered-in-error"), "R5").entered_in_error
    assert not read(event(actuality="actual")).entered_in_error


@pytest.mark.parametrize(
    ("version", "elements", "onsets"),
    [
        ("R4", {"date": "2023-02-10", "detected": "2023-02-08"}, (("date", "2023-02-10"), ("detected", "2023-02-08"))),
        ("R5", {"occurrencePeriod": {"start": "2023-02-10"}}, (("occurrencePeriod.start", "2023-02-10"),)),
        (
            "R5",
            {"occurrenceTiming": {"event": ["2023-02-11", "2023-02-10"]}},
            (("occurrenceTiming.event", "2023-02-10"),),
        ),
        ("STU3", {"date": "2023-02-10"}, (("date", "2023-02-10"),)),
        ("R4", {"recordedDate": "2023-02-10"}, ()),
    ],
)
def test_onsets(version: str, elements: dict[str, Any], onsets: Any) -> None:
    """profiles.md §1.4: occurrence[x], date, detected; the recording date is no onset."""
    assert read(event(**elements), version).onsets == onsets


@pytest.mark.parametrize(
    ("version", "entity"),
    [
        ("STU3", {"instance": {"reference": "Medication/d"}, "causalityAssessment": {"text": "possible"}}),
        ("R4", {"instance": {"reference": "Medication/d"}, "causality": [{"assessment": {"text": "possible"}}]}),
        ("R4", {"instance": {"reference": "Medication/d"}, "causality": [{"productRelatedness": "possible"}]}),
        (
            "R5",
            {
                "instanceReference": {"reference": "Medication/d"},
                "causality": {"entityRelatedness": {"text": "possible"}},
            },
        ),
    ],
)
def test_suspects(version: str, entity: dict[str, Any]) -> None:
    """profiles.md §1.4: causality beside the instance, a list, or single."""
    (suspect,) = read(event(suspectEntity=[entity]), version).suspects

    assert suspect.reference.reference == "Medication/d"
    assert [judgement.text for judgement in suspect.judgements] == ["possible"]


@pytest.mark.parametrize(
    ("kind", "version", "elements"),
    [
        ("BodySite", "STU3", {"code": {"text": "lung"}}),
        ("BodyStructure", "R4", {"location": {"text": "lung"}}),
        ("BodyStructure", "R5", {"includedStructure": [{"structure": {"text": "lung"}}]}),
    ],
)
def test_site(kind: str, version: str, elements: dict[str, Any]) -> None:
    """BodySite.code, location, includedStructure.structure."""
    assert read({"resourceType": kind, **elements}, version).site.text == "lung"


@pytest.mark.parametrize(
    ("version", "status"), [("STU3", "active"), ("R4", {"coding": [{"system": "urn:c", "code": "active"}]})]
)
def test_status_of_a_condition(version: str, status: Any) -> None:
    """A plain code in STU3, a concept since R4."""
    assert read({"resourceType": "Condition", "clinicalStatus": status}, version).status == "active"


def test_one_stage_or_several() -> None:
    """STU3 has one stage, later versions a list."""
    stage = {"summary": {"text": "IVC"}}
    one = read({"resourceType": "Condition", "stage": stage}, "STU3")
    several = read({"resourceType": "Condition", "stage": [stage]})

    assert len(one.stages) == len(several.stages) == 1


def test_the_reader_of_a_report_in_each_version() -> None:
    """STU3 keeps the performer in `actor`; an interpreter goes before a performer."""
    stu3 = {"resourceType": "DiagnosticReport", "status": "final", "code": {"text": "CT"},
            "performer": [{"actor": {"reference": "Practitioner/r1"}}]}
    r4 = {**stu3, "performer": [{"reference": "Practitioner/r1"}]}
    interpreted = {**r4, "resultsInterpreter": [{"reference": "Practitioner/r2"}]}

    found = [decode("DiagnosticReport", body(one), version).readers[0].reference
             for one, version in ((stu3, "STU3"), (r4, "R4"), (interpreted, "R4"))]
    assert found == ["Practitioner/r1", "Practitioner/r1", "Practitioner/r2"]
