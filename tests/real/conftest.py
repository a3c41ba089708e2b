"""The server by other hands as fixtures: fresh and empty for each test, open or behind SMART."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.server import Door, RealServer, RealServerMissing, program, start


@pytest.fixture(scope="session")
def real_program() -> Path:
    """The server's command; a missing one fails in CI and is a named skip elsewhere."""
    try:
        return program()
    except RealServerMissing as missing:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{missing}; in CI it must be there", pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture
def open_server(real_program: Path, tmp_path: Path) -> Iterator[RealServer]:
    """Empty, and open to everybody."""
    with start(tmp_path / "real", "open") as server:
        yield server


@pytest.fixture
def smart_server(real_program: Path, tmp_path: Path) -> Iterator[RealServer]:
    """Empty, behind SMART Backend Services with tokens of three seconds."""
    with start(tmp_path / "real", "smart") as server:
        yield server


@pytest.fixture(params=["open", "smart"])
def real_server(request: pytest.FixtureRequest, real_program: Path, tmp_path: Path) -> Iterator[RealServer]:
    """The test runs twice: against an open server, and against one behind SMART."""
    door: Door = request.param
    with start(tmp_path / "real", door) as server:
        yield server
