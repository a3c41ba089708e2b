"""What codes and units a hospital's records use, counted, and what they mean to the trial: read, never judged.

Each element that some domain looks up is listed here with the concept lists that may know it; a CodeableConcept counts
once, by the coding that decides (or its first one, where none is known).
"""

from collections import Counter
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import msgspec

from fhir_adapter.core.concepts import Concepts
from fhir_adapter.core.units import Units
from fhir_adapter.domains.mapping import CODE_LISTS
from fhir_adapter.domains.quantities import conversion
from fhir_adapter.fhir.decode import Unreadable, decode
from fhir_adapter.fhir.elements import CodeableConcept, Quantity
from fhir_adapter.fhir.registry import TYPES

_MEASURED = ("lab_result", "vital_sign")
_RANK = ("mapped", "wider", "ambiguous", "unmatched", "unknown")


class Use(msgspec.Struct, frozen=True, order=True):
    """One code or unit as a hospital uses it: where, what it is, and what it means to the trial.

    `kind`: `code` or `unit`. `found`: `mapped`, `wider`, `ambiguous`, `unmatched` or `unknown`; for a unit `mapped`
    (it converts to the test's own), `inconvertible` or `unknown`. `list` and `concept` say what it leads to; a unit's
    concept is the test it was found with. `code` of a text-only concept is `text:` and the normalised text.
    """

    kind: str
    type: str
    element: str
    system: str
    code: str
    display: str
    found: str
    list: str = ""
    concept: str = ""


_Read = Callable[[Any], Iterable[CodeableConcept | None]]

_DRUG: tuple[tuple[str, _Read, tuple[str, ...]], ...] = (("medication", lambda r: (r.drug[0],), ("drug",)),)

_CODED: dict[str, tuple[tuple[str, _Read, tuple[str, ...]], ...]] = {
    "AdverseEvent": (
        ("event", lambda r: (r.what,), ("adverse_event",)),
        ("outcome", lambda r: r.outcomes, ("ae_outcome",)),
        ("suspectEntity.causality", lambda r: (j for s in r.suspects for j in s.judgements), ("ae_relatedness",)),
        ("suspectEntity.instance", lambda r: (s.concept for s in r.suspects), ("drug", "radiotherapy")),
        ("seriousness-criteria", lambda r: r.criteria, ("ae_seriousness",)),
        ("mitigatingAction", lambda r: (action for _, action, _ in r.actions), ("ae_action",)),
    ),
    "BodyStructure": (("location", lambda r: (r.site,), ("body_site",)),),
    "BodySite": (("code", lambda r: (r.site,), ("body_site",)),),
    "Condition": (
        ("code", lambda r: (r.code,), CODE_LISTS["Condition"]),
        ("histology", lambda r: (r.morphology,), ("histology",)),
    ),
    "Encounter": (
        ("class", lambda r: (r.classes,), ("encounter_class",)),
        ("dischargeDisposition", lambda r: (r.discharge,), ("discharge",)),
    ),
    "Medication": (("code", lambda r: (r.code,), ("drug",)),),
    "MedicationAdministration": (
        *_DRUG,
        ("dosage.route", lambda r: (r.dosage.route if r.dosage is not None else None,), ("route",)),
        ("statusReason", lambda r: r.reasons, ("reason",)),
    ),
    "MedicationStatement": _DRUG, "MedicationRequest": _DRUG, "MedicationDispense": _DRUG,
    "Observation": (
        ("code", lambda r: (r.code,), CODE_LISTS["Observation"]),
        ("component.code", lambda r: (part.code for part in r.component), CODE_LISTS["Observation"]),
        ("method", lambda r: (r.method,), ("method", "criteria")),
    ),
    "Procedure": (
        ("code", lambda r: (r.code,), CODE_LISTS["Procedure"]),
        ("modality", lambda r: (r.modality,), ("modality",)),
        ("technique", lambda r: (r.technique,), ("technique",)),
        ("bodySite", lambda r: r.body_site, ("body_site",)),
        ("statusReason", lambda r: r.reasons, ("reason",)),
    ),
}


class Profile:
    """Counts the uses of one hospital's records; `unread` counts records that the lean structures refuse."""

    def __init__(self, hospital: str, version: str, concepts: Concepts, units: Units) -> None:
        self.hospital, self.version, self.concepts, self.units = hospital, version, concepts, units
        self.uses: Counter[Use] = Counter()
        self.unread = 0
        self._meant: dict[tuple[str, str, CodeableConcept], Use] = {}

    def add(self, type: str, body: bytes) -> None:
        """One record's bytes; a type that nobody asks for codes is passed over."""
        if type not in TYPES or (type not in _CODED):
            return
        try:
            resource = decode(type, body, self.version)
        except Unreadable:
            self.unread += 1
            return
        for element, read, lists in _CODED[type]:
            for concept in read(resource):
                if concept is not None and (concept.codes or concept.text):
                    self.uses[self._code(type, element, concept, lists)] += 1
        if type == "Observation":
            for part, element in ((resource, "value"), *((one, "component.value") for one in resource.component)):
                if part.value_quantity is not None and part.value_quantity.value is not None:
                    self.uses[self._unit(type, element, part.value_quantity, part.code)] += 1
        elif type == "MedicationAdministration" and resource.dosage is not None and resource.dosage.dose is not None:
            self.uses[self._dose(type, resource.dosage.dose)] += 1

    def _code(self, type: str, element: str, concept: CodeableConcept, lists: tuple[str, ...]) -> Use:
        key = (type, element, concept)
        if key not in self._meant:
            known = [(name, self.concepts.find(name, self.hospital, concept.codes, concept.text)) for name in lists]
            name, match = min(known, key=lambda pair: _RANK.index(pair[1].found))
            code = match.code
            self._meant[key] = Use("code", type, element, code.system, code.code, code.display, match.found,
                                   "" if match.found == "unknown" else name, match.concept)
        return self._meant[key]

    def _unit(self, type: str, element: str, quantity: Quantity, code: CodeableConcept) -> Use:
        written = quantity.code or quantity.unit or ""
        meant = self.concepts.meanings(self.hospital, code)
        name = next((one for one in _MEASURED if one in meant), "")
        test = meant[name].concept if name else ""
        unit = self.units.find(quantity.code, quantity.unit)
        found = "unknown" if unit is None and written else "mapped"
        if test:
            value, _ = conversion(self.units, self.concepts, name, test)(Decimal(1), quantity)
            found = "mapped" if value is not None else "unknown" if unit is None else "inconvertible"
        return Use("unit", type, element, quantity.system or "", written, "", found, name, test)

    def _dose(self, type: str, dose: Quantity) -> Use:
        unit = self.units.find(dose.code, dose.unit)
        found = "mapped" if unit is not None else "unknown"
        return Use("unit", type, "dosage.dose", dose.system or "", dose.code or dose.unit or "", "", found)
