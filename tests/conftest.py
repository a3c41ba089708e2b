"""What every test has: a clock far from UTC, and both databases."""

import os
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.databases import BACKENDS, Databases, PostgresMissing, postgres_databases, postgres_server, sqlite_databases

# Four hours east of Greenwich, without daylight saving: careless handling of time zones shows at once.
os.environ["TZ"] = "<+04>-4"
time.tzset()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first."""
    items.sort(key=lambda item: item.get_closest_marker("longest") is None)


class _Postgres:
    """One server for this pytest process, started by the first test that asks."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._url: str | None = None

    def url(self) -> str:
        """The server's address; a missing server fails in CI and is a named skip elsewhere."""
        if self._url is None:
            try:
                self._url = self._stack.enter_context(postgres_server())
            except PostgresMissing as missing:
                if os.environ.get("CI") == "true":
                    pytest.fail(f"{missing}; in CI it must be there", pytrace=False)
                pytest.skip(str(missing))
        return self._url


@pytest.fixture(scope="session")
def _postgres() -> Iterator[_Postgres]:
    with ExitStack() as stack:
        yield _Postgres(stack)


@pytest.fixture
def sqlite_urls(tmp_path: Path) -> Databases:
    """A vault and a trial database on SQLite, not yet made."""
    return sqlite_databases(tmp_path)


@pytest.fixture
def postgresql_urls(_postgres: _Postgres) -> Iterator[Databases]:
    """A vault and a trial database in one fresh PostgreSQL database, still empty."""
    with postgres_databases(_postgres.url()) as databases:
        yield databases


@pytest.fixture(params=BACKENDS)
def database_urls(request: pytest.FixtureRequest) -> Databases:
    """The test runs twice: on SQLite and on PostgreSQL, each time with fresh, empty databases."""
    databases: Databases = request.getfixturevalue(f"{request.param}_urls")
    return databases
