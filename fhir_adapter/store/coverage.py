"""Coverage: how far a hospital's answers reach, one row a type and patient, updated in place."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Collection
from datetime import datetime

from fhir_adapter.core.windows import Coverage
from fhir_adapter.store.instants import instant_or_none, stamp_or_none
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import Transaction

_COLUMNS = ("hospital", "type", "patient", "mode", "since", "whole_as_of", "open_since")


def move_coverage(transaction: Transaction, hospital: str, rows: Collection[Coverage]) -> None:
    """Writes coverage rows; one a type and patient."""
    transaction.upsert("coverage", _COLUMNS, _COLUMNS[:3], [
        (hospital, row.type, row.patient, row.mode, stamp_or_none(row.since), stamp_or_none(row.whole_as_of),
         stamp_or_none(row.open_since)) for row in rows
    ])


class CoverageBook(OpenVault):
    """Reading and moving coverage."""

    def coverage(self, hospital: str) -> dict[tuple[str, str], Coverage]:
        """All coverage of a hospital, by type and patient (`*`: all)."""
        with self.database.reading() as transaction:
            rows = transaction.rows(
                f"SELECT {', '.join(_COLUMNS)} FROM coverage WHERE hospital = ? ORDER BY type, patient", (hospital,)
            )
        return {(row[1], row[2]): Coverage(
            type=row[1], patient=row[2], mode=row[3], since=instant_or_none(row[4]),
            whole_as_of=instant_or_none(row[5]), open_since=instant_or_none(row[6]),
        ) for row in rows}

    def set_coverage(self, lease: Lease, hospital: str, rows: Collection[Coverage], now: datetime) -> None:
        """Moves coverage outside of a page, for example opens it when a hospital could not be reached at all."""
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            move_coverage(transaction, hospital, rows)

    def narrow_coverage(self, lease: Lease, hospital: str, patients: Collection[str], now: datetime) -> None:
        """Forgets the coverage of everybody but these patients: of those who are not asked for any more (withdrawn,
        merged away) nothing is missing, and nothing is whole. Who is asked for again gets full history."""
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            known = {row[0] for row in transaction.rows(
                "SELECT DISTINCT patient FROM coverage WHERE hospital = ? AND patient <> '*'", (hospital,))}
            transaction.many("DELETE FROM coverage WHERE hospital = ? AND patient = ?",
                             [(hospital, patient) for patient in sorted(known - set(patients))])
