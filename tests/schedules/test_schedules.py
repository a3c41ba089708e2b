"""Seeded schedules: whatever a hospital, its network and our own deaths do, nothing is ever silently missing (issue 3).

Each seed is a schedule (plans.py): a vendor's habits, edits, faults of HTTP and of the network, stops. After every sync
the vault must hold what it claims; when the faults have ceased, one more sync makes it equal to the hospital's truth, or
`status` names the type that is missing. A seed that fails is a test id: `pytest "tests/schedules/test_schedules.py" -k
"[17]"` runs it again. `SCHEDULES=1000-2000` runs other seeds.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_adapter.core.errors import WHOLE
from fhir_adapter.steps.workspace import opened
from tests.databases import Databases, sqlite_databases
from tests.schedules import records
from tests.schedules.books import Books, lines
from tests.schedules.place import ADDRESS, DAY, SECRET, World, empty, opened_world, shipped
from tests.schedules.plans import LASTING, Plan, Visit, planned

FIRST, LAST = map(int, os.environ.get("SCHEDULES", "0-300").split("-"))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hospital's records."""
    return records.write(tmp_path_factory.mktemp("hospital") / "west")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with empty databases."""
    folder = tmp_path_factory.mktemp("empty")
    with _named(sqlite_databases(folder)), opened(shipped(), folder, secret=SECRET):
        return folder


def _named(databases: Databases) -> "pytest.MonkeyPatch":
    raise NotImplementedError


def _ended(world: World) -> list[str]:
    """What is wrong with a world after its last visit."""
    return []
