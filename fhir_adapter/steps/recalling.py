"""The mappings as they were: a cut is computed, and later proved, by those that were in force, not by those of today.

The vault keeps of each run the digest of the mappings that it read by; the files themselves are kept by whoever keeps
the study folder, and by every cut. So what was in force at a moment is known, and is found again or asked for.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps.manifest import Inputs, sums
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Known
from fhir_adapter.study import digest_of, with_mappings

KEPT = "mappings"
"""The folder of a cut's mappings."""


def as_of(work: Workspace, then: Known, cuts: Path, given: Path | None, *, of_now: bool) -> Workspace:
    """The study with the mappings in force at a moment: its own, those given, or those that some cut has kept.

    `of_now`: somebody wants those of now all the same. Raises UsageError when they cannot be found, or when the given
    ones are not those.
    """
    if given is not None:
        if not given.is_dir() or digest_of(given) != then.mappings:
            raise UsageError(f"The mappings in {given} are not those that were in force at {then.at}.")
        return _read_by(work, given)
    if of_now or work.study.digest == then.mappings:
        return work
    for place in _kept(cuts):
        if digest_of(place) == then.mappings:
            return _read_by(work, place)
    raise UsageError(
        f"The mappings have changed since {then.at}, and no cut has kept those of then. Fetch them from where you keep "
        "the study folder's history and name them with --mappings FOLDER, or use those of now with "
        "--with-mappings-of-now; the cut will say so.")


def proved_by(work: Workspace, folder: Path, signed: Inputs) -> Workspace:
    """The study with the mappings that a cut was signed with: its own if they are the same, else those kept with it.

    When the kept ones are damaged too, the study's own. Raises UsageError when this program cannot read the kept ones.
    """
    kept = folder / KEPT
    if sums(work.study.mappings) == signed.mappings or not kept.is_dir() or sums(kept) != signed.mappings:
        return work
    return _read_by(work, kept)


def _kept(cuts: Path) -> Iterator[Path]:
    return (place for place in sorted(cuts.glob(f"*/{KEPT}")) if place.is_dir())


def _read_by(work: Workspace, mappings: Path) -> Workspace:
    return msgspec.structs.replace(work, study=with_mappings(work.study, mappings))
