"""Which search parameters each FHIR version defines for each type, as far as this server implements them.

Written by hand from the versions' own lists: AdverseEvent has `patient` only since R5, ResearchSubject has `study`
only since R4 and calls its person `individual` until R4, MedicationAdministration is searched by `effective-time`
until R4 and by `date` since. What is not in this list is unknown here, as it would be there.
"""

from typing import Literal, NamedTuple

Kind = Literal["token", "reference", "date"]
_ALL = ("STU3", "R4", "R4B", "R5")
_OLD = ("STU3", "R4", "R4B")
_NEW = ("R4", "R4B", "R5")
_R5 = ("R5",)

NUMBERS = {"STU3": "3.0.2", "R4": "4.0.1", "R4B": "4.3.0", "R5": "5.0.0"}
"""The FHIR version numbers that /metadata tells."""


class Parameter(NamedTuple):
    """One search parameter: its name, its kind, where it looks, the type it points to, the versions that have it."""

    name: str
    kind: Kind
    paths: tuple[str, ...]
    target: str = ""
    versions: tuple[str, ...] = _ALL


def _token(name: str, *paths: str, versions: tuple[str, ...] = _ALL) -> Parameter:
    return Parameter(name, "token", paths or (name,), "", versions)


def _date(name: str, *paths: str, versions: tuple[str, ...] = _ALL) -> Parameter:
    return Parameter(name, "date", paths, "", versions)


def _reference(name: str, path: str, target: str = "", versions: tuple[str, ...] = _ALL) -> Parameter:
    return Parameter(name, "reference", (path,), target, versions)


def _patient(path: str, versions: tuple[str, ...] = _ALL) -> Parameter:
    return _reference("patient", path, "Patient", versions)


_ID = _token("identifier")
_STATUS = _token("status")
_CODE = _token("code")
_CATEGORY = _token("category")
_SUBJECT = (_patient("subject"), _reference("subject", "subject"), _ID)
_DRUG = _token("code", "medicationCodeableConcept", "medication.concept")

_TABLE: dict[str, tuple[tuple[str, ...], tuple[Parameter, ...]]] = {
    "Patient": (_ALL, (_ID, _token("active"))),
    "ResearchStudy": (_ALL, (_ID, _STATUS)),
    "ResearchSubject": (
        _ALL,
        (
            _ID,
            _STATUS,
            _patient("individual", _OLD),
            _reference("individual", "individual", versions=_OLD),
            _patient("subject", _R5),
            _reference("subject", "subject", versions=_R5),
            _reference("study", "study", "ResearchStudy", _NEW),
            _token("subject_state", "progress.subjectState", versions=_R5),
        ),
    ),
    "Group": (_ALL, (_ID, _CODE, _reference("member", "member.entity"))),
    "MedicationAdministration": (
        _ALL,
        (
            *_SUBJECT,
            _STATUS,
            _DRUG,
            _date("effective-time", "effectiveDateTime", "effectivePeriod", versions=_OLD),
            _date("date", "occurenceDateTime", "occurencePeriod", versions=_R5),
        ),
    ),
    "MedicationStatement": (
        _ALL,
        (*_SUBJECT, _STATUS, _CATEGORY, _DRUG, _date("effective", "effectiveDateTime", "effectivePeriod")),
    ),
    "MedicationRequest": (_ALL, (*_SUBJECT, _STATUS, _token("intent"), _DRUG, _date("authoredon", "authoredOn"))),
    "MedicationDispense": (_ALL, (*_SUBJECT, _STATUS, _DRUG, _date("whenhandedover", "whenHandedOver"))),
    "Medication": (
        _ALL,
        (_CODE, _token("identifier", versions=_NEW), _token("status", versions=_NEW)),
    ),
    "Procedure": (
        _ALL,
        (
            *_SUBJECT,
            _STATUS,
            _CODE,
            _CATEGORY,
            _date("date", "performedDateTime", "performedPeriod", "occurrenceDateTime", "occurrencePeriod"),
        ),
    ),
    "Observation": (
        _ALL,
        (*_SUBJECT, _STATUS, _CODE, _CATEGORY, _date("date", "effectiveDateTime", "effectivePeriod")),
    ),
    "AdverseEvent": (
        _ALL,
        (
            _reference("subject", "subject"),
            _reference("study", "study", "ResearchStudy"),
            _CATEGORY,
            _token("type", versions=("STU3",)),
            _token("event", versions=("R4", "R4B")),
            _patient("subject", _R5),
            _token("identifier", versions=_R5),
            _token("status", versions=_R5),
            _token("code", versions=_R5),
            _date("date", "date", "occurrenceDateTime", "occurrencePeriod"),
        ),
    ),
    "Condition": (
        _ALL,
        (
            *_SUBJECT,
            _CODE,
            _CATEGORY,
            _token("clinical-status", "clinicalStatus"),
            _date("onset-date", "onsetDateTime", "onsetPeriod"),
        ),
    ),
    "Encounter": (_ALL, (*_SUBJECT, _STATUS, _token("class"), _date("date", "period", "actualPeriod"))),
    "DiagnosticReport": (
        _ALL,
        (*_SUBJECT, _STATUS, _CODE, _CATEGORY, _date("date", "effectiveDateTime", "effectivePeriod")),
    ),
    "BodyStructure": (_NEW, (_ID, _patient("patient"), _token("morphology"))),
    "BodySite": (("STU3",), (_ID, _patient("patient"), _CODE)),
}
_ANY_TYPE = (_ID,)


def known_types(version: str) -> tuple[str, ...]:
    """The types that this server offers in a FHIR version even without a record of them."""
    return tuple(name for name, (versions, _) in _TABLE.items() if version in versions)


def parameters(version: str, type_: str) -> dict[str, Parameter]:
    """The search parameters of a type by name, besides `_id` and `_lastUpdated`, which every type has."""
    _, listed = _TABLE.get(type_, (_ALL, _ANY_TYPE))
    return {one.name: one for one in listed if version in one.versions}
