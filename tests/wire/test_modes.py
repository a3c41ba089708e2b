"""Search, bulk and files: three ways to one truth (DESIGN §4), over the rehearsal hospital and its records."""

import gzip
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_adapter import flow, kit
from fhir_adapter.core.errors import INCOMPLETE
from fhir_adapter.core.study import Pull
from fhir_adapter.steps.workspace import Workspace
from tests.databases import BACKENDS, postgres_databases, sqlite_databases
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


class Shelf:
    """Fresh databases of one kind, one pair a sync."""

    def __init__(self, west: Hall, folder: Path, server: str | None) -> None:
        self.west, self.folder, self.server = west, folder, server

    def digest(self, name: str, **pull: Any) -> tuple[str, int]:
        """The trial's digest after a sync of an empty study, and the exit code."""
        with ExitStack() as stack:
            folder = self.folder / name
            folder.mkdir()
            databases = (stack.enter_context(postgres_databases(self.server)) if self.server is not None
                         else sqlite_databases(folder))
            work = stack.enter_context(self.west.workspace(databases, ("west",)))
            outcome = flow.sync(_asked(work, **pull), [])
            return work.trial.digest(), outcome.code


@pytest.fixture(params=BACKENDS)
def shelf(request: pytest.FixtureRequest, west: Hall, tmp_path: Path) -> Shelf:
    """Databases on SQLite, and on PostgreSQL."""
    server = request.getfixturevalue("_postgres").url() if request.param == "postgresql" else None
    return Shelf(west, tmp_path, server)


def test_search_bulk_and_files_end_in_the_same_digest(shelf: Shelf, tmp_path: Path) -> None:
    """One data set, asked by search, exported, and delivered as files: the trial databases are equal."""
    searched = shelf.digest("search", mode="search")
    exported = shelf.digest("bulk", mode="bulk", bulk={"level": "patient"})
    system = shelf.digest("system", mode="bulk", bulk={"level": "system"})
    delivered = shelf.digest("files", mode="files", path=str(_delivered(tmp_path / "delivery")))

    assert searched[1] == INCOMPLETE  # the planted defects wait to be acknowledged
    assert exported == searched
    assert system == searched
    assert delivered == searched
