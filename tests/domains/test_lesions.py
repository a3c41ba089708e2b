"""Lesions, their roles and their sizes: several carriers, one meaning; what is no RECIST size is refused."""

from typing import Any

import pytest

from tests.build import FakeRecords, hospital, row
from tests.domains.study_words import LOINC, NCIT, SCT, coded, facts, kinds, observation, only, quantity, says

MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/"
FOCUS = [{"reference": "BodyStructure/b1"}]
CT = coded("77477000", SCT)
DCM = "http://dicom.nema.org/resources/ontology/DCM"


def body(**elements: Any) -> dict[str, Any]:
    """A BodyStructure in the lung."""
    return {
        "resourceType": "BodyStructure",
        "id": "b1",
        "patient": {"reference": "Patient/p1"},
        "location": coded("39607008", SCT),
        **elements,
    }


def size(value: dict[str, Any] | None, axis: str = "33728-7", system: str = LOINC, **elements: Any) -> dict[str, Any]:
    """An mCODE tumour size with one component."""
    parts = [{"code": coded(axis, system), "valueQuantity": value}] if value is not None else []
    return observation(coded("21889-1"), **{"focus": FOCUS, "method": CT, "component": parts, **elements})


@pytest.mark.parametrize(
    ("value", "unit", "um"), [(14.3, "mm", 14300), (1.43, "cm", 14300), (5, "mm", 5000), (0.5, "cm", 5000)]
)
def test_size_in_whole_micrometres(value: float, unit: str, um: int) -> None:
    """1.43 cm are 14300 micrometres, exactly: float sums would flip RECIST thresholds."""
    fact = only(says(size(quantity(value, unit))), "lesion_measurement")

    assert (fact.size_um, fact.size_text, fact.size_unit, fact.state, fact.axis, fact.method) == (
        um,
        str(value),
        unit,
        "measured",
        "longest",
        "CT",
    )
    assert fact.lesion == "key-of-west-BodyStructure-b1"


@pytest.mark.parametrize(
    ("code", "system", "axis"),
    [
        ("33728-7", LOINC, "longest"),
        ("103339001", SCT, "longest"),
        ("103340004", SCT, "short"),
        ("C96685", NCIT, "short"),
    ],
)
def test_axis(code: str, system: str, axis: str) -> None:
    """profiles.md §5.1: mCODE, SNOMED (DICOM) and CDISC name the axis; mCODE alone knows no short one."""
    assert only(says(size(quantity(12, "mm"), code, system)), "lesion_measurement").axis == axis


def test_size_of_a_cdisc_record() -> None:
    """LDIAM as a record of its own, its value in valueQuantity."""
    fact = only(
        says(observation(coded("C96684", NCIT), focus=FOCUS, valueQuantity=quantity(21, "mm"))), "lesion_measurement"
    )

    assert (fact.axis, fact.size_um) == ("longest", 21000)


def test_other_dimension_is_not_a_diameter() -> None:
    """33729-5 is one of up to two other dimensions: not read."""
    mapped = says(size(quantity(9, "mm"), "33729-5"))

    assert facts(mapped, "lesion_measurement") == []


@pytest.mark.parametrize(("value", "unit"), [(2.1, "cm"), (210, "mm"), (1.9, "mm"), (21, "cm")])
def test_swapped_unit_is_doubted(value: float, unit: str) -> None:
    """profiles.md §8.2: above 200 mm or below 2 mm a diameter is implausible; 2.1 cm is not."""
    implausible = (value, unit) != (2.1, "cm")
    mapped = says(size(quantity(value, unit)))

    assert kinds(mapped) == (["unit_implausible"] if implausible else [])
    assert only(mapped, "lesion_measurement").size_um is not None


def test_unknown_unit_of_a_size() -> None:
    """Without a length that anybody knows there is no size, and a Doubt."""
    mapped = says(size({"value": 21}))

    assert only(mapped, "lesion_measurement").size_um is None
    assert [(d.kind, d.scope) for d in mapped.doubts] == [("unit_unknown", ("west", "", "tumor_size"))]


