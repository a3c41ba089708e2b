"""Every record is accounted for, whatever its bytes (DESIGN §5.3)."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fhir_adapter.core.study import FhirVersion
from fhir_adapter.domains.mapping import Mapped, fact_key, map_version
from fhir_adapter.fhir.registry import TYPES
from tests.build import ATC, MCODE, SCT, administration, body, concept, patient, reading, row


def mapped(resource_type: str, resource: Any, version: FhirVersion = "R4", **parts: Any) -> Mapped:
    """What a resource (or bytes) says."""
    raw = resource if isinstance(resource, bytes) else body(resource)
    return map_version(resource_type, raw, reading(version, **parts))


def test_a_fact_makes_it_mapped() -> None:
    """A dose of a study drug."""
    found = mapped("MedicationAdministration", administration())

    assert (found.outcome, found.reason, [name for name, _ in found.facts]) == ("mapped", "", ["drug_administration"])


def test_a_doubt_makes_it_wait() -> None:
    """A drug code that nobody has mapped: one conflict per code and hospital, and no fact."""
    found = mapped("MedicationAdministration", administration(medicationCodeableConcept=concept("W-1", "urn:local")))

    assert (found.outcome, found.reason, found.facts) == ("waiting", "unmapped_code", ())
    assert [(d.kind, d.scope, d.origin.element) for d in found.doubts] == [
        ("unmapped_code", ("west", "urn:local", "W-1"), "medicationCodeableConcept")
    ]


@pytest.mark.parametrize(
    ("resource_type", "resource", "reason"),
    [
        ("MedicationAdministration", administration(status="entered-in-error"), "entered_in_error"),
        ("Group", {"resourceType": "Group", "member": []}, "supporting record"),
        ("ResearchStudy", {"resourceType": "ResearchStudy", "status": "active"}, "supporting record"),
        ("Medication", {"resourceType": "Medication"}, "supporting record"),
        ("Practitioner", {"resourceType": "Practitioner"}, "supporting record"),
        ("Procedure", {"resourceType": "Procedure", "status": "not-done", "code": concept("48387007", SCT)},
         "not_done"),
    ],
)
def test_what_does_not_count_is_ignored_with_a_reason(resource_type: str, resource: Any, reason: str) -> None:
    """Withdrawn, supporting, never done."""
    found = mapped(resource_type, resource)

    assert (found.outcome, found.reason, found.facts) == ("ignored", reason, ())


@pytest.mark.parametrize(
    ("resource_type", "resource", "code"),
    [
        ("Patient", b"{", "malformed_json"),
        ("MedicationAdministration", administration(status=None), "missing_element"),
        ("MedicationAdministration", administration(medicationCodeableConcept=None), "missing_element"),
        ("MedicationAdministration", administration(effectiveDateTime="2024-13"), "bad_date"),
        ("MedicationAdministration", administration(modifierExtension=[{"url": "urn:x"}]), "unknown_modifier"),
        ("Procedure", {"resourceType": "Procedure", "status": "completed"}, "missing_element"),
    ],
)
def test_what_cannot_be_used_is_quarantined(resource_type: str, resource: Any, code: str) -> None:
    """With the problem's code as the reason, and a problem that refuses."""
    found = mapped(resource_type, resource)

    assert (found.outcome, found.reason, found.facts) == ("quarantined", code, ())
    assert any(problem.refuses for problem in found.problems)


def test_a_bad_date_is_a_problem_at_its_element() -> None:
    """One domain loses its fact; the other domains of the record keep theirs."""
    found = mapped("Patient", patient(birthDate="1960-02-30", deceasedDateTime="2024-03-05"))

    assert found.outcome == "mapped"
    assert [name for name, _ in found.facts] == ["vital_status"]
    assert [(p.code, p.origin.element) for p in found.problems] == [("bad_date", "birthDate")]
    assert "1960" not in found.problems[0].message


@pytest.mark.parametrize(
    ("resource_type", "resource", "version", "element"),
    [
        ("ResearchSubject", {"resourceType": "ResearchSubject", "status": "active", "subject": {"reference": "x"},
                             "progress": [{"subjectState": concept("on-study"), "startDate": "2023-13"}]}, "R5",
         "progress[0].startDate"),
        ("Procedure", {"resourceType": "Procedure", "status": "completed", "code": concept("48387007", SCT),
                       "performedPeriod": {"start": "2023-01-02", "end": "soon"}}, "R4", "performedPeriod.end"),
        ("MedicationAdministration", administration(
            medicationCodeableConcept=None, medication={"concept": concept(text="tislelizumab")},
            effectiveDateTime=None, occurenceTiming={"event": ["0000-01-01"]}), "R5", "occurenceTiming.event[0]"),
        ("MedicationRequest", {"resourceType": "MedicationRequest", "medicationCodeableConcept":
                               concept("L01FF09", ATC), "authoredOn": "2023-2-1"}, "R4", "authoredOn"),
    ],
)
def test_bad_dates_are_found_wherever_they_stand(
    resource_type: str, resource: Any, version: FhirVersion, element: str
) -> None:
    """Inside lists, periods and timings."""
    found = mapped(resource_type, resource, version)

    assert [(p.code, p.origin.element) for p in found.problems] == [("bad_date", element)]


