"""Radiotherapy as delivered: levels, volumes, units (profiles.md §4)."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_adapter.domains.mapping import Mapped, map_version
from tests.build import MCODE, SCT, body, concept, protocol, reading

FRACTIONATION = {"sbrt_max_fractions": 5, "sbrt_min_gy": 5, "low_dose_max_total_gy": 10, "low_dose_max_gy": 2,
                 "conventional_gy": [1.8, 2]}


def volume(total: float, unit: str, fractions: int | None = None, name: str = "ptv") -> dict[str, Any]:
    """mCODE's extension for the dose of one volume."""
    parts: list[dict[str, Any]] = [
        {"url": "volume", "valueReference": {"reference": f"BodyStructure/{name}"}},
        {"url": "totalDoseDelivered", "valueQuantity": {"value": total, "unit": unit, "code": unit}},
    ]
    if fractions is not None:
        parts.append({"url": "fractionsDelivered", "valueUnsignedInt": fractions})
    return {"url": MCODE + "mcode-radiotherapy-dose-delivered-to-volume", "extension": parts}


def procedure(code: str = "1217123003", *extensions: dict[str, Any], **elements: Any) -> dict[str, Any]:
    """A completed R4 radiotherapy Procedure (a course, if nothing else is said)."""
    return {"resourceType": "Procedure", "status": "completed", "code": concept(code, SCT),
            "performedPeriod": {"start": "2023-01-02", "end": "2023-02-10"}, "extension": list(extensions), **elements}


def mapped(resource: dict[str, Any]) -> Mapped:
    """What a Procedure says to a trial with thresholds for fractionation."""
    trial = protocol(radiotherapy={"fractionation": FRACTIONATION})
    return map_version("Procedure", body(resource), reading(protocol=trial))


def facts(found: Mapped, name: str) -> list[Any]:
    """The facts of one domain."""
    return [fact for domain, fact in found.facts if domain == name]


def test_w112_levels_stay_apart() -> None:
    """endpoint_examples W112: a course of 6600 cGy and its phases of 5000 and 1600 cGy; nothing is added here."""
    course = mapped(procedure("1217123003", volume(6600, "cGy", 33)))
    phases = [mapped(procedure("1222565005", volume(total, "cGy", n), partOf=[{"reference": "Procedure/c"}]))
              for total, n in ((5000, 25), (1600, 8))]

    assert [f.level for f in facts(course, "radiotherapy")] == ["course"]
    assert [(f.dose_cgy, f.fractions) for f in facts(course, "radiotherapy_volume")] == [(Decimal(6600), 33)]
    for phase in phases:
        assert [(f.level, f.part_of) for f in facts(phase, "radiotherapy")] == [("phase", "key-of-west-Procedure-c")]
        assert facts(phase, "anticancer_therapy") == []
    same = {f.volume for found in (course, *phases) for f in facts(found, "radiotherapy_volume")}
    assert same == {"key-of-west-BodyStructure-ptv"}


@pytest.mark.parametrize(
    ("total", "unit", "fractions", "cgy", "review", "derived"),
    [
        (60, "Gy", 30, Decimal(6000), None, "conventional"),
        (6000, "cGy", 30, Decimal(6000), None, "conventional"),
        (6000, "Gy", 30, None, "radiotherapy_dose_implausible", None),
        (35, "Gy", 5, Decimal(3500), None, "sbrt"),
        (60, "EQD2Gy", 5, None, "not_physical_dose", None),
        (59.4, "Gy", 33, Decimal(5940), None, "conventional"),
        (2, "Gy", 2, Decimal(200), None, "low_dose"),
        (30, "Gy", 10, Decimal(3000), None, "other"),
    ],
)
def test_w114_units_and_physical_dose(
    total: float, unit: str, fractions: int, cgy: Decimal | None, review: str | None, derived: str | None
) -> None:
    """endpoint_examples W114 and neighbours: exact cGy, never a guess; the class is derived, not stated."""
    found = mapped(procedure("1217123003", volume(total, unit, fractions)))
    one = facts(found, "radiotherapy_volume")[0]

    assert (one.dose_cgy, one.fractions, one.dose_unit) == (cgy, fractions, unit)
    assert one.dose_text == str(total)
    assert [x.kind for x in found.doubts] + [x.code for x in found.problems] == ([review] if review else [])
    assert facts(found, "radiotherapy")[0].derived_class == derived


@pytest.mark.parametrize(
    ("resource", "reason"),
    [
        (procedure(status="not-done"), "not_done"),
        (procedure(status="preparation"), "planned_only"),
        ({**procedure(), "code": concept("RT-PLAN", "urn:local")}, "planned_only"),
    ],
)
def test_what_was_never_delivered_is_ignored(resource: dict[str, Any], reason: str) -> None:
    """endpoint_examples W114, last row: not-done is not treated; a plan is no dose."""
    found = mapped(resource)

    assert (found.outcome, found.reason, found.facts) == ("ignored", reason, ())