@pytest.mark.parametrize(
    "elements", [{"method": coded("787377000", SCT)}, {"focus": None, "specimen": {"reference": "Specimen/s1"}}]
)
def test_pathology_is_no_recist_size(elements: dict[str, Any]) -> None:
    """mCODE's own example puts a pathology size on a tumour; RECIST measures images."""
    mapped = says(size(quantity(21, "mm"), **elements))

    assert (mapped.outcome, mapped.reason) == ("ignored", "pathology_size_is_not_recist")


@pytest.mark.parametrize(
    ("elements", "state"),
    [
        ({"dataAbsentReason": coded("not-performed", "urn:dar")}, "not_evaluated"),
        (
            {"valueCodeableConcept": coded("too-small", "https://west.example/fhir/CodeSystem/lesion-state")},
            "too_small",
        ),
        ({"valueCodeableConcept": {"text": "Absent"}}, "absent"),
        ({"valueString": "too small to measure"}, "too_small"),
    ],
)
def test_state_in_the_place_of_a_size(elements: dict[str, Any], state: str) -> None:
    """Not evaluated is not zero; too small and absent are states of their own."""
    fact = only(says(size(None, **elements)), "lesion_measurement")

    assert (fact.state, fact.size_um) == (state, None)


def test_non_target_state() -> None:
    """CDISC TUMSTATE with the hospital's own answers."""
    answer = coded("progressed", "https://west.example/fhir/CodeSystem/lesion-state")
    fact = only(
        says(observation(coded("C96643", NCIT), focus=FOCUS, valueCodeableConcept=answer)), "lesion_measurement"
    )

    assert (fact.state, fact.axis) == ("progressed", None)


def test_measurement_without_lesion_is_refused() -> None:
    """A size that names no lesion cannot be followed over time."""
    mapped = says(size(quantity(21, "mm"), focus=None))

    assert (mapped.outcome, mapped.reason) == ("quarantined", "missing_element")


@pytest.mark.parametrize(
    ("version", "elements", "key"),
    [
        ("R5", {"focus": None, "bodyStructure": {"reference": "BodyStructure/b1"}}, "BodyStructure-b1"),
        (
            "STU3",
            {
                "focus": None,
                "bodySite": {
                    "extension": [
                        {
                            "url": "http://hl7.org/fhir/StructureDefinition/body-site-instance",
                            "valueReference": {"reference": "BodySite/b1"},
                        }
                    ]
                },
            },
            "BodySite-b1",
        ),
    ],
)
def test_lesion_of_other_versions(version: Any, elements: dict[str, Any], key: str) -> None:
    """R5 bodyStructure and STU3's extension of bodySite name the lesion as R4's focus does."""
    assert (
        only(says(size(quantity(21, "mm"), **elements), version), "lesion_measurement").lesion == f"key-of-west-{key}"
    )


def test_reader_by_the_settings() -> None:
    """endpoints.md §0.2: every performer is the investigator unless the settings list the person."""
    place = hospital(evaluators={"Practitioner/c1": "central 1"})
    by: dict[str, Any] = {"performer": [{"reference": "https://west.example/fhir/Practitioner/c1"}]}

    central = only(says(size(quantity(21, "mm"), **by), hospital=place), "lesion_measurement")
    routine = only(says(size(quantity(21, "mm"), **by)), "lesion_measurement")

    assert (central.evaluator, routine.evaluator) == ("central 1", "investigator")
    assert central.performer == routine.performer == "key-of-west-Practitioner-c1"


@pytest.mark.parametrize(
    ("code", "system", "role"),
    [("C94520", NCIT, "target"), ("C94521", NCIT, "non-target"), ("C94522", NCIT, "new"), ("112074", DCM, "target")],
)
def test_role_by_code(code: str, system: str, role: str) -> None:
    """CDISC TUMIDENT and DICOM carry the role that mCODE has no place for."""
    fact = only(
        says(observation(coded("C94523", NCIT), focus=FOCUS, valueCodeableConcept=coded(code, system))), "lesion"
    )

    assert (fact.lesion, fact.role) == ("key-of-west-BodyStructure-b1", role)


