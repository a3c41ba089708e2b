"""Erasing persons: wrongly pulled ones, or by a legal order (DESIGN §5.8)."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import re
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime

import msgspec

from fhir_adapter.core.errors import UsageError
from fhir_adapter.store.audit import append_audit
from fhir_adapter.store.instants import as_json, stamp
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.records import Lease, Signature
from fhir_adapter.store.transaction import Transaction

_SAID = ("remark", "query", "proposal", "assignment", "noticed")
"""What people wrote or noted beside a conflict."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Whom to erase: a subject, the hospitals' patients that it is, and the conflicts about it."""

    subject: str
    patients: tuple[tuple[str, str], ...]
    conflicts: tuple[str, ...] = ()


class Erasure(OpenVault):
    """Removing what the vault knows of persons; only HMAC(secret, hospital|patient) stays."""

    def erase(self, leases: Iterable[Lease], person: Person, reason: str, signed: tuple[Signature, Signature]) -> None:
        """Removes raw versions, quarantined bytes, coverage, membership, identity, windows and remarks of a person.

        Records of several people that name the person (a Group, a row of a sheet) go too: the next pull brings what
        still stands there. Two different people must sign. `leases`: of every hospital concerned. What the audit trail
        and the decisions say stays as it is; the entry of the erasure names marks, not ids.

        Raises:
            UsageError: both signatures are of one person.
        """
        first, second = signed
        if first.by == second.by:
            raise UsageError("erasing a person needs the signatures of two different people")
        patients: dict[str, list[str]] = {}
        for hospital, patient in person.patients:
            patients.setdefault(hospital, []).append(patient)
        marks = sorted(self.person_mark(*one) for one in person.patients)
        with self.database.writing() as transaction:
            for lease in leases:
                require_lease(transaction, lease, first.at)
            for hospital, ours in sorted(patients.items()):
                _forget_at(transaction, hospital, ours)
            _forget_rows(transaction, person.subject)
            for table in _SAID:
                transaction.run_in(f"DELETE FROM {table} WHERE conflict_key IN (?)", list(person.conflicts))
            transaction.run("DELETE FROM subject WHERE NOT EXISTS (SELECT 1 FROM identity WHERE subject = number)")
            transaction.upsert("erased", ("mark", "erased_at"), ("mark",), [(mark, stamp(first.at)) for mark in marks])
            for signature in signed:
                append_audit(transaction, signature, "erase", "person",
                             as_json({"marks": marks, "hospitals": sorted(patients), "reason": reason}))

    def lost(self, keys: Collection[str]) -> set[str]:
        """Those of the keys of which the vault has no record (any more)."""
        with self.database.reading() as transaction:
            return set(keys) - {row[0] for row in transaction.rows_in(
                "SELECT key FROM resource WHERE key IN (?)", list(keys))}

    def erasures(self, now: datetime) -> int:
        """How many persons have been erased so far."""
        with self.database.reading() as transaction:
            return int(transaction.value("SELECT count(*) FROM erased WHERE erased_at <= ?", (stamp(now),)))


def _forget_at(transaction: Transaction, hospital: str, patients: list[str]) -> None:
    """What one hospital said of these patients, what it was asked about them, and who they are."""
    ids = "|".join(re.escape(one) for one in sorted(patients))
    mentioned = re.compile(rf'(Patient/|"id"\s*:\s*")({ids})(?![A-Za-z0-9.-])')
    own = {row[0]: f"{row[1]}/{row[2]}" for row in transaction.rows_in(
        "SELECT key, type, fhir_id FROM resource WHERE hospital = ? AND patient IN (?)", patients, (hospital,))}
    keys = set(own)
    keys |= {row[0] for row in transaction.rows(
        "SELECT v.resource, v.body FROM version v JOIN resource r ON r.key = v.resource "
        "WHERE r.hospital = ? AND r.patient IS NULL AND r.type <> 'Sheet'", (hospital,)) if _names(mentioned, row[1])}
    _forget_records(transaction, keys)
    damaged = [row[0] for row in transaction.rows(
        "SELECT key, body FROM quarantine WHERE hospital = ? AND body IS NOT NULL", (hospital,))
        if _names(mentioned, row[1])]
    transaction.run_in("DELETE FROM quarantine WHERE key IN (?)", damaged)
    for table in ("coverage", "member", "identity", "identity_was"):
        transaction.run_in(f"DELETE FROM {table} WHERE hospital = ? AND patient IN (?)", patients, (hospital,))
    transaction.run_in("DELETE FROM lesson WHERE hospital = ? AND name IN (?)", [*patients, *sorted(own.values())],
                       (hospital,))
    _forget_questions(transaction, hospital, re.compile(rf"(?<![A-Za-z0-9.-])({ids})(?![A-Za-z0-9.-])"))


def _names(mentioned: re.Pattern[str], body: bytes) -> bool:
    """Whether a record of several people names one of them: whole ids, `1` is not in `12`."""
    return mentioned.search(bytes(body).decode("utf-8", "replace")) is not None


def _forget_rows(transaction: Transaction, subject: str) -> None:
    """The rows of signed sheets about a subject."""
    keys = set()
    for key, body in transaction.rows("SELECT v.resource, v.body FROM version v JOIN resource r ON r.key = v.resource "
                                      "WHERE r.type = 'Sheet'"):
        if msgspec.json.decode(bytes(body), type=_Row).row.get("subject", "").strip() == subject:
            keys.add(key)
    _forget_records(transaction, keys)


class _Row(msgspec.Struct):
    row: dict[str, str] = {}


def _forget_records(transaction: Transaction, keys: Collection[str]) -> None:
    gone = sorted(keys)
    transaction.run_in("DELETE FROM quarantine WHERE resource IN (?)", gone)
    transaction.run_in("DELETE FROM version WHERE resource IN (?)", gone)
    transaction.run_in("DELETE FROM resource WHERE key IN (?)", gone)


def _forget_questions(transaction: Transaction, hospital: str, named_in: re.Pattern[str]) -> None:
    """Windows and page addresses name patients whom they asked for, together with others."""
    questions = transaction.rows("SELECT id, question FROM question_window WHERE hospital = ?", (hospital,))
    named = [row[0] for row in questions if named_in.search(row[1])]
    transaction.run_in("DELETE FROM visited WHERE window_id IN (?)", named)
    transaction.run_in("DELETE FROM question_window WHERE id IN (?)", named)
    for table in ("version", "quarantine"):
        pages = [url for url in _urls(transaction, table, hospital) if named_in.search(url)]
        transaction.run_in(f"UPDATE {table} SET url = 'erased' WHERE hospital = ? AND url IN (?)", pages, (hospital,))


def _urls(transaction: Transaction, table: str, hospital: str) -> Iterator[str]:
    rows = transaction.rows(f"SELECT DISTINCT url FROM {table} WHERE hospital = ?", (hospital,))
    return (row[0] for row in rows)