def test_overlapping_volumes_are_kept_apart() -> None:
    """A boost inside the main volume is a second fact; the class follows the highest dose."""
    found = mapped(procedure("1217123003", volume(50, "Gy", 25), volume(66, "Gy", 33, "boost")))

    assert [f.dose_cgy for f in facts(found, "radiotherapy_volume")] == [Decimal(5000), Decimal(6600)]
    assert [f.element for f in facts(found, "radiotherapy_volume")] == ["extension[0]", "extension[1]"]
    assert facts(found, "radiotherapy")[0].derived_class == "conventional"


def test_a_course_summary_in_full() -> None:
    """Modality, technique, sessions, site, intent, an end that is no completion, and the therapy it is."""
    modality = {"url": MCODE + "mcode-radiotherapy-modality-and-technique", "extension": [
        {"url": MCODE + "mcode-radiotherapy-modality", "valueCodeableConcept": concept("1156506007", SCT)},
        {"url": MCODE + "mcode-radiotherapy-technique", "valueCodeableConcept": concept("441799006", SCT)}]}
    found = mapped(procedure(
        "1217123003", modality, {"url": MCODE + "mcode-radiotherapy-sessions", "valueUnsignedInt": 12},
        {"url": MCODE + "mcode-procedure-intent", "valueCodeableConcept": concept("363676003", SCT)},
        status="in-progress", bodySite=[concept("69748006", SCT)],
    ))
    one = facts(found, "radiotherapy")[0]

    assert (one.modality, one.technique, one.sessions, one.site, one.intent) == (
        "photons", "imrt", 12, "thyroid", "palliative")
    assert (one.status, one.start_date.text, one.end_date.text) == ("in-progress", "2023-01-02", "2023-02-10")
    assert [(f.kind, f.therapy, f.stated_role) for f in facts(found, "anticancer_therapy")] == [
        ("radiotherapy", "radiotherapy", None)]


def test_without_thresholds_nothing_is_derived() -> None:
    """The thresholds are the trial's own (profiles.md §4.3: unverified), never a silent default."""
    found = map_version("Procedure", body(procedure("1217123003", volume(35, "Gy", 5))), reading())

    assert facts(found, "radiotherapy")[0].derived_class is None


def test_an_unknown_dose_unit_is_asked_about() -> None:
    """The course stands, its dose waits."""
    found = mapped(procedure("1217123003", volume(60, "rad")))

    assert [d.kind for d in found.doubts] == ["unit_unknown"]
    assert facts(found, "radiotherapy_volume")[0].dose_cgy is None


def test_operations_and_other_procedures() -> None:
    """A thyroidectomy is also a treatment of the cancer; a tracheostomy is not."""
    operation = mapped(procedure("13619001"))
    airway = mapped(procedure("48387007", status="stopped"))

    assert [(n, f.element) for n, f in operation.facts] == [
        ("anticancer_therapy", "performedPeriod"), ("procedure", "performedPeriod")]
    assert facts(operation, "anticancer_therapy")[0].kind == "surgery"
    assert [(n, f.status) for n, f in airway.facts] == [("procedure", "stopped")]  # type: ignore[attr-defined]


MII = "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/StructureDefinition/"
GRAY = {"unit": "Gy"}


@pytest.mark.parametrize("extensions", [
    [{"url": f"{MII}mii-ex-onko-strahlentherapie-bestrahlung", "extension": [
        {"url": "Gesamtdosis", "valueQuantity": {"value": 60, **GRAY}},
        {"url": "Einzeldosis", "valueQuantity": {"value": 12, **GRAY}}]}],
    [{"url": f"{MII}mii-ex-onko-strahlentherapie-bestrahlung-einzeldosis", "valueQuantity": {"value": 12, **GRAY}},
     {"url": f"{MII}mii-ex-onko-strahlentherapie-bestrahlung-gesamtdosis", "valueQuantity": {"value": 60, **GRAY}}],
])
def test_the_dose_of_one_fraction_where_the_record_says_it(extensions: list[dict[str, Any]]) -> None:
    """MII oncology, before and since 2026 (its example: 60 Gy, 12 Gy each); the unit is a text. mCODE has none."""
    (found,) = facts(mapped(procedure("1217123003", *extensions)), "radiotherapy_volume")

    assert (found.dose_cgy, found.fraction_cgy, found.fractions) == (Decimal(6000), Decimal(1200), None)
    (mcode,) = facts(mapped(procedure("1217123003", volume(6600, "cGy", 33))), "radiotherapy_volume")
    assert mcode.fraction_cgy is None


def test_a_fraction_has_its_own_dose_and_is_no_treatment_of_its_own() -> None:
    """CodeX RT treated-fraction (SCT 1297069006): its total is the dose of that fraction; part of a course it is no
    other treatment, alone it is the only statement of one."""
    part = mapped(procedure("1297069006", volume(200, "cGy"), partOf=[{"reference": "Procedure/c"}]))
    alone = mapped(procedure("1297069006", volume(200, "cGy")))

    for found in (part, alone):
        assert [fact.level for fact in facts(found, "radiotherapy")] == ["fraction"]
        assert [(fact.dose_cgy, fact.fractions) for fact in facts(found, "radiotherapy_volume")] == [(200, None)]
    assert facts(part, "anticancer_therapy") == []
    assert [fact.kind for fact in facts(alone, "anticancer_therapy")] == ["radiotherapy"]
