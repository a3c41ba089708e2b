"""Small builders for tests: FHIR resources as bytes, and a Reading with strict fakes."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import msgspec

from fhir_adapter.core.concepts import ConceptList, ConceptRow, Concepts, Relationship
from fhir_adapter.core.origins import Origin
from fhir_adapter.core.study import FhirVersion, Hospital, Protocol
from fhir_adapter.core.units import Unit, Units
from fhir_adapter.domains.reading import Reading

ATC = "http://www.whocc.no/atc"
SCT = "http://snomed.info/sct"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"


def body(resource: Mapping[str, Any]) -> bytes:
    """A resource as the bytes of its JSON."""
    return msgspec.json.encode(resource)


def concept(code: str = "", system: str = "", text: str | None = None) -> dict[str, Any]:
    """A CodeableConcept with one coding, or a text only."""
    found: dict[str, Any] = {"coding": [{"system": system, "code": code}]} if code else {}
    return found if text is None else {**found, "text": text}


def patient(id: str = "p1", **elements: Any) -> dict[str, Any]:
    """A Patient."""
    return {"resourceType": "Patient", "id": id, **elements}


def administration(**elements: Any) -> dict[str, Any]:
    """A completed R4 MedicationAdministration of 200 mg tislelizumab; elements may be replaced, None removes one."""
    whole = {
        "resourceType": "MedicationAdministration", "id": "m1", "status": "completed",
        "subject": {"reference": "Patient/p1"},
        "medicationCodeableConcept": concept("L01FF09", ATC),
        "effectiveDateTime": "2023-01-02T10:30:00+08:00",
        "dosage": {"dose": {"value": 200, "unit": "mg", "code": "mg"}},
        **elements,
    }
    return {name: value for name, value in whole.items() if value is not None}


def row(sheet: str, **cells: str) -> dict[str, Any]:
    """A signed row of a supplement."""
    return {"sheet": sheet, "row": {"subject": "ATC-001", "signed_by": "inv1", "signed_on": "2026-06-01", **cells}}


class FakeRecords:
    """The records of one hospital, by `Type/id`; keys are readable so that a wrong one is seen."""

    def __init__(self, hospital: str = "west", records: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self.hospital = hospital
        self.records = {name: body(resource) for name, resource in (records or {}).items()}

    def key(self, type: str, id: str) -> str:
        """A readable stand-in for the opaque key."""
        return f"key-of-{self.hospital}-{type}-{id}"

    def body(self, type: str, id: str) -> bytes | None:
        """The bytes of a record, if the test gave it."""
        return self.records.get(f"{type}/{id}")

    def keys_of_identifier(self, type: str, value: str) -> tuple[str, ...]:
        """Keys of the records of a type that carry an identifier of that value."""
        found = []
        for name, text in self.records.items():
            kind, _, number = name.partition("/")
            if kind == type and any(i.get("value") == value for i in msgspec.json.decode(text).get("identifier", [])):
                found.append(self.key(type, number))
        return tuple(found)


def rows(*lines: tuple[str, str, str], relationship: str = "equivalent") -> tuple[ConceptRow, ...]:
    """Concept rows from (system, code, concept)."""
    return tuple(
        ConceptRow(system=system, code=code, display="", concept=meaning, relationship=Relationship(relationship))
        for system, code, meaning in lines
    )


def concepts(**lists: tuple[ConceptRow, ...]) -> Concepts:
    """The study's concepts: those of the reference study that most tests need, and lists to add or replace."""
    known = {
        "drug": rows(
            (ATC, "L01FF09", "tislelizumab"), ("", "text:tislelizumab", "tislelizumab"),
            ("", "text:anlotinib", "anlotinib"), (ATC, "L01EC02", "dabrafenib"), (ATC, "H02AB02", "dexamethasone"),
        ),
        "route": rows((SCT, "47625008", "intravenous"), (SCT, "26643006", "oral"), (SCT, "34206005", "subcutaneous")),
        "reason": rows((SCT, "407563006", "not_tolerated")),
        "radiotherapy": rows(
            (SCT, "1217123003", "course"), (SCT, "1222565005", "phase"), (SCT, "1297069006", "fraction"),
            ("urn:local", "RT-PLAN", "planned"),
        ),
        "modality": rows((SCT, "1156506007", "photons")),
        "technique": rows((SCT, "441799006", "imrt"), (SCT, "395096001", "sbrt")),
        "body_site": rows((SCT, "69748006", "thyroid")),
        "procedure": rows(
            (SCT, "13619001", "thyroidectomy"), (SCT, "48387007", "tracheostomy"), (SCT, "77477000", "ct_scan"),
        ),
        **lists,
    }
    classes = {"tislelizumab": "study", "anlotinib": "study", "dabrafenib": "anticancer", "dexamethasone": "supportive"}
    roles = {"thyroidectomy": "anticancer", "tracheostomy": "supportive", "ct_scan": "other"}
    return Concepts(
        lists={name: ConceptList(name, lines) for name, lines in known.items()},
        terms={
            "drug": {name: {"class": drug_class} for name, drug_class in classes.items()},
            "procedure": {name: {"role": role} for name, role in roles.items()},
        },
    )


def units() -> Units:
    """Units of mass, volume and absorbed dose."""
    lines = (
        ("mg", "mass", Fraction(1)), ("g", "mass", Fraction(1000)), ("ug", "mass", Fraction(1, 1000)),
        ("mL", "volume", Fraction(1)), ("L", "volume", Fraction(1000)),
        ("cGy", "absorbed dose", Fraction(1)), ("Gy", "absorbed dose", Fraction(100)),
        ("{capsule}", "{capsule}", Fraction(1)),
    )
    return Units(tuple(Unit(written, written, dimension, factor) for written, dimension, factor in lines))


def hospital(**settings: Any) -> Hospital:
    """The West hospital, with other settings if given."""
    return Hospital(**{"id": "west", "name": "West hospital", **settings})


def protocol(**parts: Any) -> Protocol:
    """The reference study's protocol."""
    return Protocol.model_validate(
        {"trial": {"id": "ATC-PD1", "subject_system": "https://trial.example/atc-pd1/subject"}, **parts}
    )


def reading(
    version: FhirVersion = "R4", *, records: Mapping[str, Mapping[str, Any]] | None = None, **parts: Any
) -> Reading:
    """The context of one resource, with the reference study's words and the given records; parts may be replaced."""
    place: Hospital = parts.pop("hospital", None) or hospital(fhir_version=version)
    whole: dict[str, Any] = {
        "hospital": place, "version": version, "protocol": protocol(), "concepts": concepts(), "units": units(),
        "origin": Origin(hospital=place.id, type="", resource="0" * 32, ordinal=1), "subject": "ATC-001",
        "records": FakeRecords(place.id, records), **parts,
    }
    return Reading(**whole)
