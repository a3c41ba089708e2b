"""Whatever a record holds, reading it never raises: mutated resources become facts, problems or doubts."""

import copy
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_adapter.domains.mapping import map_version
from tests.domains.study_words import LOINC, MEDDRA, NCIT, SCT, coded, observation, quantity, reading

AE = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/"
WHOLE: tuple[dict[str, Any], ...] = (
    observation(
        coded("718-7"),
        valueQuantity=quantity(9.5, "g/dL"),
        category=[coded("laboratory", "urn:c")],
        referenceRange=[{"low": quantity(12, "g/dL"), "high": {"value": 16}}],
        effectivePeriod={"start": "2023-01-02", "end": "2023"},
    ),
    observation(
        coded("21889-1"),
        focus=[{"reference": "BodyStructure/b1"}],
        method=coded("77477000", SCT),
        performer=[{"reference": "Practitioner/r1"}],
        valueQuantity=None,
        component=[{"code": coded("33728-7"), "valueQuantity": quantity(21, "mm")}],
    ),
    observation(coded("C96613", NCIT), valueCodeableConcept=coded("C18058", NCIT), method=coded("C124415", NCIT)),
    observation(
        coded("C94523", NCIT), valueCodeableConcept=coded("C94520", NCIT), focus=[{"reference": "BodyStructure/b"}]
    ),
    observation(coded("89247-1"), valueInteger=1),
    {
        "resourceType": "BodyStructure",
        "location": coded("39607008", SCT),
        "morphology": coded("1", SCT),
        "meta": {"profile": ["x"]},
        "identifier": [{"value": "L"}],
        "active": True,
    },
    {
        "resourceType": "AdverseEvent",
        "actuality": "actual",
        "event": coded("10002272", MEDDRA),
        "date": "2023-02-10",
        "detected": "2023-02-08",
        "severity": coded("severe", LOINC),
        "seriousness": {"text": "Grade 3"},
        "outcome": coded("C48275", NCIT),
        "suspectEntity": [
            {"instance": {"reference": "Medication/m"}, "causality": [{"assessment": {"text": "possible"}}]}
        ],
        "extension": [
            {"url": AE + "ae-grade", "valueCodeableConcept": coded("C41340", NCIT)},
            {
                "url": AE + "suspect-entity",
                "extension": [
                    {"url": "instance", "valueReference": {"reference": "#x"}},
                    {
                        "url": "causality",
                        "extension": [{"url": "entityRelatedness", "valueCodeableConcept": coded("C53258", NCIT)}],
                    },
                ],
            },
            {
                "url": AE + "mitigating-action",
                "extension": [{"url": "item", "valueCodeableConcept": coded("C49502", NCIT)}],
            },
        ],
        "modifierExtension": [{"url": AE + "status", "valueCode": "completed"}],
    },
    {
        "resourceType": "Condition",
        "code": coded("C73", "http://hl7.org/fhir/sid/icd-10-cm"),
        "onsetPeriod": {"start": "2022"},
        "stage": [{"summary": coded("IVC", "urn:s")}],
        "clinicalStatus": "active",
    },
    {"resourceType": "Encounter", "status": "finished", "class": {"code": "IMP"}, "period": {"start": "2023-01-01"}},
    {"resourceType": "DiagnosticReport", "status": "final", "code": coded("24627-2"), "category": [coded("RAD", "u")]},
    {
        "resourceType": "Sheet",
        "sheet": "lesions",
        "row": {"hospital": "west", "lesion": "BodyStructure/b", "role": "new"},
    },
    {"resourceType": "Sheet", "sheet": "assessments", "row": {"category": "overall", "value": "PR", "date": "2023-13"}},
)
ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=5),
    st.sampled_from(
        ["2024-13", "2024-03-31T23:30:00+08:00", "#", "urn:uuid:1", "/", "<", "\x00", "1e999", -1, 0, 10**30, 1e-30]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["value", "code", "coding", "text"]), st.text(max_size=3), max_size=2),
)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a resource."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in inner for place in [(*path, key), *_places(item, (*path, key))]]


@given(st.sampled_from(WHOLE), st.data(), st.sampled_from(["STU3", "R4", "R4B", "R5"]))
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_mutated_resources_never_raise(whole: dict[str, Any], data: st.DataObject, version: Any) -> None:
    """One to three places of a good resource replaced by something odd; the same bytes say the same twice."""
    resource = copy.deepcopy(whole)
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(_places(resource) or [("id",)]))
        holder = resource
        for key in place[:-1]:
            holder = holder[key]
        holder[place[-1]] = data.draw(ODD)
    body = msgspec.json.encode(resource)

    first = map_version(whole["resourceType"], body, reading(version))
    second = map_version(whole["resourceType"], body, reading(version))

    assert first == second
    assert not any("understood" in problem.message for problem in first.problems)
