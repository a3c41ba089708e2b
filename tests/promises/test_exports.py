"""What is handed on as files is the same from both backends."""

import csv
from pathlib import Path

import pytest

from fhir_adapter import cuts
from fhir_adapter.core.errors import UsageError
from tests.promises.conftest import Shelf

ASKED = ("whole_as_of", "open_since")
"""When the hospitals were asked: of two syncs never the same."""


def test_both_backends_write_the_same(shelf: Shelf, tmp_path: Path) -> None:
    """Every view and table of conclusions, cell by cell; as many rows as the database has."""
    written = {}
    for backend in ("sqlite", "postgresql"):
        work = shelf.synced(backend).work
        paths = cuts.export(work, "csv", tmp_path / backend)
        written[backend] = {path.name: _cells(path) for path in paths}
        with work.trial.database.reading() as transaction:
            for path in paths:
                count = transaction.value(f"SELECT count(*) FROM {path.stem}")
                assert len(written[backend][path.name]) == count, path.name
    assert set(written["sqlite"]) >= {"v_subject.csv", "v_time_to_event.csv", "lab_toxicity.csv"}
    for name, cells in written["sqlite"].items():
        assert cells == written["postgresql"][name], name
    with pytest.raises(UsageError, match="parquet cannot be written"):
        cuts.export(shelf.synced("sqlite").work, "parquet", tmp_path)


def _cells(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [{name: cell for name, cell in row.items() if name not in ASKED} for row in csv.DictReader(file)]
