"""What every part of the vault stands on: the open database, the secret, and the lease check."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import hashlib
import hmac
from datetime import datetime
from functools import lru_cache

from fhir_adapter.core.errors import LeaseHeld
from fhir_adapter.store.engine import Database
from fhir_adapter.store.instants import instant
from fhir_adapter.store.marks import Marks
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import Transaction


def resource_key(secret: bytes, hospital: str, resource_type: str, fhir_id: str) -> str:
    """The opaque key of a record: 32 hex characters, the same in any order of arrival."""
    return _keyed(_mac(secret), f"{hospital}|{resource_type}|{fhir_id}")


def _mac(secret: bytes) -> hmac.HMAC:
    return hmac.new(secret, digestmod="sha256")


def _keyed(mac: hmac.HMAC, text: str) -> str:
    """`mac` has taken in the secret alone: to copy it is quicker than to begin anew with each text."""
    mac = mac.copy()
    mac.update(text.encode("utf-8", "surrogatepass"))
    return mac.digest()[:16].hex()


def link_digest(link: str) -> str:
    """How a followed link is remembered: links can carry tokens and patient ids."""
    return hashlib.sha256(link.encode("utf-8", "surrogatepass")).hexdigest()


class OpenVault:
    """An open vault: one database and the secret that makes its keys."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self.database = database
        self._secret, self._mac = secret, _mac(secret)
        self._key = lru_cache(maxsize=4096)(self.record_key)
        self._seen: dict[int, Marks] = {}

    def key(self, hospital: str, resource_type: str, fhir_id: str) -> str:
        """The opaque key of a record; for a Patient it is also what the trial knows of that patient."""
        return self._key(hospital, resource_type, fhir_id)

    def record_key(self, hospital: str, resource_type: str, fhir_id: str) -> str:
        """The same for a record that nobody asks for again soon: it is not remembered."""
        return _keyed(self._mac, f"{hospital}|{resource_type}|{fhir_id}")

    def person_mark(self, hospital: str, patient: str) -> str:
        """HMAC of a person at a hospital: all that is kept of an erased one."""
        return _keyed(self._mac, f"erased|{hospital}|{patient}")

    def close(self) -> None:
        """Gives the database back."""
        self.database.close()


def require_lease(transaction: Transaction, lease: Lease, now: datetime) -> None:
    """Checks, inside the writing transaction, that the lease is still ours; nobody can take it until the commit.

    Raises:
        LeaseHeld: it has expired or somebody else has taken it since; nothing of this transaction is written.
    """
    lock = " FOR UPDATE" if transaction.postgres else ""
    row = transaction.row(f"SELECT number, holder, expires_at FROM lease WHERE name = ?{lock}", (lease.name,))
    if row is None or (row[0], row[1]) != (lease.number, lease.holder):
        raise LeaseHeld(f"the lease {lease.name} was taken by another run; this one stops without writing")
    if instant(row[2]) <= now:
        raise LeaseHeld(f"the lease {lease.name} has expired; this run stops without writing, run again")
