"""The lean structures agree with fhir.resources on every element that we read (DESIGN §8 d)."""

import json
import random
from collections import Counter
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import fhirpathpy
import msgspec
import pytest

from fhir_adapter.fhir.conformance import R4_DIFFERENCES, Fault, faults
from fhir_adapter.fhir.decode import Unreadable, decode
from fhir_adapter.fhir.registry import TYPES
from tests.build import administration, body
from tests.fhir.agreement import (
    PACKAGES,
    Mutations,
    Record,
    corpus,
    differences,
    elements,
    fixtures,
    foreign_elements,
    model,
)

FAST, HARD = 1_500, 20_000
"""Round trips in each tier."""

ENCODER = msgspec.json.Encoder(decimal_format="number")
FHIR_TYPES = tuple(sorted(set(TYPES) - {"Sheet"}))

BESIDES = {
    "MedicationAdministration.dosage.rateSimpleQuantity": "the specification's text calls rateQuantity so",
    "MedicationAdministration.occurrenceDateTime": "R5 publishes it with one r; the right spelling is accepted too",
    "MedicationAdministration.occurrencePeriod": "the same",
    "MedicationAdministration.occurrenceTiming": "the same",
    "MedicationDispense.notDoneCodeableConcept": "STU3's page spells notDone[x]; its models notDoneReason[x]",
    "MedicationDispense.notDoneReference": "the same",
}
"""Elements that we read and no version's model has, each with its reason."""

STRICTER = {"unknown_modifier", "bad_number", "bad_text", "version_contradiction", "several_values"}
"""Problems that a model does not look for (profiles.md §7, §8; DESIGN §8); codes of required lists come beside."""

MORE_LENIENT = {
    ("Condition.category", "wrong shape"): "real servers send one concept for the list; it is not read",
    ("Condition.clinicalStatus", "wrong shape"): "STU3 has a code, and servers of R4 send it too",
    ("Condition.verificationStatus", "wrong shape"): "the same",
    ("Condition.subject", "missing"): "DSTU2-shaped strays call it patient; the page's head says whose it is",
    ("BodyStructure.includedStructure.structure", "missing"): "a structure that nobody names is no site",
    ("Medication.ingredient.item", "missing"): "a strength without its substance is looked for by nobody",
    ("MedicationStatement.adherence.code", "missing"): "an adherence without a code is read as one that nobody stated",
    ("AdverseEvent.suspectEntity.instance", "missing"): "the event stands; whom nobody names is the component unknown",
    ("Encounter.class", "missing"): "2.6 % of real records lack something (profiles.md §8.13)",
}
"""What a model refuses at an element that we read and we do not, each with its reason.

Dates, unknown elements and whatever we do not read come beside: a date is judged when somebody asks for it.
"""


@cache
def _records() -> list[Record]:
    return fixtures() + corpus()


def _required_codes(type: str, element: str) -> bool:
    """Whether an element of a lean structure is a closed list of codes."""
    kind: Any = TYPES[type]
    for name in element.partition("[")[0].split("."):
        field = next(one for one in msgspec.structs.fields(kind) if one.encode_name == name)
        kind = field.type
    if "[" in element:  # a list of structures: the closed list stands in one of them
        return any(get_origin(one.type) is Literal for one in msgspec.structs.fields(get_args(kind)[0]))
    return get_origin(kind) is Literal or any(get_origin(one) is Literal for one in get_args(kind))


def _contradictions(type: str, version: str, raw: bytes) -> list[str]:
    """What the two readers of the same bytes say differently."""
    breaches = tuple(one for one in faults(type, raw, version) if one.rule != "code outside its list")
    try:
        lean = decode(type, raw, version)
    except Unreadable as refusal:
        stricter = breaches or refusal.code in STRICTER or _required_codes(type, refusal.element)
        return [] if stricter else [f"{version} {type}: only we refuse {refusal.element} ({refusal.code})"]
    if not breaches:
        return [f"{version} {type} {said}" for said in differences(lean, model(type, version).model_validate_json(
            raw).model_dump())]
    read = _read(type)
    return [
        f"{version} {type}: only the model refuses {one.element} ({one.rule})" for one in breaches
        if one.element in read and one.rule not in ("unknown element", "wrong format")
        and (f"{type}.{one.element}", one.rule) not in MORE_LENIENT
    ]


@cache
def _read(type: str) -> frozenset[str]:
    return frozenset(elements(TYPES[type], (TYPES[type],)))


def _round_trips(seed: int, count: int) -> tuple[list[str], Counter[str]]:
    mutations, chosen = Mutations(seed), random.Random(seed)
    found: list[str] = []
    compared: Counter[str] = Counter()
    for number in range(count):
        version, type, resource = chosen.choice(_records())
        said = mutations.of(resource) if number % 3 else resource
        compared[version] += 1
        found += _contradictions(type, version, ENCODER.encode(said))
    return found, compared


def test_both_readers_say_the_same_of_every_element_that_we_read() -> None:
    """Fixtures, resources by other hands, and mutations of both, in every version."""
    found, compared = _round_trips(1, FAST)

    assert found == []
    assert set(compared) >= {"STU3", "R4", "R5"}


