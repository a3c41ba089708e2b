"""Records that nobody should send: the bad one gets its name, its neighbours are facts, a mended one lands."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_adapter.core.errors import INCOMPLETE, WHOLE
from fhir_adapter.core.runs import HospitalOutcome
from tests.databases import Databases
from tests.hostile.ward import Ward, event, infusion, lab, meta, ward

PATIENT = "PATIENT"
LONG = "z" * 1_000_001
ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def lab_with(id: str, old: str, new: str) -> bytes:
    """A haemoglobin whose JSON has been tampered with."""
    body = msgspec.json.encode(lab(PATIENT, id)).decode()
    assert old in body
    return body.replace(old, new).encode()


def quantity(**elements: Any) -> dict[str, Any]:
    """A haemoglobin's value, with elements replaced."""
    return {"value": 13.25, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL", **elements}


def deep(head: str) -> bytes:
    """A record nested 100,000 deep in an element that nobody reads."""
    return (head[:-1] + ',"zzz":' + "[" * 100_000 + "]" * 100_000 + "}").encode()


def coded(code: str, system: str = "http://loinc.org", **elements: Any) -> dict[str, Any]:
    """A CodeableConcept."""
    return {"coding": [{"system": system, "code": code, **elements}]}


DAMAGED = {
    "no-json": lab_with("no-json", '"final"', ""),
    "deep": deep(msgspec.json.encode(lab(PATIENT, "deep")).decode()),
    "raw-nul": lab_with("raw-nul", '"final"', '"fi\x00nal"'),
    "surrogate": lab_with("surrogate", '"718-7"', '"718-7\\ud800"'),
    "unread-surrogate": lab_with("unread-surrogate", '"final"', '"final","zzz":"\\udfff\\ud800"'),
    "no-meta": lab_with("no-meta", '"meta":{', '"meta":[{').replace(b'000Z"}', b'000Z"}]'),
}
"""Bytes that are no record: position, length and digest stand in quarantine."""

REFUSED: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "exponent": (lab_with("exponent", "13.25", "1e999"), "bad_number"),
    "huge": (lab_with("huge", "13.25", "1" * 40), "bad_number"),
    "nul": (lab(PATIENT, "nul", code={"text": "zz\x00"}), "bad_text"),
    "long": (lab(PATIENT, "long", code={"text": LONG}), "bad_text"),
    "text-number": (lab(PATIENT, "text-number", valueQuantity=quantity(value="13.25")), "wrong_shape"),
    "no-list": (lab(PATIENT, "no-list", code={"coding": {"code": "718-7"}}), "wrong_shape"),
    "list": (lab(PATIENT, "list", code=[coded("718-7")]), "wrong_shape"),
    "no-status": (lab(PATIENT, "no-status", status=None), "missing_element"),
    "odd-status": (lab(PATIENT, "odd-status", status="zz-odd"), "wrong_shape"),
    "null-status": ({**lab(PATIENT, "null-status"), "status": None}, "wrong_shape"),
    "two-values": (lab(PATIENT, "two-values", valueString="zz"), "several_values"),
    "modifier": (lab(PATIENT, "modifier", modifierExtension=[{"url": "https://zz.example/not"}]), "unknown_modifier"),
    "modified-event": (event(PATIENT, "modified-event", modifierExtension=[{"url": "zz:not"}]), "unknown_modifier"),
    "no-code": (lab(PATIENT, "no-code", code={}), "missing_element"),
    "dose-text": (infusion(PATIENT, "dose-text", dosage={"dose": {"value": "200"}}), "wrong_shape"),
    "infusion-date": (infusion(PATIENT, "infusion-date", effectiveDateTime="2024-13-01"), "bad_date"),
}
"""Records that are kept but not used: quarantined under this problem code."""

WAITING: dict[str, tuple[bytes | dict[str, Any], str]] = {
    "unmapped": (lab(PATIENT, "unmapped", code=coded("ward-4711", "urn:ward:codes")), "unmapped_code"),
    "unit": (lab(PATIENT, "unit", valueQuantity=quantity(unit="cubits", code="cubits")), "unit_unknown"),
}
"""Records that wait for a person: an open conflict of this kind."""

UNDATED: dict[str, bytes | dict[str, Any]] = {
    "month-13": lab(PATIENT, "month-13", effectiveDateTime="2024-13"),
    "february-30": lab(PATIENT, "february-30", effectiveDateTime="2023-02-30"),
    "year-0": lab(PATIENT, "year-0", effectiveDateTime="0000"),
    "no-date": lab(PATIENT, "no-date", effectiveDateTime="zz tomorrow"),
    "event-date": event(PATIENT, "event-date", date="2023-02-30"),
}
"""Facts whose date is none: they stand without it, and the problem bad_date says so."""

