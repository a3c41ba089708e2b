"""Mapping: raw versions of the vault become facts, problems and doubts of the trial, in the order they were kept."""

import hashlib
from collections.abc import Callable, Iterable
from functools import cache

import msgspec

from fhir_adapter import domains
from fhir_adapter.core.errors import ValueRefused
from fhir_adapter.core.origins import Origin
from fhir_adapter.core.problems import Problem
from fhir_adapter.core.runs import Counts, Progress
from fhir_adapter.core.study import Hospital
from fhir_adapter.domains import carriers
from fhir_adapter.domains.mapping import Mapped, fact_key, map_version
from fhir_adapter.domains.reading import Reading
from fhir_adapter.steps.codes import Meanings
from fhir_adapter.steps.leases import renewed
from fhir_adapter.steps.lookups import Lookup
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Kind, Lease, Refused, Version
from fhir_adapter.store.trial import MappedRecord, Place

BATCH = 400
"""Versions in one transaction: with their facts about 1,000 rows (DESIGN §4)."""

_READ_TYPES = frozenset(type for domain in domains.ALL for type in domain.reads)


class Mapper:
    """Maps versions of any hospital of the study, as the vault and the mappings are now."""

    def __init__(self, work: Workspace) -> None:
        self.work = work
        study = work.study
        identities = work.vault.identities()
        self._meanings = Meanings(study.concepts, work.vault.decisions(), lambda: {
            work.vault.key(one.hospital, "Patient", one.patient): one.subject for one in identities})
        self._subjects = {(one.hospital, one.patient): one.subject for one in identities}
        self._numbers = frozenset(one.subject for one in identities)
        self._lookup: Callable[[str], Lookup] = cache(lambda hospital: Lookup(work.vault, hospital))
        self._carriers = cache(lambda hospital: carriers.compiled(study.hospitals[hospital]))

    def digest(self, hospital: Hospital) -> str:
        """What mapping a hospital depends on beside its versions: mappings, decided codes, its own settings.

        A sheet names other hospitals' subjects and lesions, so it also depends on who and what is known.
        """
        settings = hospital.model_dump_json(exclude={"auth", "pull", "base_url"})
        parts = [self.work.study.digest, self._meanings.digest, settings]
        if hospital.pull.mode == "sheet":
            parts += sorted(self._numbers)
            parts += [f"{one}={self.work.vault.last_seq(one)}" for one in sorted(self.work.study.hospitals)
                      if one != hospital.id]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def map(self, version: Version) -> MappedRecord:
        """What one version says; a deletion says that its record is gone."""
        return self.map_about(version, self.subject(version))

    def map_about(self, version: Version, subject: str | None) -> MappedRecord:
        """What one version says, were it about this subject; one about nobody of the cohort is refused."""
        if version.kind != Kind.CONTENT:
            mapped, needs = Mapped(outcome="ignored", reason=version.kind), frozenset[str]()
        elif subject is None and version.type in _READ_TYPES:
            mapped, needs = self._nobody(version), frozenset[str]()
        else:
            mapped, needs = self._understood(version, subject or "")
        key = None
        if version.patient is not None:
            key = self.work.vault.key(version.hospital, "Patient", version.patient)
        return MappedRecord(
            resource=version.key, ordinal=version.ordinal, hospital=version.hospital, type=version.type,
            outcome=mapped.outcome, reason=mapped.reason, is_head=version.is_head, subject=subject, patient=key,
            facts=[(name, fact_key(version.key, version.ordinal, name, fact), fact) for name, fact in mapped.facts],
            problems=mapped.problems, doubts=mapped.doubts, needs=needs,
        )

    def _understood(self, version: Version, subject: str) -> tuple[Mapped, frozenset[str]]:
        hospital = self.work.study.hospitals[version.hospital]
        needs: set[str] = set()
        reading = Reading(
            hospital=hospital, version=hospital.fhir_version, protocol=self.work.study.protocol,
            concepts=self._meanings.of(version.key, subject), units=self.work.study.units, origin=_origin(version),
            subject=subject,
            records=self._lookup(version.hospital).noting(needs),
            carried=self._carriers(version.hospital)(version.type, version.body),
            records_of=lambda name: self._known(name).noting(needs),
            row=version.url.rpartition(":")[2] if version.type == "Sheet" else "",
        )
        return map_version(version.type, version.body, reading), frozenset(needs)

    def _known(self, hospital: str) -> Lookup:
        if hospital not in self.work.study.hospitals:
            raise KeyError(hospital)
        return self._lookup(hospital)

    def subject(self, version: Version) -> str | None:
        """The trial number of whoever a version is about; a sheet's row names it itself."""
        if version.type == "Sheet":
            try:
                number = msgspec.json.decode(version.body, type=_Row).row.get("subject", "").strip()
            except msgspec.MsgspecError:
                return None
            return number if number in self._numbers else None
        return self._subjects.get((version.hospital, version.patient)) if version.patient is not None else None

    def _nobody(self, version: Version) -> Mapped:
        problem = Problem(code="unresolved_subject", message="the record is about nobody of the cohort",
                          origin=_origin(version), refuses=True)
        return Mapped(problems=(problem,), outcome="quarantined", reason=problem.code)


