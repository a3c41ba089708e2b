"""MedicationAdministration and its kin, row by row of profiles.md §1.1."""

from typing import Any

import pytest

from fhir_adapter.fhir.decode import decode
from tests.build import administration, body, concept


def read(version: str, **elements: Any) -> Any:
    """An administration of one version, built from the R4 one by removing what that version spells otherwise."""
    if version == "R5":
        elements = {"medicationCodeableConcept": None, "effectiveDateTime": None,
                    "medication": {"concept": concept(text="tislelizumab")}, **elements}
    return decode("MedicationAdministration", body(administration(**elements)), version)


def test_stu3_not_given_beats_its_status() -> None:
    """`notGiven = true` with `status = completed` is no exposure, and its reason is reasonNotGiven."""
    found = read("STU3", notGiven=True, reasonNotGiven=[concept(text="refused")])

    assert (found.given, found.r4_status, found.reasons[0].text) == (False, "not-done", "refused")
    assert read("STU3", notGiven=False).given


@pytest.mark.parametrize(
    ("status", "given"),
    [("completed", True), ("stopped", True), ("in-progress", True), ("not-done", False), ("on-hold", False),
     ("unknown", False)],
)
def test_r4_statuses(status: str, given: bool) -> None:
    """Never `completed` only: stopped is a partly given dose, a started infusion is one."""
    assert read("R4", status=status).given is given


@pytest.mark.parametrize("spelling", ["occurence", "occurrence"])
@pytest.mark.parametrize(
    ("form", "value", "start", "end"),
    [
        ("DateTime", "2023-01-02T10:30:00+08:00", "2023-01-02T10:30:00+08:00", None),
        ("Period", {"start": "2023-01-02", "end": "2023-01-15"}, "2023-01-02", "2023-01-15"),
        ("Timing", {"event": ["2023-01-03", "2023-01-02"]}, "2023-01-02", "2023-01-03"),
    ],
)
def test_r5_times_in_both_spellings(spelling: str, form: str, value: Any, start: str, end: str | None) -> None:
    """R5 publishes `occurence` with one r; the right spelling is accepted too."""
    when = read("R5", **{spelling + form: value}).when

    assert (when.element, when.start, when.end) == (spelling + form, start, end)


def test_the_drug_in_each_version() -> None:
    """`medication[x]` in STU3 and R4, a CodeableReference in R5."""
    assert read("STU3").drug[2] == "medicationCodeableConcept"
    assert read("R5").drug[0].text == "tislelizumab"
    by_reference = read("R5", medication={"reference": {"reference": "Medication/1"}}).drug
    assert (by_reference[0], by_reference[1].reference) == (None, "Medication/1")


@pytest.mark.parametrize("name", ["rateRatio", "rateQuantity", "rateSimpleQuantity"])
def test_every_spelling_of_a_rate(name: str) -> None:
    """With a rate present, the dose is the total amount."""
    rate = {"numerator": {"value": 12, "code": "mg"}} if name == "rateRatio" else {"value": 12, "code": "mg/d"}

    assert read("R4", dosage={"dose": {"value": 168, "code": "mg"}, name: rate}).dosage.has_rate


@pytest.mark.parametrize(
    ("version", "elements", "status", "given"),
    [
        ("STU3", {"status": "active", "taken": "y"}, "active", True),
        ("STU3", {"status": "completed", "taken": "n"}, "not-done", False),
        ("STU3", {"status": "active", "taken": "unk"}, "active", False),
        ("R4", {"status": "completed"}, "completed", True),
        ("R4", {"status": "not-taken"}, "not-done", False),
        ("R4", {"status": "intended"}, "intended", False),
        ("R4", {"status": "stopped"}, "stopped", True),
        ("R5", {"status": "recorded", "adherence": {"code": concept("taking")}}, "active", True),
        ("R5", {"status": "recorded", "adherence": {"code": concept("not-taking")}}, "not-done", False),
        ("R5", {"status": "recorded", "adherence": {"code": concept("stopped-as-directed")}}, "stopped", True),
        ("R5", {"status": "recorded", "effectivePeriod": {"start": "2023-01-02", "end": "2023-01-15"}}, "completed",
         True),
        ("R5", {"status": "draft"}, "intended", False),
    ],
)
def test_statements_in_each_version(version: str, elements: dict[str, Any], status: str, given: bool) -> None:
    """`taken` in STU3, `not-taken` in R4, `adherence` in R5 say whether the drug was taken."""
    found = decode("MedicationStatement", body({"resourceType": "MedicationStatement", **elements}), version)

    assert (found.r4_status, found.given) == (status, given)


def test_an_order_is_never_given() -> None:
    """MedicationRequest says what was ordered, in words of its own."""
    found = decode("MedicationRequest", body({"resourceType": "MedicationRequest", "status": "completed"}), "R4")
    forbidden = {"resourceType": "MedicationRequest", "status": "active", "doNotPerform": True}

    assert (found.given, found.r4_status) == (False, "completed")
    assert decode("MedicationRequest", body(forbidden), "R4").r4_status == "not-done"


def test_a_dispense_that_was_not_done() -> None:
    """STU3 says it in `notDone[x]`, later versions by status."""
    old = {"resourceType": "MedicationDispense", "status": "completed", "notDoneCodeableConcept": concept(text="none")}
    said = {"resourceType": "MedicationDispense", "status": "completed", "notDone": True}
    why = {"resourceType": "MedicationDispense", "notDoneReasonCodeableConcept": concept(text="none")}
    new = {"resourceType": "MedicationDispense", "status": "declined"}

    for one in (old, said, why):
        assert not decode("MedicationDispense", body(one), "STU3").given
    assert decode("MedicationDispense", body(new), "R4").r4_status == "not-done"


def test_the_dose_of_a_statement() -> None:
    """STU3 has it in the dosage, R4 and R5 in doseAndRate."""
    dose = {"value": 12, "code": "mg"}
    old = {"resourceType": "MedicationStatement", "status": "active", "dosage": [{"doseQuantity": dose}]}
    new = {**old, "dosage": [{"doseAndRate": [{}, {"doseQuantity": dose}]}]}

    for resource, version in ((old, "STU3"), (new, "R4")):
        assert decode("MedicationStatement", body(resource), version).dosage[0].dose.value == 12


@pytest.mark.parametrize(
    "ingredient",
    [
        {"itemCodeableConcept": concept(text="anlotinib"), "amount": {"numerator": {"value": 12, "code": "mg"}}},
        {"itemCodeableConcept": concept(text="anlotinib"), "strength": {"numerator": {"value": 12, "code": "mg"}}},
        {"item": {"concept": concept(text="anlotinib")}, "strengthRatio": {"numerator": {"value": 12, "code": "mg"}}},
        {"item": {"concept": concept(text="anlotinib")}, "strengthQuantity": {"value": 12, "code": "mg"}},
    ],
)
def test_strengths_of_each_version(ingredient: dict[str, Any]) -> None:
    """STU3 amount, R4 strength, R5 strength[x]."""
    found = decode("Medication", body({"resourceType": "Medication", "ingredient": [ingredient]}), "R4").ingredient[0]

    assert (found.concept.text, found.content.numerator.value) == ("anlotinib", 12)
