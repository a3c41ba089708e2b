"""What a persona makes of a record's body: no meta, other codes, masked errors, drugs that stand elsewhere.

A record is changed only where a switch says so; numbers keep their digits, and bytes that no reader takes stay as
they are.
"""

import copy
import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from uuid import NAMESPACE_OID, uuid5

import msgspec

from fhir_adapter.sandbox.house import chance
from fhir_adapter.sandbox.persona import Persona
from fhir_adapter.sandbox.store import EPOCH, Version, encoded, written
from fhir_adapter.sandbox.switches import Records, Time

DRUG_TYPES = ("MedicationAdministration", "MedicationStatement", "MedicationRequest", "MedicationDispense")
_LOINC = "http://loinc.org"
_LOCAL = "urn:oid:2.999.7"  # 2.999 is the arc for examples
_ABSENT = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
_KEPT = ("resourceType", "id", "meta", "status", "verificationStatus", "subject", "patient", "individual")
_DATES = ("effectiveDateTime", "performedDateTime", "occurrenceDateTime", "occurenceDateTime", "onsetDateTime", "date")
_PLAIN_TIME, _PLAIN_RECORDS = Time(), Records()


def disguised(version: Version, persona: Persona, seed: int) -> Version:
    """The version as this persona shows it; remembered with the version."""
    if not changes(persona):
        return version
    known = version.cache.get("disguise")
    if known is None or known[0] is not persona:
        known = version.cache["disguise"] = (persona, _made(version, persona, seed))
    shown: Version = known[1]
    return shown


def is_error(data: dict[str, Any]) -> bool:
    """Whether the record says that it was entered in error."""
    return any("entered-in-error" in str(data.get(name)) for name in ("status", "verificationStatus"))


def changes(persona: Persona) -> bool:
    """Whether this persona shows records otherwise than they were written."""
    time, records = persona.time, persona.records
    plain = (time.meta, time.zone, time.whole_seconds, time.odd_dates_every) == (
        _PLAIN_TIME.meta,
        _PLAIN_TIME.zone,
        False,
        0,
    )
    flags = (records.float_numbers, records.uuid_versions, records.masks_errors, records.local_codes)
    return not plain or any(flags) or records.medication != _PLAIN_RECORDS.medication


def _made(version: Version, persona: Persona, seed: int) -> Version:
    time, records = persona.time, persona.records
    last_updated = version.last_updated.replace(microsecond=0) if time.whole_seconds else version.last_updated
    number = version.version_id
    if records.uuid_versions:
        number = str(uuid5(NAMESPACE_OID, f"{version.type}/{version.id}/{number}"))
    if version.body is None or not _readable(version.body):
        return replace(version, version_id=number, last_updated=last_updated, cache={})
    data = json.loads(version.body) if records.float_numbers else copy.deepcopy(version.data)
    if records.masks_errors and is_error(data):
        data = _masked(data)
    if records.local_codes:
        for coding in _codings(data):
            if coding.get("system") == _LOINC:
                coding["code"] = f"L{chance(seed, coding.get('code')) % 100_000:05}"
                coding["system"] = _LOCAL
    if records.medication != "as_written" and version.type in DRUG_TYPES:
        _move_drug(data, records.medication)
    every = time.odd_dates_every
    if every and chance(seed, "date", version.type, version.id) % every == 0:
        _twist_date(data, chance(seed, version.id) % 3)
    if records.uuid_versions and isinstance(data.get("meta"), dict):
        data["meta"]["versionId"] = number
    _write_meta(data, last_updated, time)
    return replace(version, version_id=number, last_updated=last_updated, body=encoded(data), data=data, cache={})


def _readable(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def _write_meta(data: dict[str, Any], last_updated: datetime, time: Time) -> None:
    meta = data.get("meta")
    if not isinstance(meta, dict):
        return
    if time.meta == "none":
        del data["meta"]
    elif time.meta == "no_last_updated":
        meta.pop("lastUpdated", None)
    elif "lastUpdated" in meta:
        meta["lastUpdated"] = in_zone(last_updated, time)


def in_zone(instant: datetime, time: Time) -> str:
    """An instant as this hospital writes it."""
    if time.zone == "Z":
        text = written(instant)
        return text.replace(".000Z", "Z") if time.whole_seconds else text
    sign = -1 if time.zone[0] == "-" else 1
    hours, minutes = (int(part) for part in time.zone[1:].split(":"))
    zone = timezone(sign * timedelta(hours=hours, minutes=minutes))
    return instant.astimezone(zone).isoformat(timespec="seconds" if time.whole_seconds else "milliseconds")


def _masked(data: dict[str, Any]) -> dict[str, Any]:
    kept = {name: data[name] for name in _KEPT if name in data}
    if "code" in data:
        kept["code"] = {"extension": [{"url": _ABSENT, "valueCode": "masked"}]}
    return kept


def _codings(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for one in value:
            yield from _codings(one)
    elif isinstance(value, dict):
        if "system" in value and "code" in value and "value" not in value:
            yield value
        for one in value.values():
            yield from _codings(one)


def _drug(data: dict[str, Any]) -> dict[str, Any] | None:
    """The CodeableConcept of the drug, where the record has one (R5 puts it into `medication.concept`)."""
    concept = data.get("medicationCodeableConcept")
    if concept is None and isinstance(data.get("medication"), dict):
        concept = data["medication"].get("concept")
    return concept if isinstance(concept, dict) else None


def _move_drug(data: dict[str, Any], where: str) -> None:
    concept = _drug(data)
    if concept is None:
        return
    if where == "contained":
        data.setdefault("contained", []).append({"resourceType": "Medication", "id": "med", "code": concept})
        reference = {"reference": "#med"}
    else:
        reference = {"reference": f"Medication/{_drug_id(concept)}"}
    if "medicationCodeableConcept" in data:
        del data["medicationCodeableConcept"]
        data["medicationReference"] = reference
    else:
        data["medication"] = {"reference": reference}


def _drug_id(concept: dict[str, Any]) -> str:
    return "med-" + hashlib.sha256(encoded(concept)).hexdigest()[:16]


def drug_record(version: Version) -> Version | None:
    """The Medication that a record of a drug refers to when drugs stand in records of their own."""
    concept = _drug(version.data)
    if concept is None:
        return None
    id_ = _drug_id(concept)
    meta = {"versionId": "1", "lastUpdated": written(EPOCH)}
    data = {"resourceType": "Medication", "id": id_, "meta": meta, "code": concept}
    return Version("Medication", id_, "1", EPOCH, encoded(data), data)


def _twist_date(data: dict[str, Any], how: int) -> None:
    for name in _DATES:
        if isinstance(data.get(name), str) and len(data[name]) >= 10:
            day = data[name][:10]
            data[name] = (f"{day}T10:00:00", f"{day}T23:59:60Z", f"2062{data[name][4:]}")[how]
            return