@pytest.mark.hard
@pytest.mark.parametrize("seed", range(2, 6))
def test_both_readers_say_the_same_of_many_more(seed: int) -> None:
    """The same with other seeds."""
    found, _ = _round_trips(seed, HARD // 4)

    assert found == []


def test_the_comparison_sees_a_difference() -> None:
    """A structure that lost a digit, a coding or a date would be found."""
    raw = body(administration())
    lean = decode("MedicationAdministration", raw, "R4")
    said = model("MedicationAdministration", "R4").model_validate_json(raw).model_dump()

    assert list(differences(lean, said)) == []
    said["dosage"]["dose"]["value"] = Decimal("200.5")
    said["effectiveDateTime"] = said["effectiveDateTime"].replace(day=28)
    said["medicationCodeableConcept"]["coding"] = []
    assert [one.partition(":")[0] for one in differences(lean, said)] == [
        "medicationCodeableConcept.coding", "effectiveDateTime", "dosage.dose.value"]


def test_every_element_that_we_read_is_one_of_some_version() -> None:
    """A misspelt element would be absent for ever, and nobody would notice."""
    missing = [foreign_elements(type) for type in sorted(set(FHIR_TYPES) - {"BodySite"})]

    # the type of a reference is R4's; below an element that STU3 alone has, no version has it
    assert {one for one in set().union(*missing) if not one.endswith(".type")} == set(BESIDES)


def test_r4_and_r4b_have_the_same_elements() -> None:
    """The published paths of R4 (fhirpathpy's model) against the R4B models; differences stand in one table."""
    folder = Path(fhirpathpy.__file__).parent / "models" / "r4"
    paths = json.loads((folder / "path2Type.json").read_text())
    choices = json.loads((folder / "choiceTypePaths.json").read_text())
    found = set()
    for type in sorted(set(FHIR_TYPES) - {"BodySite"}):
        own = {path for path in paths if path.count(".") == 1 and path.startswith(f"{type}.")}
        published = (own - set(choices)) | {f"{path}{form}" for path in own & set(choices) for form in choices[path]}
        known = {f"{type}.{field.alias or name}" for name, field in model(type, "R4B").model_fields.items()}
        found |= published - known
        # fhirpathpy lists no elements without a type of their own (backbone elements): those are looked for inside
        inner = {path.rsplit(".", 1)[0] for path in paths if path.startswith(f"{type}.") and path.count(".") == 2}
        base = {"extension", "id", "resource_type", "fhir_comments", "contained", "modifierExtension", "text",
                "implicitRules", "language", "meta", "resourceType"}
        found |= {one for one in known - published - inner if one.rsplit(".", 1)[1].lstrip("_") not in base
                  and "__ext" not in one and not one.rsplit(".", 1)[1].startswith("_")}

    assert found == set(R4_DIFFERENCES)


@pytest.mark.skipif(not corpus(), reason="the official examples are not beside this checkout")
def test_the_official_examples_of_r4_pass_the_r4b_models() -> None:
    """HL7's own examples of 4.0.1: whatever they use, the models of R4B know."""
    official = [one for one in corpus("hl7-examples") if one[0] == "R4"]

    assert len(official) > 1_000
    assert [type for _, type, resource in official if faults(type, ENCODER.encode(resource), "R4")] == []


@pytest.mark.parametrize(("resource", "expected"), [
    (administration(), ()),
    (administration(status=None), (Fault("status", "missing"),)),
    (administration(favouriteColour=1), (Fault("favouriteColour", "unknown element"),)),
    (administration(dosage=[{"text": "x"}]), (Fault("dosage", "wrong shape"),)),
    (administration(effectiveDateTime="2024-01-02T10:00"), (Fault("effectiveDateTime", "wrong format"),)),
    (administration(status="finished"), (Fault("status", "code outside its list"),)),
    (administration(effectiveDateTime=None), (Fault("", "one of several"),)),
])
def test_faults_name_the_element_and_the_rule(resource: dict[str, Any], expected: tuple[Fault, ...]) -> None:
    """And nothing of what the record holds."""
    assert faults("MedicationAdministration", body(resource), "R4") == expected


def test_faults_of_what_is_no_resource() -> None:
    """Bytes that are not JSON, a type that the version does not have."""
    assert faults("Patient", b"{", "R4") == (Fault("", "not JSON"),)
    assert faults("BodySite", b"{}", "R5") == (Fault("", "no such type"),)
    assert set(PACKAGES) == {"STU3", "R4", "R4B", "R5"}


@pytest.mark.parametrize(("twice", "expected"), [
    (b'{"resourceType": "Patient", "id": "p1", "gender": "male", "gender": "female"}', "gender"),
    (b'{"resourceType": "Patient", "id": "p1", "name": [{"family": "A"}, {"family": "B", "family": "C"}]}',
     "name.family"),
    (b'{"resourceType": "Patient", "id": "p1", "name": [{"family": "A", "\\u0066amily": "B"}]}', "name.family"),
])
def test_an_element_that_comes_twice_in_one_object_is_told(twice: bytes, expected: str) -> None:
    """JSON leaves open which one holds (RFC 8259, section 4), and the last one wins with us: whoever checks hears of
    it, however the name is escaped."""
    assert faults("Patient", twice, "R4") == (Fault(expected, "repeated element"),)


def test_the_same_element_in_two_objects_is_no_repetition() -> None:
    """Lists hold many objects with the same elements."""
    assert faults("Patient", b'{"resourceType": "Patient", "name": [{"family": "A"}, {"family": "B"}]}', "R4") == ()
