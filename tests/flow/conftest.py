"""The rehearsal hospitals on loopback, and studies that ask them, over both databases."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from fhir_adapter import kit, study
from fhir_adapter.core.study import Databases as Places
from fhir_adapter.core.study import Study
from fhir_adapter.sandbox.rehearse import Rehearsed, rehearse
from fhir_adapter.steps.workspace import Workspace, opened
from tests.databases import BACKENDS, Databases, postgres_databases, sqlite_databases

SECRET = b"a secret of the tests, the same in all of them"


class Hall:
    """The open rehearsal hospitals, with the folder where their throw-away keys lie."""

    def __init__(self, rehearsed: Rehearsed, folder: Path) -> None:
        self.rehearsed, self.folder = rehearsed, folder

    @property
    def study(self) -> Study:
        """The shipped study, asking the hospitals where they answer now."""
        return self.rehearsed.study

    @contextmanager
    def workspace(self, databases: Databases, chosen: tuple[str, ...] = ()) -> Iterator[Workspace]:
        """That study over these databases; only the chosen hospitals, if any are named."""
        patch = pytest.MonkeyPatch()
        patch.setenv("TEST_VAULT_URL", databases.vault)
        patch.setenv("TEST_TRIAL_URL", databases.trial)
        places = Places(vault="env:TEST_VAULT_URL", trial="env:TEST_TRIAL_URL")
        settings = self.study.settings.model_copy(update={"databases": places})
        hospitals = {name: one for name, one in self.study.hospitals.items() if not chosen or name in chosen}
        asked = self.study.model_copy(update={"settings": settings, "hospitals": hospitals})
        try:
            with opened(asked, self.folder, secret=SECRET) as work:
                yield work
        finally:
            patch.undo()


@contextmanager
def hall(folder: Path) -> Iterator[Hall]:
    """Fresh rehearsal hospitals, for a test that changes them."""
    shipped = study.load(kit.kit_path())
    with rehearse(shipped, kit.fixtures_path() / "hospitals", work=folder) as rehearsed:
        yield Hall(rehearsed, folder)


@pytest.fixture(scope="session")
def hospitals(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """The rehearsal hospitals that no test changes."""
    with hall(tmp_path_factory.mktemp("hospitals")) as opened_hall:
        yield opened_hall


@pytest.fixture(scope="module", params=BACKENDS)
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Empty databases of both kinds, kept for one module."""
    if request.param == "sqlite":
        yield sqlite_databases(tmp_path_factory.mktemp("databases"))
        return
    with postgres_databases(request.getfixturevalue("_postgres").url()) as fresh:
        yield fresh
