"""Which treatment component a reference or a concept of an adverse event means: a drug, or radiotherapy."""

from typing import Any

import msgspec

from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.problems import Problem
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import CodeableConcept, CodeableReference, Element, Reference

RADIOTHERAPY = "radiotherapy"
UNKNOWN = "unknown"
_DEPTH = 3


class Treatment(Element, frozen=True, kw_only=True):
    """What of a Procedure, a Medication or a record of its use tells which treatment it is."""

    resource_type: str = ""
    id: str | None = None
    code: CodeableConcept | None = None
    medication_codeable_concept: CodeableConcept | None = None
    medication_reference: Reference | None = None
    medication: CodeableReference | None = None
    contained: tuple[msgspec.Raw, ...] = ()


_DECODER = msgspec.json.Decoder(Treatment)


def component(
    reading: Reading, concept: CodeableConcept | None, reference: Reference | None, element: str, record: Any = None
) -> tuple[str, Doubt | Problem | None]:
    """The component, and what is doubtful about it; `unknown` when nothing tells."""
    return _follow(reading, concept, reference, element, record, _DEPTH)


def _follow(
    reading: Reading,
    concept: CodeableConcept | None,
    reference: Reference | None,
    element: str,
    record: Any,
    depth: int,
) -> tuple[str, Doubt | Problem | None]:
    if concept is not None and (concept.coding or concept.text):
        return _meant(reading, concept, element)
    found = _record(reading, reference, record) if depth else None
    if found is None:
        if reference is None:
            return UNKNOWN, None
        return UNKNOWN, reading.problem("unresolved_reference", "the suspect's record could not be had", element)
    use = found.medication
    drug = found.medication_codeable_concept or (use.concept if use is not None else None) or found.code
    link = found.medication_reference or (use.reference if use is not None else None)
    return _follow(reading, drug, link, element, found, depth - 1)


def _meant(reading: Reading, concept: CodeableConcept, element: str) -> tuple[str, Doubt | None]:
    meanings = reading.meanings(concept)
    if "radiotherapy" in meanings:
        return RADIOTHERAPY, None
    for name in ("drug", "procedure"):
        match = meanings.get(name)
        if match is not None and match.found == "mapped":
            return match.concept, None
    match = reading.look_up("drug", concept)
    return UNKNOWN, None if match.found == "unmatched" else reading.code_doubt(match, element, holds=False)


def _record(reading: Reading, reference: Reference | None, record: Any) -> Treatment | None:
    text = reference.reference if reference is not None else None
    if text and text.startswith("#") and record is not None:
        decoded = (_decoded(bytes(raw)) for raw in record.contained)
        return next((found for found in decoded if found is not None and found.id == text[1:]), None)
    identity = reading.target(reference, reference.type or "Medication") if reference is not None else None
    body = reading.records.body(*identity) if identity is not None else None
    return None if body is None else _decoded(body)


def _decoded(body: bytes) -> Treatment | None:
    try:
        return _DECODER.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None
