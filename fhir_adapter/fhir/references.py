"""What a record leans on that no question about patients brings: today the Medication of a drug record."""

import msgspec

from fhir_adapter.fhir.elements import CodeableReference, Element, Reference

LEANING = frozenset({"MedicationAdministration", "MedicationStatement", "MedicationRequest", "MedicationDispense"})
"""Types whose drug may stand in a record of its own."""


class _Drug(Element, frozen=True, kw_only=True):
    medication_reference: Reference | None = None
    medication: CodeableReference | None = None


_decoder = msgspec.json.Decoder(_Drug)


def medication_id(type: str, body: bytes) -> str | None:
    """The id of the Medication that a drug record refers to at the same server; None for none, contained or `urn:`."""
    if type not in LEANING:
        return None
    try:
        drug = _decoder.decode(body)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None  # mapping says what is wrong with it
    reference = drug.medication_reference or (drug.medication.reference if drug.medication is not None else None)
    text = reference.reference if reference is not None else None
    if not text or text.startswith(("#", "urn:")):
        return None
    parts = text.split("/_history/")[0].split("/")
    return parts[-1] if len(parts) > 1 and parts[-2] == "Medication" else None
