"""What the promises are tested on: the rehearsal study, synced once for each backend, and small ways to look at it."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from fhir_adapter import flow
from fhir_adapter.core.runs import RunOutcome
from fhir_adapter.steps.workspace import Workspace
from tests.databases import BACKENDS, Databases, postgres_databases, sqlite_databases
from tests.flow.conftest import Hall, hall, hospitals

__all__ = ["hospitals"]


class Synced(msgspec.Struct, frozen=True):
    """A study after one whole sync: nobody has decided anything yet, and no test may change that."""

    work: Workspace
    outcome: RunOutcome
    digest: str
    databases: Databases
    hall: Hall


def hurried(work: Workspace) -> Workspace:
    """The same study, never waiting: neither for a rate nor before it asks again."""
    return msgspec.structs.replace(work, sleep=lambda seconds: None)


class Shelf:
    """The synced studies by backend, each made when it is first asked for."""

    def __init__(self, stack: ExitStack, shown: Hall, folder: Path, server: "pytest.FixtureRequest") -> None:
        self._stack, self._hall, self._folder, self._request = stack, shown, folder, server
        self._made: dict[str, Synced] = {}

    def synced(self, backend: str) -> Synced:
        """The synced study on this backend."""
        if backend not in self._made:
            if backend == "sqlite":
                databases = sqlite_databases(self._folder)
            else:
                server = self._request.getfixturevalue("_postgres").url()
                databases = self._stack.enter_context(postgres_databases(server))
            work = hurried(self._stack.enter_context(self._hall.workspace(databases)))
            outcome = flow.sync(work, [])
            self._made[backend] = Synced(work, outcome, work.trial.digest(), databases, self._hall)
        return self._made[backend]


@pytest.fixture(scope="session")
def shelf(request: pytest.FixtureRequest, hospitals: Hall, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """Synced studies of both backends."""
    request.getfixturevalue("_postgres")
    with ExitStack() as stack:
        yield Shelf(stack, hospitals, tmp_path_factory.mktemp("synced"), request)


@pytest.fixture(scope="session", params=BACKENDS)
def synced(request: pytest.FixtureRequest, shelf: Shelf) -> Synced:
    """The synced study, on SQLite and on PostgreSQL."""
    return shelf.synced(request.param)


@pytest.fixture
def own_hall(tmp_path: Path) -> Iterator[Hall]:
    """Rehearsal hospitals of this test alone, which it may edit and close."""
    with hall(tmp_path / "hall") as opened:
        yield opened
