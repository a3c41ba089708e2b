"""Databases of both kinds, shared by the wards of one module."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from tests.databases import BACKENDS, Databases, postgres_databases, sqlite_databases
from tests.hostile.ward import Ward, ward

Open = Callable[..., AbstractContextManager[Ward]]


@pytest.fixture(scope="module", params=BACKENDS)
def databases(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Empty databases of both kinds, kept for one module."""
    if request.param == "sqlite":
        yield sqlite_databases(tmp_path_factory.mktemp("databases"))
        return
    with postgres_databases(request.getfixturevalue("_postgres").url()) as fresh:
        yield fresh


@pytest.fixture
def open_ward(databases: Databases, tmp_path: Path) -> Open:
    """Opens a ward: `open_ward(people=2, persona=..., pull={...})`."""

    def opening(**how: Any) -> AbstractContextManager[Ward]:
        return ward(databases, tmp_path, **how)

    return opening


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test runs on both databases; of one with many cases PostgreSQL sees the first here, all in `test-hard`.

    Faults of pages and people happen before a database is asked; what records hold (test_records) is whole on both.
    """
    met: set[str] = set()
    for item in items:
        if item.path.name in ("test_pages.py", "test_people.py") and item.path.parent == Path(__file__).parent:
            name = f"{item.path.name}:{getattr(item, 'originalname', item.name)}"
            if "postgresql" in item.name and name in met:
                item.add_marker(pytest.mark.hard)
            elif "postgresql" in item.name:
                met.add(name)
