"""What a mapper may ask while it reads one resource."""

from collections.abc import Callable
from functools import lru_cache
from typing import Any
from typing import Protocol as Interface

import msgspec

from fhir_adapter.core.concepts import Concepts, Match
from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.origins import Origin
from fhir_adapter.core.problems import Problem
from fhir_adapter.core.study import FhirVersion, Hospital, Protocol
from fhir_adapter.core.units import Units
from fhir_adapter.fhir.elements import CodeableConcept, Reference

_CODE_DOUBTS = {"unknown": "unmapped_code", "wider": "wider_code", "ambiguous": "ambiguous_coding"}
_CODE_MESSAGES = {
    "unmapped_code": "nobody has said yet what this code means here",
    "wider_code": "the code means more than any concept of the trial",
    "ambiguous_coding": "the codings of one element mean different things",
}


class Records(Interface):
    """The hospital's other records, as the vault has them now; asked through references only.

    Every look is remembered by the caller: when the referenced record changes, this one is read again.
    """

    def key(self, type: str, id: str) -> str:
        """The opaque key of a record of this hospital, whether or not we have it."""
        ...

    def body(self, type: str, id: str) -> bytes | None:
        """The bytes of the record's current version; None if it is unknown or deleted."""
        ...

    def keys_of_identifier(self, type: str, value: str) -> tuple[str, ...]:
        """Keys of this hospital's records of a type that carry a business identifier of that value."""
        ...


def _no_other_hospital(hospital: str) -> Records:
    raise KeyError(hospital)


class Reading(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The context of one resource: whose it is, what the trial asks, what codes mean, and where to look further.

    `subject` is the trial number; `subject_of(hospital patient id)` gives another patient's number or None.
    `carried` gives the hospital's own carriers (compiled FHIRPath, name -> values), empty for most.
    `records_of` gives another hospital's records by its id, for sheets; KeyError if the study has no such hospital.
    """

    hospital: Hospital
    version: FhirVersion
    protocol: Protocol
    concepts: Concepts
    units: Units
    origin: Origin
    subject: str
    records: Records
    carried: Callable[[str], tuple[str, ...]] = lambda name: ()
    records_of: Callable[[str], Records] = _no_other_hospital
    row: str = ""
    """Where a row of a supplement stood when it was read; empty for what is no row."""
    notes: dict[str, Any] = msgspec.field(default_factory=dict)
    """What one domain found out about this resource and another need not find out again (`once`)."""

    def once(self, name: str, find: "Callable[[Any, Reading], Any]", resource: Any) -> Any:
        """The answer of `find(resource, reading)`, found once for this resource."""
        found = self.notes.get(name)
        if found is None:
            found = self.notes[name] = find(resource, self)
        return found

    def look_up(self, concept_list: str, concept: CodeableConcept | None) -> Match:
        """What a CodeableConcept means in one list, for this hospital."""
        return self.concepts.look_up(concept_list, self.hospital.id, concept)

    def meanings(self, concept: CodeableConcept) -> dict[str, Match]:
        """What a CodeableConcept means in every list that knows it; the quickest way to say "not mine".

        Every domain of a type asks for the same element, and record after record says the same: both are remembered.
        """
        found = self.concepts.remembered.get((self.hospital.id, concept))
        return self.concepts.meanings(self.hospital.id, concept) if found is None else found

    def code_doubt(self, match: Match, element: str, *, holds: bool = True) -> Doubt:
        """The Doubt about a code that leads to no concept: one per code and hospital, not per record."""
        code = match.code
        kind = _CODE_DOUBTS[match.found]
        return Doubt(kind=kind, message=_CODE_MESSAGES[kind], origin=self.origin.at(element),
                     scope=(self.hospital.id, code.system, code.code), values=(code.system, code.code, code.display),
                     holds=holds)

    def problem(self, code: str, message: str, element: str = "", *, refuses: bool = False) -> Problem:
        """A Problem at an element of this record."""
        return Problem(code=code, message=message, origin=self.origin.at(element), refuses=refuses)

    def doubt(self, kind: str, message: str, element: str = "", values: tuple[str, ...] = ()) -> Doubt:
        """A Doubt about an element of this record."""
        return Doubt(kind=kind, message=message, origin=self.origin.at(element), values=values)

    def key_of(self, reference: Reference | None, type: str) -> str | None:
        """The opaque key that a reference points to; None for none, contained, or identifier-only references."""
        text = reference.reference if reference is not None else None
        identity = _target(text, type, self.hospital.base_url) if text else None
        return None if identity is None else self.records.key(*identity)

    def target(self, reference: Reference | None, type: str) -> tuple[str, str] | None:
        """Type and id of the hospital's own record that a reference names (`target`)."""
        return target(reference, type, self.hospital.base_url)


def target(reference: Reference | None, type: str, base: str = "") -> tuple[str, str] | None:
    """Type and id that a relative, absolute or versioned reference names; None if it names none.

    `type` is taken when the reference itself does not say (a bare id). `#contained` and `urn:` have no id here. The
    same id at another server is another record (Q32): an absolute reference counts only below `base`; without a base
    (files, whose server nobody asks) it counts.
    """
    text = reference.reference if reference is not None else None
    return _target(text, type, base) if text else None


@lru_cache(maxsize=4096)
def _target(text: str, type: str, base: str) -> tuple[str, str] | None:
    if text.startswith(("#", "urn:")):
        return None
    if base and "://" in text and not text.startswith(f"{base.rstrip('/')}/"):
        return None
    parts = text.split("/_history/")[0].rstrip("/").split("/")
    return (parts[-2], parts[-1]) if len(parts) > 1 else (type, parts[0])
