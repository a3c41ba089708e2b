"""Procedure, row by row of profiles.md §1.2 and §4."""

from typing import Any

import pytest

from fhir_adapter.fhir.decode import Unreadable, decode
from tests.build import MCODE, SCT, body, concept


def read(version: str = "R4", **elements: Any) -> Any:
    """A completed procedure."""
    return decode("Procedure", body({"resourceType": "Procedure", "status": "completed", **elements}), version)


@pytest.mark.parametrize(
    ("version", "elements", "status"),
    [
        ("STU3", {"status": "suspended"}, "on-hold"),
        ("STU3", {"status": "aborted"}, "stopped"),
        ("STU3", {"notDone": True}, "not-done"),
        ("R4", {"status": "not-done"}, "not-done"),
        ("R4", {"status": "stopped"}, "stopped"),
        ("R5", {"status": "on-hold"}, "on-hold"),
    ],
)
def test_statuses_in_r4_words(version: str, elements: dict[str, Any], status: str) -> None:
    """STU3's suspended, aborted and notDone have other names since R4."""
    assert read(version, **elements).r4_status == status


@pytest.mark.parametrize(
    ("version", "element", "value", "start", "end"),
    [
        ("STU3", "performedDateTime", "2023-01", "2023-01", None),
        ("R4", "performedPeriod", {"start": "2023-01-02"}, "2023-01-02", None),
        ("R5", "occurrenceDateTime", "2023-01-02", "2023-01-02", None),
        ("R5", "occurrencePeriod", {"start": "2023-01-02", "end": "2023-02"}, "2023-01-02", "2023-02"),
        ("R5", "occurrenceTiming", {"repeat": {"boundsPeriod": {"start": "2023-01-02"}}}, "2023-01-02", None),
    ],
)
def test_times(version: str, element: str, value: Any, start: str, end: str | None) -> None:
    """`performed[x]`, in R5 `occurrence[x]`."""
    when = read(version, **{element: value}).when

    assert (when.element, when.start, when.end) == (element, start, end)


@pytest.mark.parametrize(
    ("element", "value"),
    [("performedString", "spring 2023"), ("performedAge", {"value": 61}), ("performedRange", {"low": {"value": 1}})],
)
def test_times_that_name_no_day(element: str, value: Any) -> None:
    """They are legal and yield no date; beside a date they are a second value."""
    assert read(**{element: value}).when.start is None
    with pytest.raises(Unreadable) as caught:
        read(**{element: value, "performedDateTime": "2023"})
    assert caught.value.code == "several_values"


def test_reasons() -> None:
    """statusReason since R4, notDoneReason in STU3, mCODE's extension before STU4."""
    extension = {"url": MCODE + "mcode-treatment-termination-reason", "valueCodeableConcept": concept(text="why")}

    for found in (
        read("R4", statusReason=concept(text="why")), read("STU3", notDoneReason=concept(text="why")),
        read("R4", extension=[extension]),
    ):
        assert [reason.text for reason in found.reasons] == ["why"]


def test_the_german_shape() -> None:
    """MII oncology: one extension per target with Gesamtdosis, Strahlenart and Applikationsart."""
    url = "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/StructureDefinition/"
    found = read(extension=[{"url": url + "mii-ex-onko-strahlentherapie-bestrahlung", "extension": [
        {"url": "Gesamtdosis", "valueQuantity": {"value": 60, "code": "Gy"}},
        {"url": "Strahlenart", "valueCodeableConcept": concept("UH")},
        {"url": "Applikationsart", "valueCodeableConcept": concept("P-ST")},
    ]}])

    assert [(dose.element, dose.dose.value) for dose in found.doses] == [("extension[0]", 60)]
    assert (found.modality.codes[0].code, found.technique.codes[0].code) == ("UH", "P-ST")


def test_older_modality_outside_its_wrapper() -> None:
    """Before STU3 mCODE put modality and technique directly on the Procedure."""
    found = read(extension=[{"url": MCODE + "mcode-radiotherapy-modality",
                             "valueCodeableConcept": concept("1156506007", SCT)}])

    assert found.modality.codes[0].code == "1156506007"
    assert found.technique is None
