"""NDJSON bytes to mapped facts in memory, beside the same bytes to dicts."""

from collections.abc import Callable
from functools import cache, partial
from statistics import median
from time import process_time
from typing import Any

import msgspec

from benchmarks.copies import HOSPITALS, SHARED, dressed, lines, types
from benchmarks.rows import Row, interleaved, ratio
from fhir_adapter import kit, study
from fhir_adapter.core.origins import Origin
from fhir_adapter.core.study import Hospital, Study
from fhir_adapter.domains import carriers
from fhir_adapter.domains.mapping import map_version
from fhir_adapter.domains.reading import Reading
from fhir_adapter.store.opened import resource_key

TARGET = 0.4
SECRET = b"a secret of the benchmarks, the same in every run"


class _Head(msgspec.Struct):
    id: str = ""
    identifier: msgspec.Raw = msgspec.Raw(b"")


class _Identifier(msgspec.Struct):
    value: str = ""


class Folder:
    """One hospital's other records, from its files (domains.reading.Records)."""

    def __init__(self, hospital: str, records: dict[str, list[bytes]]) -> None:
        self.hospital, self.records = hospital, records
        self._bodies = cache(self._bodies_of)
        self._identified = cache(self._identified_of)
        self.key = cache(self._key)

    def _key(self, type: str, id: str) -> str:
        return resource_key(SECRET, self.hospital, type, id)

    def _bodies_of(self, type: str) -> dict[str, bytes]:
        return {msgspec.json.decode(body, type=_Head).id: body for body in self.records.get(type, ())}

    def _identified_of(self, type: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for id, body in self._bodies(type).items():
            raw = msgspec.json.decode(body, type=_Head).identifier
            for one in msgspec.json.decode(raw, type=list[_Identifier]) if bytes(raw).startswith(b"[") else ():
                found.setdefault(one.value, []).append(self.key(type, id))
        return found

    def body(self, type: str, id: str) -> bytes | None:
        """The record's bytes."""
        return self._bodies(type).get(id)

    def keys_of_identifier(self, type: str, value: str) -> tuple[str, ...]:
        """Keys of the records with that business identifier."""
        return tuple(self._identified(type).get(value, ()))


def map_all(asked: Study, hospital: Hospital, records: dict[str, list[bytes]]) -> int:
    """Maps every record of a hospital and lets go of what it found, as the writing of a batch does; how many facts."""
    folder = Folder(hospital.id, records)
    carried = carriers.compiled(hospital)
    facts = 0
    for type, bodies in records.items():
        for number, body in enumerate(bodies):
            reading = Reading(
                hospital=hospital, version=hospital.fhir_version, protocol=asked.protocol, concepts=asked.concepts,
                units=asked.units, origin=Origin(hospital.id, type, str(number), 1), subject="ATC-001",
                records=folder, carried=carried(type, body),
            )
            facts += len(map_version(type, body, reading).facts)
    return facts


def decode_all(records: dict[str, list[bytes]]) -> int:
    """Reads every record as a dict and lets go of it."""
    decode = msgspec.json.Decoder().decode
    for bodies in records.values():
        for body in bodies:
            decode(body)
    return 0


def timed(action: Callable[[], Any]) -> Callable[[], float]:
    """The action as one that says how much processor time it took."""
    def run() -> float:
        begun = process_time()
        action()
        return process_time() - begun
    return run


def measure(rounds: int, copies: int) -> list[Row]:
    """The fixtures' own bytes; the same records as servers dress them; and dressed ones in an EHR's proportions."""
    mix = {name: {type: lines(name, type, copies) for type in types(name)} for name in HOSPITALS}
    rich = {name: {type: [dressed(line) for line in found] for type, found in records.items()}
            for name, records in mix.items()}
    usual = {name: in_proportion(records) for name, records in rich.items()}
    return [_measured("the fixtures' records", mix, rounds), _measured("with what servers add", rich, rounds),
            _measured("with what servers add, mixed as in an EHR", usual, rounds)]


PROPORTIONS = {"laboratory": 44, "lesion": 6, "MedicationAdministration": 10, "Procedure": 2, "AdverseEvent": 2,
               "Patient": 1}
"""Thousands of records of each kind in the mix on which the target was set: 44,000 laboratory results, 6,000 lesion
sizes, 10,000 administrations, 2,000 procedures, 2,000 adverse events, 1,000 patients."""


def in_proportion(records: dict[str, list[bytes]], unit: int = 40) -> dict[str, list[bytes]]:
    """So many records of each kind, those that there are again and again; what others lean on is kept whole."""
    kinds = dict(records)
    kinds["laboratory"] = [one for one in records["Observation"] if b'"referenceRange"' in one]
    kinds["lesion"] = [one for one in records["Observation"] if b'"21889-1"' in one]
    found = {kind: [kinds[kind][place % len(kinds[kind])] for place in range(unit * share)]
             for kind, share in PROPORTIONS.items()}
    found["Observation"] = found.pop("laboratory") + found.pop("lesion")
    return found | {type: records[type] for type in SHARED if type in records}


def _measured(what: str, mix: dict[str, dict[str, list[bytes]]], rounds: int) -> Row:
    asked = study.load(kit.kit_path())
    bodies = [body for records in mix.values() for found in records.values() for body in found]
    facts = sum(map_all(asked, asked.hospitals[name], mix[name]) for name in HOSPITALS)
    actions: list[Callable[[], float]] = []
    for name in HOSPITALS:
        actions += [timed(partial(decode_all, mix[name])),
                    timed(partial(map_all, asked, asked.hospitals[name], mix[name]))]
    times = interleaved(actions, rounds)
    floor = [sum(one) for one in zip(*times[0::2], strict=True)]
    ours = [sum(one) for one in zip(*times[1::2], strict=True)]
    share = ratio(floor, ours)
    each = [f"{asked.hospitals[name].fhir_version} {ratio(times[2 * place], times[2 * place + 1]):.2f}"
            for place, name in enumerate(HOSPITALS)]
    size = sum(map(len, bodies)) / len(bodies)
    return Row(
        f"NDJSON to facts in memory, share of msgspec to dicts: {what}", f"{share:.2f}", f">= {TARGET}",
        share >= TARGET, f"{len(bodies) / median(ours):,.0f} resources/s; {len(bodies):,} resources of {size:.0f} "
        f"bytes, {facts:,} facts; {', '.join(each)}",
    )
