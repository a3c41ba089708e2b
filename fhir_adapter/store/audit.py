"""The audit trail: a chain of hashes, so that a changed or missing entry shows."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import hashlib
from collections.abc import Iterator, Sequence

from fhir_adapter.store.instants import as_json, cleaned, stamp
from fhir_adapter.store.opened import OpenVault
from fhir_adapter.store.records import AuditEntry, Signature
from fhir_adapter.store.transaction import Transaction

START = "0" * 64
"""What stands as `previous` of the first entry."""

_COLUMNS = ("seq", "at", "actor", "os_user", "action", "object", "detail", "previous", "hash")


def append_audit(transaction: Transaction, signed: Signature, action: str, thing: str, detail: str) -> None:
    """One more link, in the transaction of what it tells about; writers of the chain wait for each other."""
    append_audits(transaction, signed, [(action, thing, detail)])


def append_audits(transaction: Transaction, signed: Signature, told: Sequence[tuple[str, str, str]]) -> None:
    """Links for several things done at once: (action, thing, detail), in this order."""
    lock_chain(transaction)
    last = transaction.row("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")
    seq, previous = (0, START) if last is None else (int(last[0]), last[1])
    rows = []
    for action, thing, detail in told:
        seq += 1
        words = (stamp(signed.at), signed.by, signed.system_user, action, cleaned(thing), cleaned(detail))
        hashed = link_hash(seq, words, previous)
        rows.append((seq, *words, previous, hashed))
        previous = hashed
    transaction.insert("audit", _COLUMNS, rows)


def lock_chain(transaction: Transaction) -> None:
    """Whoever appends decisions or audit entries does so one after the other (SQLite's writers do anyway)."""
    if transaction.postgres:  # no lock of the table: that would ask for the right to change its rows
        transaction.run("SELECT pg_advisory_xact_lock(4712)")


def link_hash(seq: int, words: tuple[str, ...], previous: str) -> str:
    """SHA-256 over everything that an entry says and the hash of the one before."""
    return hashlib.sha256(as_json([seq, *words, previous]).encode()).hexdigest()


class Audit(OpenVault):
    """Appending to, reading and verifying the trail."""

    def note(self, signed: Signature, action: str, thing: str, detail: object = None) -> None:
        """Writes down what somebody did that changes nothing else, for example looking at a raw record."""
        with self.database.writing() as transaction:
            append_audit(transaction, signed, action, thing, as_json(detail))

    def audit_entries(self, after: int = 0, most: int | None = None) -> list[AuditEntry]:
        """The trail after a number, in order; the first `most` of it, if that is said."""
        with self.database.reading() as transaction:
            rows = transaction.rows(
                f"SELECT {', '.join(_COLUMNS)} FROM audit WHERE seq > ? ORDER BY seq"
                + ("" if most is None else " LIMIT ?"), (after,) if most is None else (after, most)
            )
        return [AuditEntry(**dict(zip(AuditEntry.__struct_fields__, row, strict=True))) for row in rows]

    def audit_page(self, search: str, before: int, size: int) -> list[AuditEntry]:
        """Up to `size` entries before a number, the newest first, that hold a text anywhere."""
        like = "%" + "".join("!" + sign if sign in "!%_" else sign for sign in cleaned(search).lower()) + "%"
        held = " OR ".join(f"lower({name}) LIKE ? ESCAPE '!'" for name in ("at", "actor", "action", "object", "detail"))
        with self.database.reading() as transaction:
            rows = transaction.rows(
                f"SELECT {', '.join(_COLUMNS)} FROM audit WHERE seq < ? AND ({held}) ORDER BY seq DESC LIMIT ?",
                (before, *[like] * 5, size))
        return [AuditEntry(**dict(zip(AuditEntry.__struct_fields__, row, strict=True))) for row in rows]

    def verify_audit(self) -> list[str]:
        """What is wrong with the trail, in words; an empty list means that it is whole.

        A chain shows changed, missing and inserted entries; that its end was cut off, only an anchor outside can show.
        """
        return list(chain_faults(self.audit_entries()))


def chain_faults(entries: list[AuditEntry]) -> Iterator[str]:
    """Every place where the chain does not hold."""
    previous, expected = START, 1
    for entry in entries:
        if entry.seq != expected:
            yield f"entry {expected} is missing before entry {entry.seq}"
        if entry.previous != previous:
            yield f"entry {entry.seq} does not follow the one before it"
        words = (entry.at, entry.actor, entry.system_user, entry.action, entry.object, entry.detail)
        if entry.hash != link_hash(entry.seq, words, entry.previous):
            yield f"entry {entry.seq} was changed"
        previous, expected = entry.hash, entry.seq + 1
