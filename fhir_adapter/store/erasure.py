"""Erasing persons: wrongly pulled ones, or by a legal order (DESIGN §5.8)."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import re
from collections.abc import Collection, Iterator
from datetime import datetime

from fhir_adapter.core.errors import UsageError
from fhir_adapter.store.audit import append_audit
from fhir_adapter.store.instants import as_json, stamp
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.records import Lease, Signature
from fhir_adapter.store.transaction import Transaction


class Erasure(OpenVault):
    """Removing what the vault knows of persons; only HMAC(secret, hospital|patient) stays."""

    def erase(self, lease: Lease, hospital: str, patients: Collection[str], signed: tuple[Signature, Signature]
              ) -> list[str]:
        """Removes raw versions, quarantined bytes, coverage, membership, identity and windows of these patients.

        Two different people must sign. Returns the keys of the records that are gone, so that the trial database can
        drop what was made of them. The audit entry names marks, not ids.

        Raises:
            UsageError: both signatures are of one person.
        """
        first, second = signed
        if first.by == second.by:
            raise UsageError("erasing a person needs the signatures of two different people")
        marks = sorted(self.person_mark(hospital, patient) for patient in patients)
        with self.database.writing() as transaction:
            require_lease(transaction, lease, first.at)
            keys = sorted(row[0] for row in transaction.rows_in(
                "SELECT key FROM resource WHERE hospital = ? AND patient IN (?)", list(patients), (hospital,)))
            _forget_records(transaction, keys)
            for table in ("coverage", "member", "identity", "identity_was"):
                transaction.run_in(f"DELETE FROM {table} WHERE hospital = ? AND patient IN (?)", list(patients),
                                   (hospital,))
            _forget_questions(transaction, hospital, set(patients))
            transaction.run("DELETE FROM subject WHERE NOT EXISTS (SELECT 1 FROM identity WHERE subject = number)")
            transaction.upsert("erased", ("mark", "erased_at"), ("mark",), [(mark, stamp(first.at)) for mark in marks])
            words = as_json({"marks": marks, "hospital": hospital})
            for signature in signed:
                append_audit(transaction, signature, "erase", "persons", words)
        return keys

    def erasures(self, now: datetime) -> int:
        """How many persons have been erased so far."""
        with self.database.reading() as transaction:
            return int(transaction.value("SELECT count(*) FROM erased WHERE erased_at <= ?", (stamp(now),)))


def _forget_records(transaction: Transaction, keys: Collection[str]) -> None:
    transaction.run_in("DELETE FROM quarantine WHERE resource IN (?)", keys)
    transaction.run_in("DELETE FROM version WHERE resource IN (?)", keys)
    transaction.run_in("DELETE FROM resource WHERE key IN (?)", keys)


def _forget_questions(transaction: Transaction, hospital: str, patients: set[str]) -> None:
    """Windows and page addresses name patients whom they asked for, together with others."""
    questions = transaction.rows("SELECT id, question FROM question_window WHERE hospital = ?", (hospital,))
    named = [row[0] for row in questions
             if any(f'"{patient}"' in row[1] for patient in patients)]
    transaction.run_in("DELETE FROM visited WHERE window_id IN (?)", named)
    transaction.run_in("DELETE FROM question_window WHERE id IN (?)", named)
    ids = "|".join(re.escape(patient) for patient in sorted(patients))
    named_in = re.compile(rf"(?<![A-Za-z0-9.-])({ids})(?![A-Za-z0-9.-])")  # whole ids: `1` is not in `12`
    for table in ("version", "quarantine"):
        pages = [url for url in _urls(transaction, table, hospital) if named_in.search(url)]
        transaction.run_in(f"UPDATE {table} SET url = 'erased' WHERE hospital = ? AND url IN (?)", pages, (hospital,))


def _urls(transaction: Transaction, table: str, hospital: str) -> Iterator[str]:
    rows = transaction.rows(f"SELECT DISTINCT url FROM {table} WHERE hospital = ?", (hospital,))
    return (row[0] for row in rows)
