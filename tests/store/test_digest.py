"""The digest: the same on both backends and in any order; another one when a value differs."""

import random
from pathlib import Path

import pytest

from fhir_adapter.store.batches import MappedRecord
from fhir_adapter.store.rebuild import open_next, swap
from fhir_adapter.store.trial import Place, Settling, Trial
from tests.databases import Databases, sqlite_databases
from tests.store.build import TRIAL_LEASE, dead, doubt, lab, record, tables, trial

VALUES = ("13.20", "1E+2", "0", "-0.0", "0.000001", "12345678901234567890.123456789")


def records() -> list[MappedRecord]:
    """Some records with texts whose order depends on a collation."""
    names = ("a", "B", "_", "é", "z", "Å", "日本")
    return [record(f"r{number}-{name}", ("lab_result", lab(VALUES[number % len(VALUES)])), ("vital_status", dead()),
                   subject=f"ATC-{name}", doubts=[doubt(f"r{number}", values=(name,))])
            for number, name in enumerate(names)]


def fill(opened: Trial, batch: list[MappedRecord], size: int) -> None:
    """Writes the records in batches of a size and settles them."""
    for start in range(0, len(batch), size):
        opened.write_mapping(TRIAL_LEASE, "west", batch[start:start + size], Place(start))
    opened.write_settling(TRIAL_LEASE, Settling(subjects=[one.subject or "" for one in batch]))


def test_both_backends_and_all_orders_give_one_digest(
    sqlite_urls: Databases, postgresql_urls: Databases, tmp_path: Path
) -> None:
    """Shuffled records in batches of one, two and all: one number."""
    found = set()
    for seed, size in enumerate((1, 2, 100)):
        shuffled = records()
        random.Random(seed).shuffle(shuffled)
        folder = tmp_path / str(seed)
        folder.mkdir()
        with trial(sqlite_databases(folder)) as opened:
            fill(opened, shuffled, size)
            found.add(opened.digest())
    with trial(postgresql_urls) as opened:
        fill(opened, records(), 3)
        found.add(opened.digest())

    assert len(found) == 1


def test_another_value_gives_another_digest(database_urls: Databases) -> None:
    """A changed fact shows in its own table's digest and in no other but its origin's neighbours."""
    with trial(database_urls) as opened:
        fill(opened, records(), 100)
        before, whole = opened.table_digests(), opened.digest()
        changed = record("r0-a", ("lab_result", lab("13.21")), ("vital_status", dead()), subject="ATC-a",
                         doubts=[doubt("r0", values=("a",))])
        opened.write_mapping(TRIAL_LEASE, "west", [changed], None)
        after = opened.table_digests()

        assert opened.digest() != whole
    assert [name for name in before if before[name] != after[name]] == ["lab_result"]


def test_runs_audit_completeness_and_machinery_are_not_in_it(database_urls: Databases) -> None:
    """DESIGN §4: what tells of clocks and runs does not change the digest."""
    with trial(database_urls) as opened:
        before = opened.digest()
        opened.touch(TRIAL_LEASE, ["ATC-001"])
        opened.set_cursor(TRIAL_LEASE, "west", Place(3, "d"))
        gap = {"hospital": "west", "type": "T", "mode": "m", "declared_gap": ""}
        opened.project(TRIAL_LEASE, {"completeness": [gap]})

        assert opened.digest() == before


def test_a_rebuilt_database_takes_the_place_of_the_old_one(database_urls: Databases) -> None:
    """Grown beside the old one, swapped in one step, the same digest; an interrupted rebuild leaves no trace."""
    with trial(database_urls) as old:
        fill(old, records(), 2)
        digest = old.digest()
        old.write_mapping(TRIAL_LEASE, "west", [record("stray", ("lab_result", lab()))], None)
    interrupted = open_next(database_urls.trial, tables())
    fill(interrupted, records()[:2], 1)
    interrupted.close()
    grown = open_next(database_urls.trial, tables())
    fill(grown, records()[::-1], 3)
    swap(database_urls.trial, grown)
    with trial(database_urls) as opened:
        found = opened.digest()
        views = opened.database.backend
        with opened.database.reading() as transaction:
            rows = transaction.rows("SELECT subject FROM v_lab")

    assert found == digest
    assert (len(rows), views) == (7, database_urls.backend)


def test_a_swap_under_a_reader_is_refused_on_sqlite(sqlite_urls: Databases) -> None:
    """A write-ahead log left beside another file would be played into it, so both stay as they are."""
    from fhir_adapter.core.errors import DatabaseError

    with trial(sqlite_urls) as old:
        fill(old, records(), 2)
        digest = old.digest()
        grown = open_next(sqlite_urls.trial, tables())
        with old.database.reading() as transaction:
            transaction.rows("SELECT count(*) FROM lab_result")
            with pytest.raises(DatabaseError):
                swap(sqlite_urls.trial, grown)

        assert old.digest() == digest
