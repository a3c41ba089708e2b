"""Proving a cut: is it what was signed, are its inputs still what they were, and do they still give its results?"""

import csv
import difflib
import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.core.figures import Summary
from fhir_adapter.core.runs import Progress, silent
from fhir_adapter.steps import comparing
from fhir_adapter.steps.cutting import DATABASE, MANIFEST, SUMMARY, VERSIONS, fill, folder_sums, the_cut
from fhir_adapter.steps.growing import grown
from fhir_adapter.steps.manifest import Inputs, Manifest, inputs, read_manifest
from fhir_adapter.steps.recalling import KEPT, proved_by
from fhir_adapter.steps.reporting import conclusions, summarise
from fhir_adapter.steps.workspace import Workspace, trial_tables
from fhir_adapter.store.locked import open_locked
from fhir_adapter.store.records import Cut
from fhir_adapter.store.seen import PastVault
from fhir_adapter.store.trial import Trial

SHOWN = 20
"""Differences of one kind that are listed; the others are counted."""


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a cut holds, and each thing that is not as it was signed.

    `notes`: how the study's mappings differ from those that the cut was made, and proved, by; they break nothing.
    """

    name: str
    digest: str
    holds: bool
    faults: tuple[str, ...]
    notes: tuple[str, ...] = ()


def verify(work: Workspace, name: str, told: Progress = silent) -> Proof:
    """Checks a cut's folder against what was signed, its inputs against those of now, and computes it anew.

    It is computed by the mappings that were kept with it, whatever has become of the study's own. Raises UsageError
    when there is no such cut, or when this program cannot read those mappings.
    """
    cut, folder = the_cut(work, name)
    manifest = read_manifest(cut.manifest)
    past = PastVault(work.vault, manifest.inputs.known)
    faults = list(kept_otherwise(cut, manifest, folder))
    own, work = work, proved_by(work, folder, manifest.inputs)
    now = inputs(work, past, cut.data_cutoff)
    faults += _inputs_differ(work, past, folder, (manifest.inputs, now))
    notes = () if own is work else tuple(_since(own, past, folder, manifest.inputs))
    with tempfile.TemporaryDirectory(prefix="fhir-adapter-") as scratch, \
            grown(work, past, Path(scratch) / DATABASE) as frozen:
        fill(frozen, cut.data_cutoff, told)
        faults += _results_differ(manifest, folder, frozen)
    if faults:
        faults[:0] = _erased_since(own, cut)
    return Proof(name=name, digest=cut.digest, holds=not faults, faults=tuple(faults), notes=notes)


def _erased_since(work: Workspace, cut: Cut) -> list[str]:
    """That persons were erased after the signing: then what follows may be their records, and nobody's fault."""
    count = work.vault.erasures(work.clock()) - work.vault.erasures(datetime.fromisoformat(cut.signed_at))
    who = "one person has" if count == 1 else f"{count} persons have"
    return [f"erased: {who} been erased since it was signed; without those records it cannot be computed again"
            ] if count else []


def _since(own: Workspace, past: PastVault, folder: Path, signed: Inputs) -> Iterator[str]:
    """How the study's own mappings and options differ from the cut's by now."""
    now = inputs(own, past, signed.data_cutoff)
    as_signed = msgspec.structs.replace(signed, options=now.options, mappings=now.mappings)
    yield from input_changes(signed, as_signed)
    yield from _mapping_rows(folder / KEPT, own.study.mappings, (signed, now))


def kept_otherwise(cut: Cut, manifest: Manifest, folder: Path) -> Iterator[str]:
    """What of the vault's row and of the folder is not as signed."""
    if hashlib.sha256(cut.manifest.encode()).hexdigest() != cut.digest:
        yield "signed: the manifest in the vault is not the one that was signed"
    if not folder.is_dir():
        yield f"files: the folder {folder.name} is missing; restore it from a backup"
        return
    if (folder / MANIFEST).read_text(encoding="utf-8") != cut.manifest:
        yield f"files: {MANIFEST} is not the one that was signed"
    there = folder_sums(folder)
    for name in sorted(there.keys() | manifest.files.keys()):
        if there.get(name) != manifest.files.get(name):
            yield f"files: {name} {_became(manifest.files.get(name), there.get(name))}"
    try:
        trial = open_locked(folder / DATABASE, trial_tables())
    except DatabaseError as error:
        yield f"files: {DATABASE}: {error}"
        return
    try:
        for table, digest in trial.table_digests().items():
            if manifest.tables.get(table) != digest:
                yield f"files: the table {table} of {DATABASE} is not the one that was signed"
    finally:
        trial.close()


def _became(before: object, after: object) -> str:
    return "is missing" if after is None else "was added" if before is None else "has changed"


# --- inputs --------------------------------------------------------------------------------------------------------


def _inputs_differ(work: Workspace, past: PastVault, folder: Path, both: tuple[Inputs, Inputs]) -> Iterator[str]:
    old, new = both
    yield from input_changes(old, new)
    yield from _mapping_rows(folder / KEPT, work.study.mappings, both)
    if old.versions != new.versions and (folder / VERSIONS).is_file():
        yield from _shortened(_versions(folder / VERSIONS, past))
    if old.decisions != new.decisions:
        yield from _shortened(_decisions(folder / DATABASE, past))