LANDING: dict[str, bytes | dict[str, Any]] = {
    "unread-nul": lab(PATIENT, "unread-nul", note=[{"text": "zz\x00"}]),
    "unread-exponent": lab_with("unread-exponent", '"final"', '"final","zzz":1e999'),
    "unread-long": lab(PATIENT, "unread-long", note=[{"text": LONG}]),
    "unread-list": lab(PATIENT, "unread-list", zzz=[{"zzz": {}}, None]),
    "odd é'|\"--;%2F(*)": lab(PATIENT, "odd é'|\"--;%2F(*)"),
    "\U0001f9ea": lab(PATIENT, "\U0001f9ea"),
    "no-zone": lab(PATIENT, "no-zone", effectiveDateTime="2023-02-03T10:00"),
    "first-day": lab(PATIENT, "first-day", effectiveDateTime="0001-01-01"),
    "last-day": lab(PATIENT, "last-day", effectiveDateTime="9999-12-31T23:59:59.999Z"),
    "last-month": infusion(PATIENT, "last-month", effectiveDateTime="9999-12"),
    "tiny": lab(PATIENT, "tiny", valueQuantity=quantity(value=1e-19)),
    "big": lab(PATIENT, "big", valueQuantity=quantity(value=99999999999999999999)),
    "big-dose": infusion(PATIENT, "big-dose", dosage={"dose": {"value": 10**19, "unit": "g", "code": "g"}}),
}
"""Odd, but legal where it matters: facts all the same."""

SURVIVING: dict[str, bytes | dict[str, Any]] = {
    "ecog": lab(PATIENT, "ecog", code=coded("89247-1"), valueQuantity=None, valueInteger=99_999_999_999_999_999_999),
    "size": lab(PATIENT, "size", code=coded("21889-1"), valueQuantity=quantity(value=10**15, unit="cm", code="cm")),
    "depth-199": lab_with("depth-199", '"final"', '"final","zzz":' + "[" * 150 + "]" * 150),
    "twice": lab_with("twice", '"final"', '"final","status":"final"'),
    "mixed": lab(PATIENT, "mixed", component=[{"code": coded("8480-6"), "valueQuantity": quantity(value=10**20)}]),
    "systolic": lab(PATIENT, "systolic", code=coded("8480-6"), valueQuantity=quantity(value=10**20, code="mm[Hg]")),
    "radiotherapy": {
        "resourceType": "Procedure", "id": f"{PATIENT}-radiotherapy", "meta": meta(), "status": "completed",
        "subject": {"reference": f"Patient/{PATIENT}"}, "code": coded("1217123003", "http://snomed.info/sct"),
        "performedPeriod": {"start": "9999-12-30", "end": "0001-01-01"},
        "extension": [
            {"url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-radiotherapy-sessions",
             "valueUnsignedInt": 99_999_999_999},
            {"url": "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-radiotherapy-dose-delivered-to-volume",
             "extension": [
                 {"url": "totalDoseDelivered", "valueQuantity": quantity(value=10**20, unit="Gy", code="Gy")},
                 {"url": "fractionsDelivered", "valueUnsignedInt": 10**18},
                 {"url": "volume", "valueReference": {"reference": "BodyStructure/zz-none"}}]}]},
    "event-days": event(PATIENT, "event-days", date="9999-12-31", recordedDate="0001-01-01", detected="0001"),
    "diagnosis": {"resourceType": "Condition", "id": f"{PATIENT}-diagnosis", "meta": meta(), "code": coded("C73", ICD),
                  "subject": {"reference": f"Patient/{PATIENT}"}, "onsetDateTime": "0001",
                  "recordedDate": "9999-12-31"},
    "stay": {"resourceType": "Encounter", "id": f"{PATIENT}-stay", "meta": meta(), "status": "finished",
             "class": {"code": "IMP"}, "subject": {"reference": f"Patient/{PATIENT}"},
             "period": {"start": "9999-12-31", "end": "0001-01-01"}},
}
"""Whatever becomes of them, they are accounted for and nothing stops."""


def body_for(ward: Ward, record: bytes | dict[str, Any]) -> bytes:
    """The record's bytes, about the ward's first patient."""
    body = record if isinstance(record, bytes) else msgspec.json.encode(record)
    return body.replace(PATIENT.encode(), ward.person().encode())


