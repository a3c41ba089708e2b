"""Growing a trial database that is not the study's: for a cut, or for a look at what a decision would change.

It is a SQLite file whatever the study's own backend is: the digest of both is the same (DESIGN §5).
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from fhir_adapter.core.runs import Progress, silent
from fhir_adapter.steps.mapping import BATCH, Mapper, map_hospital
from fhir_adapter.steps.workspace import Workspace, trial_tables
from fhir_adapter.store.seen import SCRATCH, LaidVault
from fhir_adapter.store.trial import Place, open_trial


@contextmanager
def grown(work: Workspace, vault: LaidVault, path: Path) -> Iterator[Workspace]:
    """The study over an empty trial database at `path` and a vault as it is looked at; the file stays."""
    trial = open_trial(f"sqlite:///{path}", trial_tables(), create=True)
    try:
        yield msgspec.structs.replace(work, vault=vault, trial=trial)
    finally:
        trial.close()


def in_order(work: Workspace) -> list[str]:
    """Hospitals in the order of mapping: sheets last, since they name other hospitals' records."""
    return sorted(work.study.hospitals, key=lambda one: (work.study.hospitals[one].pull.mode == "sheet", one))


def map_everything(work: Workspace, told: Progress = silent) -> None:
    """Maps every version that the vault shows."""
    mapper = Mapper(work)
    for name in in_order(work):
        map_hospital(work, mapper, work.study.hospitals[name], SCRATCH, 0, told)


def map_records(work: Workspace, keys: Collection[str]) -> None:
    """Maps all versions of these records alone."""
    mapper = Mapper(work)
    found = work.vault.versions_of(keys)
    for name in in_order(work):
        versions = [one for one in found if one.hospital == name]
        for start in range(0, len(versions), BATCH):
            batch = [mapper.map(version) for version in versions[start : start + BATCH]]
            work.trial.write_mapping(SCRATCH, name, batch, Place())
