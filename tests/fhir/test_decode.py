"""Decoding is strict on what is read, silent about the rest, and never repeats a value."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import fields

from fhir_adapter.core.problems import CODES
from fhir_adapter.fhir.decode import MAX_TEXT, Unreadable, _reader, contained, decode
from fhir_adapter.fhir.registry import TYPES
from tests.build import administration, body, concept, patient


def refused(resource_type: str, resource: Any, version: str = "R4") -> Unreadable:
    """The refusal of a resource (or of bytes)."""
    raw = resource if isinstance(resource, bytes) else body(resource)
    with pytest.raises(Unreadable) as caught:
        decode(resource_type, raw, version)
    assert caught.value.code in {code.name for code in CODES}
    return caught.value


def test_unknown_elements_are_legal() -> None:
    """A hospital may say more than we read."""
    found = decode("Patient", body(patient(gender="female", favouriteColour={"deep": [1, {"er": None}]})), "R4")

    assert found.gender == "female"


def test_a_number_keeps_its_digits() -> None:
    """13.20 is not 13.2, and a whole number is a decimal too."""
    raw = body(administration()).replace(b'"value":200', b'"value":13.20')
    whole = decode("MedicationAdministration", body(administration()), "R4")

    assert str(decode("MedicationAdministration", raw, "R4").dosage.dose.value) == "13.20"
    assert whole.dosage.dose.value == Decimal(200)


@pytest.mark.parametrize(
    ("resource", "code", "element"),
    [
        (administration(status=None), "missing_element", "status"),
        (administration(status="finished"), "wrong_shape", "status"),
        (administration(dosage={"dose": {"value": "200", "code": "mg"}}), "wrong_shape", "dosage.dose"),
        (administration(dosage=[{"dose": {"value": 200}}]), "wrong_shape", "dosage"),
        (administration(effectivePeriod={"start": "2023-01-02"}), "several_values", "effectiveDateTime"),
        (administration(medicationReference={"reference": "Medication/1"}), "several_values",
         "medicationCodeableConcept"),
        (administration(modifierExtension=[{"url": "https://x.example/not"}]), "unknown_modifier", "modifierExtension"),
        (administration(effectiveDateTime="2023\x00"), "bad_text", "effectiveDateTime"),
        (administration(medicationCodeableConcept={"text": "x" * (MAX_TEXT + 1)}), "bad_text",
         "medicationCodeableConcept.text"),
        (administration(resourceType="Observation"), "wrong_shape", "resourceType"),
        (administration(medicationCodeableConcept={"text": 5}), "wrong_shape", "medicationCodeableConcept.text"),
    ],
)
def test_what_is_read_must_be_right(resource: dict[str, Any], code: str, element: str) -> None:
    """A required element, a code list, a shape, one value[x], a readable text."""
    found = refused("MedicationAdministration", resource)

    assert (found.code, found.element) == (code, element)


@pytest.mark.parametrize("written", [b"1e999", b"1E+21", b"1e-21", b"1e99999999999999999999"])
def test_exponents_stay_within_twenty(written: bytes) -> None:
    """No hospital means 10^999 milligrams."""
    raw = body(administration()).replace(b'"value":200', b'"value":' + written)

    assert refused("MedicationAdministration", raw).code == "bad_number"


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "malformed_json"),
        (b"<html>", "malformed_json"),
        (body(patient())[:-1], "malformed_json"),
        (b'{"resourceType":"Patient","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "malformed_json"),
        (b'{"resourceType":"Patient","x":' + b"[" * 201 + b" " * 4096 + b"]" * 201 + b"}", "malformed_json"),
        (b'{"resourceType":"Patient","gender":"\\ud800"}', "malformed_json"),
        (b'{"resourceType":"Patient","birthDate":"\xff"}', "bad_text"),
        (b'{"resourceType":"Patient","active":NaN}', "malformed_json"),
        (b"[]", "wrong_shape"),
        (b"null", "wrong_shape"),
    ],
)
def test_bytes_that_are_no_resource(raw: bytes, code: str) -> None:
    """Broken JSON, too deep nesting, lone surrogates, other encodings, other things than objects."""
    assert refused("Patient", raw).code == code


def test_many_brackets_are_not_deep() -> None:
    """A record with a thousand flat lists, and brackets inside texts, is not nested."""
    wide = patient(gender="male", x=[[] for _ in range(1000)], y='"' + "[" * 500)

    assert decode("Patient", body(wide), "R4").gender == "male"


def test_a_refusal_never_repeats_the_value() -> None:
    """Messages name elements and rules only."""
    for resource in (
        administration(status="canary"), administration(effectiveDateTime={"canary": "canary"}),
        administration(dosage={"dose": {"value": "canary"}}), administration(modifierExtension=[{"url": "canary"}]),
        administration(effectiveDateTime="canary\x00"),
    ):
        found = refused("MedicationAdministration", resource)
        assert "canary" not in found.message + found.element


@pytest.mark.parametrize(
    ("version", "resource"),
    [
        ("R4", administration(notGiven=True)),
        ("R4", administration(medicationCodeableConcept=None, medication={"concept": concept(text="tislelizumab")})),
        ("R4B", administration(effectiveDateTime=None, occurenceDateTime="2023-01-02")),
        ("R5", administration()),
        ("STU3", administration(statusReason=[concept(text="nausea")])),
    ],
)
def test_elements_of_another_version(version: str, resource: dict[str, Any]) -> None:
    """An element that the hospital's declared version does not know: the record is not guessed at."""
    assert refused("MedicationAdministration", resource, version).code == "version_contradiction"


def test_contained_resources() -> None:
    """`#id` leads into the record itself; another type or id is not taken for it."""
    inside = {"resourceType": "Medication", "id": "m", "code": concept(text="tislelizumab")}
    holder = administration(contained=[{"resourceType": "Patient"}, inside])
    found = decode("MedicationAdministration", body(holder), "R4")

    assert contained(found, "#m", "Medication", "R4").code.text == "tislelizumab"
    assert contained(found, "#n", "Medication", "R4") is None
    assert contained(found, "#m", "Patient", "R4") is None


@pytest.mark.parametrize("resource_type", TYPES)
def test_what_is_rare_stands_together(resource_type: str) -> None:
    """No required element stands between rare ones: the one look at them would find something in every record."""
    for version in ("STU3", "R4", "R5"):
        between = fields(TYPES[resource_type])[_reader(resource_type, version).rare]

        assert not [field.name for field in between if field.required]
