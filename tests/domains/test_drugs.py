"""Doses of study drugs, other treatments of the cancer, and everything else that is taken."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_adapter.core.study import FhirVersion
from fhir_adapter.domains.mapping import Mapped, map_version
from tests.build import ATC, SCT, administration, body, concept, concepts, hospital, reading, rows

CAPSULES = {"resourceType": "Medication", "id": "cap", "code": concept(text="anlotinib"), "ingredient": [
    {"itemCodeableConcept": concept(text="anlotinib"),
     "strength": {"numerator": {"value": 4, "code": "mg"}, "denominator": {"value": 1, "code": "{capsule}"}}}]}


def mapped(resource: dict[str, Any], version: FhirVersion = "R4", **parts: Any) -> Mapped:
    """What a drug record says."""
    return map_version(resource["resourceType"], body(resource), reading(version, **parts))


def dose(resource: dict[str, Any], version: FhirVersion = "R4", **parts: Any) -> Any:
    """The one dose that it says."""
    found = mapped(resource, version, **parts)
    assert [name for name, _ in found.facts] == ["drug_administration"]
    return found.facts[0][1]


def statement(**elements: Any) -> dict[str, Any]:
    """An R4 statement of taking anlotinib for 14 days."""
    return {"resourceType": "MedicationStatement", "id": "s1", "status": "completed",
            "medicationCodeableConcept": concept(text="Anlotinib"),
            "effectivePeriod": {"start": "2023-01-02", "end": "2023-01-15"},
            "dosage": [{"route": concept("26643006", SCT),
                        "doseAndRate": [{"doseQuantity": {"value": 12, "unit": "mg", "code": "mg"}}]}], **elements}


def test_w120_the_r5_spelling_of_the_date() -> None:
    """endpoint_examples W120: `occurenceDateTime`, with one r, and the local day."""
    found = dose({
        "resourceType": "MedicationAdministration", "status": "completed",
        "medication": {"concept": {"text": "tislelizumab"}}, "subject": {"reference": "Patient/p1"},
        "occurenceDateTime": "2023-01-02T10:30:00+08:00",
    }, "R5")

    assert (found.start_date.text, found.drug) == ("2023-01-02", "tislelizumab")


def test_a_dose_as_written_and_in_milligrams() -> None:
    """0.2 g are 200 mg; both stand."""
    found = dose(administration(dosage={"dose": {"value": 0.2, "unit": "g", "code": "g"},
                                        "route": concept("47625008", SCT)}))

    assert (found.dose_mg, found.dose_text, found.dose_unit, found.route) == (Decimal(200), "0.2", "g", "intravenous")
    assert (found.given, found.evidence, found.element) == (True, "administered", "effectiveDateTime")


@pytest.mark.parametrize(
    ("elements", "version", "status", "given"),
    [
        ({"status": "not-done", "statusReason": [concept("407563006", SCT)]}, "R4", "not-done", False),
        ({"notGiven": True}, "STU3", "not-done", False),
        ({"status": "in-progress"}, "R4", "in-progress", True),
        ({"status": "stopped"}, "R4", "stopped", True),
        ({"dosage": {"dose": {"value": 0, "code": "mg"}}}, "R4", "completed", False),
        ({"dosage": {"dose": {"value": 0, "unit": "who knows"}}}, "R4", "completed", False),
        ({"dosage": None}, "R4", "completed", True),
    ],
)
def test_what_counts_as_given(elements: dict[str, Any], version: FhirVersion, status: str, given: bool) -> None:
    """An unknown dose is an exposure, a stated zero is none (endpoints.md §0.12)."""
    found = dose(administration(**elements), version)

    assert (found.status, found.given) == (status, given)


def test_why_it_was_not_given() -> None:
    """A reason that the study knows, as its concept."""
    found = dose(administration(status="not-done", statusReason=[concept(text="?"), concept("407563006", SCT)]))

    assert found.reason == "not_tolerated"


def test_with_a_rate_the_dose_is_the_total_amount() -> None:
    """168 mg over 14 days at 12 mg a day are 168 mg; a rate alone is a dose unknown, not refused."""
    rate = {"numerator": {"value": 12, "code": "mg"}, "denominator": {"value": 1, "code": "d"}}

    assert dose(administration(dosage={"dose": {"value": 168, "code": "mg"}, "rateRatio": rate})).dose_mg == 168
    assert dose(administration(dosage={"rateRatio": rate})).dose_mg is None


@pytest.mark.parametrize("by", ["reference", "contained"])
def test_capsules_with_the_strength_of_the_product(by: str) -> None:
    """3 capsules of 4 mg are 12 mg."""
    elements: dict[str, Any] = {
        "medicationCodeableConcept": None, "dosage": {"dose": {"value": 3, "unit": "{capsule}", "code": "{capsule}"}},
        "medicationReference": {"reference": "#cap" if by == "contained" else "https://w.example/fhir/Medication/cap"},
    }
    if by == "contained":
        elements["contained"] = [CAPSULES]
    found = dose(administration(**elements), records={"Medication/cap": CAPSULES})

    assert (found.drug, found.dose_mg) == ("anlotinib", Decimal(12))


def test_capsules_without_a_strength() -> None:
    """An exposure of unknown dose, and a problem that refuses nothing."""
    found = mapped(administration(dosage={"dose": {"value": 3, "unit": "{capsule}"}}))

    assert found.facts[0][1].dose_mg is None  # type: ignore[attr-defined]
    assert [(p.code, p.refuses, p.origin.element) for p in found.problems] == [("dose_unknown", False, "dosage.dose")]


def test_a_dose_with_a_comparator_is_no_number() -> None:
    """`< 200 mg` is not 200 mg."""
    assert dose(administration(dosage={"dose": {"value": 200, "comparator": "<", "code": "mg"}})).dose_mg is None


@pytest.mark.parametrize(
    ("reference", "code"),
    [({"reference": "Medication/9"}, "unresolved_reference"), ({"reference": "#none"}, "unresolved_reference"),
     ({"reference": "urn:uuid:1"}, "unresolved_reference"), ({"identifier": {"value": "7"}}, "unresolved_reference")],
)
def test_a_product_that_cannot_be_had(reference: dict[str, Any], code: str) -> None:
    """The record is quarantined until the product comes."""
    found = mapped(administration(medicationCodeableConcept=None, medicationReference=reference))

    assert (found.outcome, found.reason) == ("quarantined", code)


def test_a_contained_product_without_code() -> None:
    """profiles.md §8.10."""
    found = mapped(administration(medicationCodeableConcept=None, medicationReference={"reference": "#m"},
                                  contained=[{"resourceType": "Medication", "id": "m"}]))

    assert (found.outcome, found.reason) == ("quarantined", "missing_element")


def test_a_stated_period() -> None:
    """Statements rank below administrations; the dose is that of one intake."""
    found = dose(statement())

    assert (found.evidence, found.given, found.dose_mg, found.route) == ("stated", True, Decimal(12), "oral")
    assert (found.start_date.text, found.end_date.text) == ("2023-01-02", "2023-01-15")


def test_an_order_never_starts_a_clock() -> None:
    """It is kept as evidence `ordered`, not given."""
    order = {"resourceType": "MedicationRequest", "status": "completed", "authoredOn": "2023-01-02",
             "medicationCodeableConcept": concept(text="anlotinib")}

    assert (dose(order).evidence, dose(order).given) == ("ordered", False)


def test_text_only_codes() -> None:
    """In any script, whatever the case and the spaces."""
    known = concepts(drug=rows(("", "text:安罗替尼 胶囊", "anlotinib"), ("", "text:tislelizumab", "tislelizumab")))

    for text, drug in (("安罗替尼  胶囊", "anlotinib"), (" TISLELIZUMAB", "tislelizumab")):
        assert dose(administration(medicationCodeableConcept=concept(text=text)), concepts=known).drug == drug


def test_codings_that_disagree() -> None:
    """Two codings that lead to two drugs are a conflict, not a choice."""
    both = {"coding": [{"system": ATC, "code": "L01FF09"}, {"system": ATC, "code": "L01EC02"}]}

    assert mapped(administration(medicationCodeableConcept=both)).reason == "ambiguous_coding"


def test_other_drugs_go_elsewhere() -> None:
    """Class anticancer is a therapy, everything else a medication; what was not taken is ignored."""
    anticancer = mapped(administration(medicationCodeableConcept=concept("L01EC02", ATC)))
    supportive = mapped(administration(medicationCodeableConcept=concept("H02AB02", ATC)))
    not_done = mapped(administration(medicationCodeableConcept=concept("L01EC02", ATC), status="not-done"))
    ordered = mapped({"resourceType": "MedicationRequest", "status": "active",
                      "medicationCodeableConcept": concept("L01EC02", ATC)})

    assert [(name, fact.therapy, fact.kind) for name, fact in anticancer.facts] == [  # type: ignore[attr-defined]
        ("anticancer_therapy", "dabrafenib", "drug")]
    assert [(name, fact.concept) for name, fact in supportive.facts] == [  # type: ignore[attr-defined]
        ("medication", "dexamethasone")]
    assert (not_done.outcome, not_done.reason) == ("ignored", "not_done")
    assert (ordered.outcome, ordered.reason) == ("ignored", "ordered_only")


def test_a_reference_to_this_study_states_the_role() -> None:
    """Resolved by the study's identifier; another study's reference states nothing."""
    study = {"resourceType": "ResearchStudy", "id": "rs", "status": "active",
             "identifier": [{"system": "urn:study", "value": "ATC-PD1"}]}
    place = hospital(cohort={"research_study": "urn:study|ATC-PD1"})
    roles = []
    for name in ("ResearchStudy/rs", "ResearchStudy/other"):
        extension = {"url": "http://hl7.org/fhir/StructureDefinition/workflow-researchStudy",
                     "valueReference": {"reference": name}}
        found = mapped(administration(medicationCodeableConcept=concept("L01EC02", ATC), extension=[extension]),
                       hospital=place, records={"ResearchStudy/rs": study})
        roles.append(found.facts[0][1].stated_role)  # type: ignore[attr-defined]

    assert roles == ["study", None]


@pytest.mark.parametrize("said", [True, False, None])
def test_a_dose_of_less_than_full_strength_is_flagged(said: bool | None) -> None:
    """R5 `isSubPotent`: the dose counts as written, and its fact says so."""
    elements = {} if said is None else {"isSubPotent": said}
    found = dose({
        "resourceType": "MedicationAdministration", "status": "completed",
        "medication": {"concept": {"text": "tislelizumab"}}, "subject": {"reference": "Patient/p1"},
        "occurrenceDateTime": "2023-01-02", "dosage": {"dose": {"value": 200, "code": "mg"}}, **elements,
    }, "R5")

    assert (found.sub_potent, found.dose_mg, found.given) == (said, Decimal(200), True)
