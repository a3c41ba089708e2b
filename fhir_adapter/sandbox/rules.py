"""Questions that a persona refuses although the specification allows them, in the words that such servers use."""

import re
from collections.abc import Iterator

import msgspec

from fhir_adapter.sandbox.house import House
from fhir_adapter.sandbox.messages import Pairs, Reply, outcome
from fhir_adapter.sandbox.view import merged_away

_PEOPLE = ("patient", "subject", "individual")
# The text changed between captures of the same refusal (quirk Q2): only the code is to be relied on.
_NEED_TEXTS = ("Must have either {}.", "Either {} is a required parameter.", "One of {} must be present in the query.")
_PREFIXED_TIME = re.compile(r"(eq|ge|gt|le|lt)\d{4}-\d\d-\d\dT.+")
_ORACLE_PREFIXES = ("ne", "sa", "eb", "ap")


def objection(type_: str, pairs: Pairs, house: House) -> Reply | None:
    """The refusal of a search; None when it may be answered."""
    for status, severity, code, text in _objections(type_, pairs, house):
        return Reply(status, msgspec.json.encode(outcome(severity, code, text)))
    return None


def _objections(type_: str, pairs: Pairs, house: House) -> Iterator[tuple[int, str, str, str]]:
    asking, names = house.persona.asking, {name for name, _ in pairs}
    if type_ in asking.by_id_only:
        yield 400, "fatal", "required", f"{type_} cannot be searched by these parameters."
    for name, value in pairs:
        if name in _PEOPLE:
            written_out = "/" in value
            if asking.patient_form == "bare" and written_out:
                yield 400, "fatal", "value", f"{name} takes an id, not a reference."
            if asking.patient_form == "reference" and not written_out:
                yield 400, "fatal", "value", f"{name} takes a reference, not an id."
            if house.persona.records.merged_asked == "refused" and _any_merged(value, house):
                yield 400, "error", "not-found", f"{name} is no active patient."
        if name == "category" and not asking.refused_categories.isdisjoint(_codes(value)):
            yield 400, "fatal", "invalid", "The category is not supported."
    for wanted_type, wanted in asking.needs_one_of:
        if type_ == wanted_type and names.isdisjoint(wanted) and "_id" not in names:
            text = _NEED_TEXTS[house.chance("need", *sorted(names)) % len(_NEED_TEXTS)]
            yield 400, "fatal", "required", text.format(" or ".join(wanted))
    for wanted_type, wanted in asking.needs_all:
        missing = [name for name in wanted if name not in names]
        if type_ == wanted_type and missing and "_id" not in names:
            yield 400, "fatal", "required", f"Missing: {', '.join(missing)}."
    if asking.oracle_rules:
        yield from _oracle(type_, pairs, names)


def _oracle(type_: str, pairs: Pairs, names: set[str]) -> Iterator[tuple[int, str, str, str]]:
    """Oracle Health's own rules (fhir.cerner.com observation.md and medication-administration.md, 2024-05)."""
    if {"date", "_lastUpdated"} <= names:
        yield 400, "error", "invalid", "date and _lastUpdated may not be combined."
    for name in ("date", "_lastUpdated"):
        values = [value for given, value in pairs if given == name]
        if len(values) > 2 or any(value.startswith(_ORACLE_PREFIXES) for value in values):
            yield 400, "error", "invalid", f"{name} takes eq, ge, gt, le and lt, at most twice."
    if type_ == "MedicationAdministration":
        if "_id" in names and not names <= {"_id", "_count", "_format"}:
            yield 400, "error", "invalid", "_id may not be combined with other parameters."
        for name, value in pairs:
            if name == "effective-time" and not _PREFIXED_TIME.fullmatch(value):
                yield 400, "error", "invalid", "effective-time needs a prefix and a time."


def _codes(value: str) -> Iterator[str]:
    for part in value.split(","):
        yield part.rpartition("|")[2]


def _any_merged(value: str, house: House) -> bool:
    for part in value.split(","):
        chain = house.store.chain("Patient", part.rsplit("/", 1)[-1])
        if chain and merged_away(chain[-1]):
            return True
    return False
