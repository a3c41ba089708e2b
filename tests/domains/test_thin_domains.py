"""Diagnoses, history, stays, biomarkers and tumour assessments: thin, but what they say is right."""

from typing import Any

import pytest

from fhir_adapter.core.concepts import ConceptList, ConceptRow, Concepts, Relationship
from fhir_adapter.domains.medication import group_of
from tests.domains.study_words import SCT, coded, facts, observation, only, quantity, reading, says, study

MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"


def with_row(name: str, system: str, code: str, concept: str) -> Concepts:
    """The study's lists with one row more."""
    known = study().concepts
    row = ConceptRow(system=system, code=code, display="", concept=concept, relationship=Relationship.EQUIVALENT)
    base = known.lists.get(name, ConceptList(name, ()))
    return Concepts({**known.lists, name: base.with_rows((row,))}, known.terms)


def cancer(**elements: Any) -> dict[str, Any]:
    """A thyroid cancer with mCODE's histology."""
    histology = {
        "url": MCODE + "mcode-histology-morphology-behavior",
        "valueCodeableConcept": coded("8021/3", "http://terminology.hl7.org/CodeSystem/icd-o-3"),
    }
    return {
        "resourceType": "Condition",
        "subject": {"reference": "Patient/p1"},
        "code": coded("C73", ICD10),
        "extension": [histology],
        "onsetDateTime": "2022-11",
        "recordedDate": "2022-12-24",
        **elements,
    }


def test_diagnosis() -> None:
    """profiles.md §2: C73 is any thyroid cancer, the histology makes it anaplastic; onset may be a month."""
    fact = only(says(cancer()), "diagnosis")

    assert (fact.concept, fact.histology, fact.onset.text) == ("thyroid_cancer", "anaplastic", "2022-11")


def test_recording_date_is_no_onset() -> None:
    """A condition without onset has none."""
    resource = cancer()
    del resource["onsetDateTime"]

    assert only(says(resource), "diagnosis").onset is None


@pytest.mark.parametrize("status", ["refuted", "entered-in-error"])
def test_denied_diagnosis(status: str) -> None:
    """A refuted or mistaken condition is none; STU3 writes the status as a plain code."""
    for version, stated in (("R4", coded(status, "urn:v")), ("STU3", status)):
        resource = {**cancer(verificationStatus=stated)}
        del resource["recordedDate"]

        assert says(resource, version).outcome == "ignored"  # type: ignore[arg-type]


def test_medical_history_by_the_studys_list() -> None:
    """A condition of the list, with its end."""
    resource = {
        "resourceType": "Condition",
        "code": coded("38341003", SCT),
        "abatementDateTime": "2020-01-05",
        "clinicalStatus": coded("resolved", "urn:c"),
    }
    fact = only(
        says(resource, concepts=with_row("medical_history", SCT, "38341003", "hypertension")), "medical_history"
    )

    assert (fact.concept, fact.end_date.text, fact.status) == ("hypertension", "2020-01-05", "resolved")


@pytest.mark.parametrize(
    ("version", "elements"),
    [
        (
            "R4",
            {
                "status": "finished",
                "class": {"system": ACT, "code": "IMP"},
                "period": {"start": "2023-03-01", "end": "2023-03-09"},
                "hospitalization": {
                    "dischargeDisposition": coded("exp", "http://terminology.hl7.org/CodeSystem/discharge-disposition")
                },
            },
        ),
        (
            "R5",
            {
                "status": "completed",
                "class": [coded("IMP", ACT)],
                "actualPeriod": {"start": "2023-03-01", "end": "2023-03-09"},
                "admission": {
                    "dischargeDisposition": coded("exp", "http://terminology.hl7.org/CodeSystem/discharge-disposition")
                },
            },
        ),
    ],
)
def test_stay(version: Any, elements: dict[str, Any]) -> None:
    """One coding in R4, a list of concepts in R5; both tell class, days and how it ended."""
    fact = only(says({"resourceType": "Encounter", **elements}, version), "hospital_stay")

    assert (fact.kind, fact.start_date.text, fact.end_date.text, fact.died) == (
        "inpatient",
        "2023-03-01",
        "2023-03-09",
        True,
    )


