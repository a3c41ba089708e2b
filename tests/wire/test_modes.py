"""Search, bulk and files: three ways to one truth (DESIGN §4), over the rehearsal hospital and its records."""

import gzip
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_adapter import flow, kit
from fhir_adapter.core.errors import INCOMPLETE
from fhir_adapter.core.study import Pull
from fhir_adapter.steps.workspace import Workspace
from tests.databases import sqlite_databases
from tests.flow.conftest import Hall, hall


@pytest.fixture(scope="module")
def west(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """Rehearsal hospitals of this module."""
    with hall(tmp_path_factory.mktemp("hospitals")) as opened:
        yield opened


def _delivered(folder: Path) -> Path:
    """What the hospital's server holds, as a delivery of files; one of them packed."""
    folder.mkdir()
    for path in (kit.fixtures_path() / "hospitals" / "west").glob("[A-Z]*.ndjson"):
        shutil.copy(path, folder)
    plain = folder / "Observation.ndjson"
    with gzip.open(f"{plain}.gz", "wb") as packed:
        packed.write(plain.read_bytes())
    plain.unlink()
    return folder


def _asked(work: Workspace, **pull: Any) -> Workspace:
    west = work.study.hospitals["west"]
    changed = west.model_copy(update={"pull": Pull(**{"rate": "1000/s", **pull})})
    study = work.study.model_copy(update={"hospitals": {"west": changed}})
    return msgspec.structs.replace(work, study=study)


def _digest(west: Hall, folder: Path, **pull: Any) -> tuple[str, int]:
    folder.mkdir()
    with west.workspace(sqlite_databases(folder), ("west",)) as work:
        outcome = flow.sync(_asked(work, **pull), [])
        return work.trial.digest(), outcome.code


def test_search_bulk_and_files_end_in_the_same_digest(west: Hall, tmp_path: Path) -> None:
    """One data set, asked by search, exported, and delivered as files: the trial databases are equal."""
    searched = _digest(west, tmp_path / "search", mode="search")
    exported = _digest(west, tmp_path / "bulk", mode="bulk", bulk={"level": "patient"})
    system = _digest(west, tmp_path / "system", mode="bulk", bulk={"level": "system"})
    delivered = _digest(west, tmp_path / "files", mode="files", path=str(_delivered(tmp_path / "delivery")))

    assert searched[1] == INCOMPLETE  # the planted defects wait to be acknowledged
    assert exported == searched
    assert system == searched
    assert delivered == searched