def name_of(ward: Ward, record: bytes | dict[str, Any], id: str) -> str:
    """`Type/id` of a planted record."""
    type = record["resourceType"] if isinstance(record, dict) else "Observation"
    return f"{type}/{ward.person()}-{id}"


def problems(ward: Ward) -> set[tuple[str, str]]:
    """`Type/id` and code of every problem of the ward."""
    rows = ward.work.trial.frames(("problem",))["problem"]
    heads = ward.work.vault.heads_of(set(rows.resource))
    names = {key: f"{head.type}/{head.fhir_id}" for key, head in heads.items()}
    return {(names[key], code) for key, code in zip(rows.resource, rows.code, strict=True)}


class Synced:
    """A ward that has been synced with everything planted, then with everything mended, with what was seen."""

    def __init__(self, ward: Ward) -> None:
        planted = {**DAMAGED, **{id: record for id, (record, _) in {**REFUSED, **WAITING}.items()}, **UNDATED,
                   **LANDING, **SURVIVING}
        for record in planted.values():
            ward.plant(body_for(ward, record))
        self.ward = ward
        self.first = self.sync()
        self.quarantine, self.damages, self.conflicts = ward.quarantine(), ward.damages(), ward.conflicts()
        self.good = ward.landed(*ward.good)
        self.landing = {name_of(ward, record, id): id for id, record in {**LANDING, **UNDATED}.items()}
        self.problems = problems(ward)
        self.landed = ward.landed(*self.landing)
        self.again = self.sync()
        for id, record in planted.items():
            mended = lab(ward.person(), id)
            if name_of(ward, record, id).startswith(mended["resourceType"]):
                ward.rehearsal.edit(mended)
            else:
                ward.rehearsal.delete(name_of(ward, record, id).split("/")[0], f"{ward.person()}-{id}")
        self.mended = {name_of(ward, record, id) for id, record in planted.items()
                       if name_of(ward, record, id).startswith("Observation")}
        self.second = self.sync()
        self.waiting = ward.landed(*self.mended)
        ward.acknowledge()
        self.third = self.sync()

    def sync(self) -> HospitalOutcome:
        """One run."""
        return self.ward.sync()


@pytest.fixture(scope="module")
def synced(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Synced]:
    """One ward for all records of this page: they all stand in the same pages."""
    folder: Path = tmp_path_factory.mktemp("records")
    with ward(databases, folder) as opened:
        yield Synced(opened)


def test_good_neighbours_are_facts(synced: Synced) -> None:
    """Whatever stands beside them in the page; the run is incomplete because of what was refused."""
    assert synced.good == synced.ward.good
    assert synced.first.code == INCOMPLETE
    assert synced.first.counts.unreadable == len(DAMAGED)


def test_bytes_that_are_no_record_are_quarantined(synced: Synced) -> None:
    """Each under its digest, as malformed or without a head."""
    assert sorted(synced.damages) == ["malformed_json"] * 5 + ["unreadable_head"]


@pytest.mark.parametrize("id", REFUSED)
def test_a_record_that_cannot_be_used_is_quarantined_under_its_problem(synced: Synced, id: str) -> None:
    """Kept, named, not used."""
    record, code = REFUSED[id]
    assert synced.quarantine.get(name_of(synced.ward, record, id)) == code


@pytest.mark.parametrize("kind", sorted({kind for _, kind in WAITING.values()}))
def test_what_nobody_has_mapped_waits_for_a_person(synced: Synced, kind: str) -> None:
    """An unknown code and an unknown unit are conflicts, not guesses."""
    assert kind in synced.conflicts


def test_what_is_odd_but_legal_lands(synced: Synced) -> None:
    """Oddities in elements that nobody reads, and values at the edge of what can be said."""
    assert set(synced.landing.values()) - {synced.landing[one] for one in synced.landed} == set()


@pytest.mark.parametrize("id", UNDATED)
def test_a_date_that_is_none_is_said(synced: Synced, id: str) -> None:
    """The fact stands without a date, and its problem names the element."""
    assert (name_of(synced.ward, UNDATED[id], id), "bad_date") in synced.problems


def test_the_same_again_is_nothing_new(synced: Synced) -> None:
    """A second run with the same bad records quarantines nothing twice and maps nothing."""
    assert (synced.again.counts.new, synced.again.code) == (0, INCOMPLETE)


def test_mended_records_land(synced: Synced) -> None:
    """Once the hospital has mended them all are facts; what was never a record waits for somebody to see it."""
    assert synced.mended - synced.waiting == set()
    assert synced.second.code == INCOMPLETE
    assert synced.third.code == WHOLE, synced.third