def test_planned_stay_is_none() -> None:
    """What was only planned did not take place."""
    assert says({"resourceType": "Encounter", "status": "planned", "class": {"code": "IMP"}}).reason == "status_planned"


def test_biomarker() -> None:
    """A marker by its text, with a coded result; with a number and its unit."""
    answer = {"text": "BRAF V600E"}
    by_code = only(says(observation(answer, valueCodeableConcept=coded("LA9633-4"))), "biomarker")
    by_number = only(says(observation({"text": "PD-L1"}, valueQuantity=quantity(40, "%"))), "biomarker")

    assert (by_code.marker, by_code.result) == ("braf_v600e", "LA9633-4")
    assert (by_number.marker, str(by_number.value), by_number.unit) == ("pd_l1", "40", "%")


def test_text_result_of_a_biomarker_is_not_carried() -> None:
    """Free text stays in the vault."""
    assert says(observation({"text": "PD-L1"}, valueString="see letter")).reason == "no_coded_result"


def test_tumour_assessment_as_a_record_of_its_own() -> None:
    """A panel or report that a study's list calls a tumour assessment; other reports are none."""
    known = with_row("response_assessment", "urn:local", "RESTAGING", "tumor_assessment")
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "code": coded("RESTAGING", "urn:local"),
        "category": [coded("77477000", SCT)],
        "effectivePeriod": {"start": "2023-03-01", "end": "2023-03-03"},
    }
    fact = only(
        says(report, concepts=known, carried=lambda name: ("Baseline",) if name == "visit" else ()), "tumor_assessment"
    )

    assert (fact.start_date.text, fact.end_date.text, fact.stated_baseline) == ("2023-03-01", "2023-03-03", True)
    assert facts(says({**report, "code": coded("24627-2")}, concepts=known), "tumor_assessment") == []


@pytest.mark.parametrize(("atc", "concept", "group"), [  # WHO ATC: H02A systemic corticosteroids, H03A thyroid
    ("H02AB02", "dexamethasone", "corticosteroid"), ("H03AA01", "levothyroxine", "thyroid_hormone"),
])
def test_concomitant_medication_has_the_group_of_its_atc_code(atc: str, concept: str, group: str) -> None:
    """What changes the reading of a value or an event; the longest listed prefix holds, and no prefix is no group."""
    record = {"resourceType": "MedicationStatement", "status": "active",
              "medicationCodeableConcept": coded(atc, "http://www.whocc.no/atc")}
    fact = only(says(record), "medication")

    assert (fact.concept, fact.drug_group) == (concept, group)
    assert group_of(reading(), "no such drug") is None


@pytest.mark.parametrize(("code", "marker"), [
    ("53844-7", "braf"), ("83052-1", "pd_l1"), ("83053-9", "pd_l1"), ("94076-7", "tmb"), ("81695-9", "msi"),
])
def test_biomarkers_by_loinc(code: str, marker: str) -> None:
    """Codes of the mCODE tumor marker value set, of HL7 genomics reporting and of the MII, as they are published."""
    found = only(says(observation(coded(code, "http://loinc.org"), valueQuantity=quantity(40, "%"))), "biomarker")

    assert found.marker == marker


@pytest.mark.parametrize(("code", "concept"), [
    ("59621000", "hypertension"), ("40930008", "hypothyroidism"), ("44054006", "diabetes"), ("128053003", "thrombosis"),
    ("111975006", "qt_prolongation"), ("85828009", "autoimmune_disease"),
])
def test_history_by_snomed_ct(code: str, concept: str) -> None:
    """What matters beside a checkpoint inhibitor and an inhibitor of angiogenesis."""
    told = only(says({"resourceType": "Condition", "subject": {"reference": "Patient/p1"}, "code": coded(code, SCT)}),
                "medical_history")

    assert told.concept == concept
