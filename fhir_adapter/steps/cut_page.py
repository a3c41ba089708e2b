"""The report of a cut: the same page, from what was frozen alone. Nothing is computed that the cut has kept."""

from pathlib import Path

import msgspec

from fhir_adapter import report
from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.core.figures import Completeness, Summary
from fhir_adapter.report import Context, Frozen
from fhir_adapter.steps import recalling, reporting
from fhir_adapter.steps.cutting import DATABASE, SUMMARY, the_cut
from fhir_adapter.steps.manifest import Manifest, read_manifest
from fhir_adapter.steps.proving import kept_otherwise
from fhir_adapter.steps.workspace import Workspace, trial_tables
from fhir_adapter.store.locked import open_locked
from fhir_adapter.store.records import Cut
from fhir_adapter.study import with_mappings


def write(work: Workspace, name: str, folder: Path, notice: str = "") -> list[Path]:
    """Writes the page and the figures of a cut below `folder`; the same cut gives the same bytes.

    Raises UsageError when there is no such cut, DatabaseError when its folder is not as it was signed.
    """
    cut, kept = the_cut(work, name)
    manifest = read_manifest(cut.manifest)
    faults = list(kept_otherwise(cut, manifest, kept))
    if faults:
        raise DatabaseError(f"The cut {name} is not as it was signed; nothing is reported from it:\n  "
                            + "\n  ".join(faults))
    trial = open_locked(kept / DATABASE, trial_tables())
    try:
        study = with_mappings(work.study, kept / recalling.KEPT)
        frozen = msgspec.structs.replace(work, trial=trial, study=study)
        frames = reporting.conclusions(frozen)
        made = msgspec.json.decode((kept / SUMMARY).read_bytes(), type=Summary)
        return report.write(frames, made, _context(frozen, frames, (cut, manifest), notice), folder)
    finally:
        trial.close()


def _context(frozen: Workspace, frames: reporting.Frames, of: tuple[Cut, Manifest], notice: str) -> Context:
    cut, manifest = of
    return msgspec.structs.replace(
        reporting.context(frozen, frames, cut.data_cutoff), known_at=cut.known_at, version=manifest.inputs.program,
        notice=notice,
        completeness=tuple(Completeness(hospital=row.hospital, type=row.type, mode=row.mode, quarantined=0,
                                        whole_as_of=row.whole_as_of, open_since=row.open_since)
                           for row in manifest.completeness),
        frozen=Frozen(name=cut.name, digest=cut.digest, known_at=cut.known_at, signed_by=cut.signed_by,
                      signed_at=cut.signed_at, reason=cut.reason, waived=len(manifest.waived),
                      program=manifest.inputs.program, mappings_as_of=manifest.inputs.mappings_as_of))
