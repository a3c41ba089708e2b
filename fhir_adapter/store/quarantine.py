"""Quarantine: what could not be used, why, and who has acknowledged it."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import hashlib
from collections.abc import Collection
from datetime import datetime

from fhir_adapter.core.windows import Damage
from fhir_adapter.store.audit import append_audit
from fhir_adapter.store.instants import as_json, cleaned, stamp
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.records import Lease, PageProgress, Quarantined, Refused, Signature
from fhir_adapter.store.transaction import Transaction

_COLUMNS = ("key", "hospital", "type", "resource", "ordinal", "code", "message", "position", "length", "sha256",
            "body", "url", "run", "found_at")
_READ = ("key", "hospital", "type", "resource", "ordinal", "code", "message", "position", "length", "sha256", "run",
         "found_at", "acknowledged_by", "acknowledged_at", "reason")


def quarantine_key(*parts: object) -> str:
    """The same damage or the same refused version has the same key in every run."""
    return hashlib.sha256("|".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def keep_damages(
    transaction: Transaction, hospital: str, page: PageProgress, damages: Collection[Damage], now: datetime
) -> None:
    """Damages of a page; one that is known already is not written again."""
    rows: dict[str, tuple[object, ...]] = {}
    for damage in damages:
        key = quarantine_key(hospital, damage.code, damage.sha256)
        rows[key] = (key, hospital, page.type, None, None, damage.code, cleaned(damage.message), damage.position,
                     damage.length, damage.sha256, damage.body or None, cleaned(page.url), page.run, stamp(now))
    _add(transaction, rows)


def _add(transaction: Transaction, rows: dict[str, tuple[object, ...]]) -> int:
    known = {row[0] for row in transaction.rows_in("SELECT key FROM quarantine WHERE key IN (?)", list(rows))}
    fresh = [row for key, row in rows.items() if key not in known]
    transaction.insert("quarantine", _COLUMNS, fresh)
    return len(fresh)


class Quarantine(OpenVault):
    """Listing and acknowledging."""

    def quarantine_versions(self, lease: Lease, run: int, refused: Collection[Refused], now: datetime) -> int:
        """Versions that no domain could read; their bytes stay where they are. The number that was not known yet."""
        rows: dict[str, tuple[object, ...]] = {}
        for item in refused:
            key = quarantine_key(item.resource, item.ordinal, item.code)
            rows[key] = (key, item.hospital, item.type, item.resource, item.ordinal, item.code, cleaned(item.message),
                         None, None, "", None, "", run, stamp(now))
        if not rows:
            return 0
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            return _add(transaction, rows)

    def quarantined(self, hospital: str | None = None, *, unacknowledged: bool = False) -> list[Quarantined]:
        """What lies in quarantine, oldest run first."""
        with self.database.reading() as transaction:
            rows = transaction.rows(f"SELECT {', '.join(_READ)} FROM quarantine ORDER BY run, key")
        found = [Quarantined(**dict(zip(_READ, row, strict=True))) for row in rows]
        return [item for item in found
                if hospital in (None, item.hospital) and not (unacknowledged and item.acknowledged_by)]

    def quarantined_body(self, key: str) -> bytes | None:
        """The kept bytes of a damage; None when only its digest was kept."""
        with self.database.reading() as transaction:
            body = transaction.value("SELECT body FROM quarantine WHERE key = ?", (key,))
        return None if body is None else bytes(body)

    def acknowledge(self, keys: Collection[str], reason: str, signed: Signature) -> int:
        """A person has seen these and takes them as they are; audited. The number that was not acknowledged yet."""
        with self.database.writing() as transaction:
            new = sorted(row[0] for row in transaction.rows_in(
                "SELECT key FROM quarantine WHERE acknowledged_by IS NULL AND key IN (?)", list(keys)))
            if new:
                transaction.run_in(
                    "UPDATE quarantine SET acknowledged_by = ?, acknowledged_at = ?, reason = ? WHERE key IN (?)", new,
                    (signed.by, stamp(signed.at), reason),
                )
                append_audit(transaction, signed, "acknowledge", "quarantine", as_json({"keys": new, "reason": reason}))
        return len(new)