def test_an_unknown_procedure_code_waits() -> None:
    """Nobody claims it: the code is mapped or declared unmatched by a person."""
    found = mapped("Procedure", {"resourceType": "Procedure", "status": "completed", "code": concept("9", "urn:x")})

    assert [doubt.scope for doubt in found.doubts] == [("west", "urn:x", "9")]


def test_fact_keys() -> None:
    """128 bits of resource key, ordinal, domain, element and index; each of them counts."""
    fact = mapped("MedicationAdministration", administration()).facts[0][1]
    key = fact_key("r", 1, "drug_administration", fact)

    assert len(key) == 32
    assert key == fact_key("r", 1, "drug_administration", fact)
    assert len({key, fact_key("r", 2, "drug_administration", fact), fact_key("r", 1, "medication", fact)}) == 3


SEEDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("MedicationAdministration", administration(
        contained=[{"resourceType": "Medication", "id": "m",
                    "ingredient": [{"strength": {"numerator": {"value": 1}}}]}],
        extension=[{"url": "http://x/workflow-researchStudy", "valueReference": {"reference": "ResearchStudy/1"}}],
    )),
    ("MedicationStatement", {"resourceType": "MedicationStatement", "status": "active", "medicationReference":
                             {"reference": "Medication/1"},
                             "dosage": [{"doseAndRate": [{"doseQuantity": {"value": 1}}]}]}),
    ("Patient", patient(birthDate="1960-01-01", deceasedDateTime="2024", link=[
        {"other": {"reference": "Patient/2"}, "type": "replaced-by"}])),
    ("ResearchSubject", {"resourceType": "ResearchSubject", "status": "withdrawn", "individual": {"reference": "x"},
                         "period": {"start": "2023", "end": "2024"}}),
    ("ResearchSubject", {"resourceType": "ResearchSubject", "status": "active", "subject": {"reference": "x"},
                         "progress": [{"subjectState": concept("off-study"), "startDate": "2023"}]}),
    ("Procedure", {"resourceType": "Procedure", "status": "completed", "code": concept("1217123003", SCT),
                   "performedPeriod": {"start": "2023-01-02"}, "partOf": [{"reference": "Procedure/1"}],
                   "bodySite": [concept("69748006", SCT)],
                   "extension": [{"url": MCODE + "mcode-radiotherapy-dose-delivered-to-volume", "extension": [
                       {"url": "totalDoseDelivered", "valueQuantity": {"value": 60, "code": "Gy"}},
                       {"url": "fractionsDelivered", "valueUnsignedInt": 30}]}]}),
    ("Observation", {"resourceType": "Observation", "status": "final", "code": concept("718-7", "http://loinc.org"),
                     "valueQuantity": {"value": 1, "unit": "g/L"}, "effectiveDateTime": "2023-01-02"}),
    ("AdverseEvent", {"resourceType": "AdverseEvent", "actuality": "actual", "event": concept(text="Fatigue"),
                      "date": "2023", "suspectEntity": [{"instance": {"reference": "Medication/1"}}]}),
    ("Sheet", row("disposition", event="death", date="2024-01-01", cause="disease")),
    ("Sheet", row("therapies", kind="drug", therapy="dabrafenib", role="subsequent", start_date="2024-01")),
)
"""One record of each kind, to be broken."""

JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
    | st.sampled_from(["2024-13", "0000", "Patient/1", "#m", "urn:uuid:1", "EQD2Gy", "Gy", "-0", "completed", ATC]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place inside a resource."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


def broken(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The resource with something else at one place."""
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = broken(value[path[0]], path[1:], new)
    return copy


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_no_mutated_resource_raises(data: st.DataObject) -> None:
    """Whatever is put in whatever place: an outcome, and a reason unless it is mapped."""
    resource_type, resource = data.draw(st.sampled_from(SEEDS))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(places(resource)[1:]))
        try:
            resource = broken(resource, place, data.draw(JUNK))
        except (KeyError, IndexError, TypeError):
            continue
    version: FhirVersion = data.draw(st.sampled_from(["STU3", "R4", "R4B", "R5"]))
    raw = json.dumps(resource).encode()

    found = map_version(resource_type, raw, reading(version))

    assert found.outcome == "mapped" or found.reason
    assert (found.outcome == "mapped") is bool(found.facts)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.sampled_from(sorted(TYPES)), st.integers(0, 400))
def test_no_bytes_raise(junk: bytes, resource_type: str, at: int) -> None:
    """Bytes cut into a record anywhere."""
    raw = body(administration(resourceType=resource_type))
    found = map_version(resource_type, raw[:at] + junk + raw[at + len(junk) :], reading())

    assert found.outcome in ("mapped", "waiting", "ignored", "quarantined")
