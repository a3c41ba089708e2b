"""Empty databases to copy, for both backends, and the records of the small hospital."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from fhir_adapter.steps.workspace import opened
from tests.databases import Databases, postgres_databases, sqlite_databases
from tests.schedules import records
from tests.schedules.place import SECRET, empty, named_by_environment, shipped


class Templates:
    """A pair of empty databases for each backend, made when it is first asked for; every test gets copies."""

    def __init__(self, folder: Path, stack: ExitStack, server: Callable[[], str]) -> None:
        self._folder, self._stack, self._server = folder, stack, server
        self._made: dict[str, Databases] = {}

    @contextmanager
    def fresh(self, backend: str, home: Path) -> Iterator[Databases]:
        """Databases of a test's own, with all tables and nothing in them."""
        home.mkdir(parents=True, exist_ok=True)
        if backend == "sqlite":
            self._template(backend)
            yield empty(self._folder, home)
            return
        template = urlsplit(self._template(backend).vault).path.lstrip("/")
        with postgres_databases(self._server(), template) as databases:
            yield databases

    def _template(self, backend: str) -> Databases:
        if backend not in self._made:
            databases = (sqlite_databases(self._folder) if backend == "sqlite" else
                         self._stack.enter_context(postgres_databases(self._server())))
            with named_by_environment(databases), opened(shipped(), self._folder, secret=SECRET):
                self._made[backend] = databases
        return self._made[backend]


@pytest.fixture(scope="session")
def templates(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Templates]:
    """Empty databases to copy."""
    server = request.getfixturevalue("_postgres")
    with ExitStack() as stack:
        yield Templates(tmp_path_factory.mktemp("templates"), stack, server.url)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hospital's records."""
    return records.write(tmp_path_factory.mktemp("hospital") / "west")