def input_changes(old: Inputs, new: Inputs) -> Iterator[str]:
    """What of the inputs is otherwise, one line each; versions and decisions are only counted."""
    if old.program != new.program:
        yield f"program: was {old.program}, is {new.program}"
    if old.mappings_as_of != new.mappings_as_of:
        yield f"mappings as of: {old.mappings_as_of} -> {new.mappings_as_of}"
    for name, before, after in _flat(old.options, new.options):
        yield f"option {name}: {before} -> {after}"
    for name in sorted(old.mappings.keys() | new.mappings.keys()):
        if old.mappings.get(name) != new.mappings.get(name):
            yield f"mappings: {name} {_became(old.mappings.get(name), new.mappings.get(name))}"
    for name, before, after in _flat(old.hospitals, new.hospitals):
        yield f"hospital {name}: {before} -> {after}"
    for name in sorted(old.versions.keys() | new.versions.keys()):
        before, after = old.versions.get(name), new.versions.get(name)
        if before != after:
            counts = [0 if one is None else one.count for one in (before, after)]
            yield f"versions: {name} had {counts[0]} and has {counts[1]}" + (
                ", not the same ones" if counts[0] == counts[1] else "")
    if old.decisions != new.decisions:
        yield f"decisions: were {old.known.decisions}, are {new.known.decisions}" + (
            ", not the same ones" if old.known.decisions == new.known.decisions else "")
    if old.identities != new.identities:
        yield "identity: other patients, or patients who are other subjects"


def _flat(old: Mapping[str, Any], new: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The keys whose values differ, with their path."""
    for name in sorted(old.keys() | new.keys()):
        one, two = old.get(name), new.get(name)
        if isinstance(one, dict) and isinstance(two, dict):
            yield from _flat(one, two, f"{before}{name}.")
        elif one != two:
            yield f"{before}{name}", one, two


def _mapping_rows(kept: Path, now: Path, both: tuple[Inputs, Inputs]) -> Iterator[str]:
    """The lines of mapping files that went and came."""
    old, new = (one.mappings for one in both)
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name] and (kept / name).is_file():
            before, after = ((place / name).read_text(encoding="utf-8").splitlines() for place in (kept, now))
            rows = [line for line in difflib.unified_diff(before, after, lineterm="", n=0)
                    if line[:1] in "+-" and line[:3] not in ("+++", "---")]
            yield from _shortened([f"  {name}: {line}" for line in rows])


def _versions(path: Path, past: PastVault) -> list[str]:
    with path.open(encoding="utf-8", newline="") as file:
        before = {(row["hospital"], row["resource"], int(row["ordinal"])): row["mark"] for row in csv.DictReader(file)}
    after = {(hospital, key, ordinal): mark for hospital in past.known.versions
             for key, ordinal, _, mark in past.marks(hospital)}
    return [f"  version {ordinal} of record {key} of {hospital} "
            f"{_became(before.get((hospital, key, ordinal)), after.get((hospital, key, ordinal)))}"
            for hospital, key, ordinal in sorted(before.keys() | after.keys())
            if before.get((hospital, key, ordinal)) != after.get((hospital, key, ordinal))]


def _decisions(database: Path, past: PastVault) -> list[str]:
    trial = open_locked(database, trial_tables())
    try:
        names = trial.tables.columns("decision")
        before = {row["number"]: tuple(row.values()) for row in trial.all_rows("decision")}
    finally:
        trial.close()
    after = {one.number: tuple(getattr(one, name) for name in names) for one in past.decisions()}
    return [f"  decision {number} {_became(before.get(number), after.get(number))}"
            for number in sorted(before.keys() | after.keys()) if before.get(number) != after.get(number)]


def _shortened(lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return lines[:SHOWN] + more


# --- results -------------------------------------------------------------------------------------------------------


def _results_differ(manifest: Manifest, folder: Path, frozen: Workspace) -> Iterator[str]:
    """Tables that are computed otherwise now: which rows, and which values moved."""
    anew = frozen.trial.table_digests()
    other = sorted(table for table in anew.keys() | manifest.tables.keys()
                   if anew.get(table) != manifest.tables.get(table))
    if not other:
        return
    try:
        trial = open_locked(folder / DATABASE, trial_tables())
    except DatabaseError:
        yield f"results: computed otherwise now in {', '.join(other)}"
        return
    try:
        yield from (_rows_differ(table, trial, frozen.trial) for table in other if table in anew)
        yield from _shortened([f"  {one.words}" for one in comparing.changes(
            values_of(trial, folder), comparing.values(conclusions(frozen)) | comparing.study_values(summarise(frozen)))
        ])
    finally:
        trial.close()


def _rows_differ(table: str, kept: Trial, anew: Trial) -> str:
    before, after = (dict.fromkeys(tuple(row.values()) for row in trial.all_rows(table)) for trial in (kept, anew))
    lost, new = (sum(1 for row in one if row not in other) for one, other in ((before, after), (after, before)))
    return f"results: {table}: {lost} rows of the cut are not computed now, {new} rows are new"


def values_of(trial: Trial, folder: Path) -> dict[comparing.Key, comparing.Value]:
    """The values of a cut: of its subjects from its database, of the study from its summary."""
    found = comparing.values(trial.frames(trial.tables.conclusions))
    made = msgspec.json.decode((folder / SUMMARY).read_bytes(), type=Summary)
    return found | comparing.study_values(made)