def test_mcode_tumour_has_no_role() -> None:
    """A BodyStructure alone is a lesion of unknown role at a known site: never a guess."""
    fact = only(says(body(meta={"profile": [MCODE + "mcode-tumor"]})), "lesion")

    assert (fact.role, fact.site, fact.node, fact.label) == (None, "lung", False, None)


def test_node_by_the_term_of_its_site() -> None:
    """A cervical lymph node is measured by its short axis."""
    assert only(says(body(location=coded("81105003", SCT))), "lesion").node is True


def test_role_by_the_hospitals_own_carrier() -> None:
    """[carriers.BodyStructure] lesion_role gives a text that the hospital's list maps."""
    place = hospital(id="east", fhir_version="R5")
    resource = {
        "resourceType": "BodyStructure",
        "includedStructure": [{"structure": coded("39607008", SCT)}],
        "patient": {"reference": "Patient/p1"},
    }
    fact = only(
        says(resource, "R5", hospital=place, carried=lambda name: ("non-target",) if name == "lesion_role" else ()),
        "lesion",
    )

    assert (fact.role, fact.site) == ("non-target", "lung")


def test_role_in_a_coded_extension() -> None:
    """The east hospital's own code list, in an extension of the body structure."""
    extension = {
        "url": "https://east.example/fhir/StructureDefinition/lesion-role",
        "valueCodeableConcept": coded("new", "https://east.example/fhir/CodeSystem/lesion-role"),
    }

    assert only(says(body(extension=[extension]), hospital=hospital(id="east")), "lesion").role == "new"


@pytest.mark.parametrize(
    "elements", [{"meta": {"profile": [MCODE + "mcode-radiotherapy-volume"]}}, {"morphology": coded("228793007", SCT)}]
)
def test_irradiated_volume_is_no_lesion(elements: dict[str, Any]) -> None:
    """A planning target volume is a BodyStructure too."""
    mapped = says(body(**elements))

    assert (mapped.outcome, mapped.reason) == ("ignored", "irradiated volume")


SOUTH = {"BodySite/s1": {"resourceType": "BodySite", "identifier": [{"value": "LES-1"}]}}


def sheet(**cells: str) -> dict[str, Any]:
    """A row of lesions.csv."""
    whole = {
        "hospital": "south",
        "lesion": "BodyStructure/s1",
        "role": "target",
        "site": "",
        "node": "",
        "irradiated_before": "",
        **cells,
    }
    return {"resourceType": "Sheet", "id": "lesions/1", **row("lesions", **whole)}


def records_of(name: str) -> FakeRecords:
    """The records of the south hospital, and of no other."""
    return {"south": FakeRecords("south", SOUTH)}[name]


@pytest.mark.parametrize("lesion", ["BodyStructure/s1", "BodySite/s1", "LES-1"])
def test_lesion_of_a_sheet(lesion: str) -> None:
    """A sheet names another hospital's lesion by reference, in either version's word, or by identifier value."""
    fact = only(
        says(sheet(lesion=lesion, node="yes", irradiated_before="no", site="neck_node"), records_of=records_of),
        "lesion",
    )

    assert fact.lesion == "key-of-south-BodySite-s1"
    assert (fact.role, fact.site, fact.node, fact.irradiated_before) == ("target", "neck_node", True, False)


@pytest.mark.parametrize(
    ("cells", "column"),
    [
        ({"role": "main"}, "role"),
        ({"hospital": "north"}, "hospital"),
        ({"lesion": "LES-9"}, "lesion"),
        ({"lesion": ""}, "lesion"),
        ({"node": "perhaps"}, "node"),
        ({"signed_by": ""}, "signed_by"),
    ],
)
def test_wrong_cell_is_named(cells: dict[str, str], column: str) -> None:
    """A mistake in a sheet is a Problem that names sheet and column, never the value."""
    mapped = says(sheet(**cells), records_of=records_of)

    assert [(p.code, p.origin.element) for p in mapped.problems] == [("sheet_cell", column)]
    assert all(value not in mapped.problems[0].message for value in cells.values() if value)