class _Row(msgspec.Struct):
    row: dict[str, str] = {}


def _origin(version: Version) -> Origin:
    return Origin(hospital=version.hospital, type=version.type, resource=version.key, ordinal=version.ordinal)


def map_hospital(work: Workspace, mapper: Mapper, hospital: Hospital, lease: Lease, run: int, told: Progress) -> Counts:
    """Maps what a hospital's cursor has not seen; everything, if the mappings have changed since.

    Records that looked at a record which has changed are mapped again with it, in the same transaction, unless they
    were mapped since this began: then they saw it. So are the records of a patient who has become another subject.
    What is kept after this began is for the next time. The counts are of versions that were new to the cursor.
    """
    digest = mapper.digest(hospital)
    place = work.trial.cursor(hospital.id)
    seq, fresh = (place.seq, place.seq) if place.digest == digest else (0, place.seq)
    began, last = seq, work.vault.last_seq(hospital.id)
    _remap_moved(work, mapper, hospital, lease, run)
    if place.digest != digest and last == 0:
        work.trial.set_cursor(lease, hospital.id, Place(0, digest))
    counts = Counts()
    while batch := [version for version in work.vault.versions(hospital.id, seq, BATCH) if version.seq <= last]:
        seq, lease = batch[-1].seq, renewed(work, lease)
        records = [mapper.map(version) for version in batch]
        keys = {version.key for version in batch}
        again = [version for version in work.vault.versions_of(work.trial.dependents(keys) - keys)
                 if version.hospital != hospital.id or version.seq <= began]
        again += _reassigned(work, records)
        _quarantine(work, lease, run, records)
        records += [mapper.map(version) for version in again]
        written = _write(work, lease, run, records, (hospital.id, Place(seq, digest)))
        counts += _counted(record for record, version in zip(written, batch, strict=False) if version.seq > fresh)
        told(f"{hospital.id}: mapping", seq, last)
    return counts


def _reassigned(work: Workspace, records: list[MappedRecord]) -> list[Version]:
    """Older versions of records that are about somebody else now: the whole record is that person's (as in a rebuild).

    The earlier subject loses its facts, and is concluded again.
    """
    newer = {record.resource: record.subject for record in records if record.ordinal > 1}
    known = work.trial.rows("origin", "resource", sorted(newer)) if newer else []
    moved = {row["resource"] for row in known if row["subject"] != newer[row["resource"]]}
    fresh = {(record.resource, record.ordinal) for record in records}
    return [one for one in work.vault.versions_of(moved) if (one.key, one.ordinal) not in fresh] if moved else []


def _remap_moved(work: Workspace, mapper: Mapper, hospital: Hospital, lease: Lease, run: int) -> None:
    """Records of patients whom the identity map has made another subject since they were mapped."""
    placed = work.trial.placements(hospital.id)
    for one in work.vault.identities(hospital.id):
        before = placed.get(work.vault.key(hospital.id, "Patient", one.patient))
        if before is not None and before != one.subject:
            versions = work.vault.versions_of(work.vault.keys_of_patient(hospital.id, one.patient))
            _write(work, lease, run, [mapper.map(version) for version in versions], (hospital.id, None))


def _write(work: Workspace, lease: Lease, run: int, records: list[MappedRecord], at: tuple[str, Place | None]
           ) -> list[MappedRecord]:
    """Writes mapped records in one transaction, and moves the cursor `at`; the records as they were written.

    Where the database does not take a value, halves are written one by one down to the record that holds it, which
    goes to quarantine while its neighbours land; the cursor moves with the last one.
    """
    hospital, place = at
    try:
        work.trial.write_mapping(lease, hospital, records, place)
        return records
    except ValueRefused:
        if len(records) == 1 and records[0].outcome == "quarantined":
            raise
    if len(records) == 1:
        refused = [_refused(records[0])]
        _quarantine(work, lease, run, refused)
        return _write(work, lease, run, refused, at)
    half = len(records) // 2
    return (_write(work, lease, run, records[:half], (hospital, None))
            + _write(work, lease, run, records[half:], at))


def _refused(record: MappedRecord) -> MappedRecord:
    """The record without what the database does not take."""
    origin = Origin(hospital=record.hospital, type=record.type, resource=record.resource, ordinal=record.ordinal)
    problem = Problem(code="value_refused", message="the database does not take a value of the record", origin=origin)
    return msgspec.structs.replace(record, outcome="quarantined", reason=problem.code, facts=(), problems=(problem,),
                                   doubts=(), more_origins=())


def _quarantine(work: Workspace, lease: Lease, run: int, records: Iterable[MappedRecord]) -> None:
    """Refused versions go to the vault's quarantine before the trial's cursor passes them."""
    refused = [
        Refused(hospital=record.hospital, type=record.type, resource=record.resource, ordinal=record.ordinal,
                code=problem.code, message=problem.message)
        for record in records if record.outcome == "quarantined"
        for problem in record.problems[:1]
    ]
    work.vault.quarantine_versions(lease, run, refused, work.clock())


def _counted(records: Iterable[MappedRecord]) -> Counts:
    counts = {"mapped": 0, "waiting": 0, "ignored": 0, "quarantined": 0}
    for record in records:
        counts[record.outcome] += 1
    return Counts(**counts)
