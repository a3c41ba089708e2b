"""Leases: one run at a time for each purpose; a sleeper that wakes after its time writes nothing."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Callable, Collection
from datetime import datetime, timedelta

import msgspec

from fhir_adapter.core.errors import LeaseHeld
from fhir_adapter.store.instants import instant, stamp
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.records import Lease
from fhir_adapter.store.transaction import Transaction

TRIAL_LEASE = "trial"
"""The lease of map, settle and derive; pulling has one for each hospital (`pull_lease`)."""


def pull_lease(hospital: str) -> str:
    """The name of a hospital's lease for pulling."""
    return f"pull:{hospital}"


class Leases(OpenVault):
    """Taking, renewing and giving back leases."""

    def lease(self, name: str, holder: str, now: datetime, ttl: timedelta,
              gone: Callable[[str], bool] = lambda holder: False) -> Lease:
        """Takes a lease that is free, has expired, or whose holder is `gone`; each taking has a higher number.

        A holder that is wrongly taken for gone does no harm: what it writes from then on is refused.

        Raises:
            LeaseHeld: another holder has it and it has not expired.
        """
        found = self.leases((name,), holder, now, ttl, gone)[name]
        if isinstance(found, LeaseHeld):
            raise found
        return found

    def leases(self, names: Collection[str], holder: str, now: datetime, ttl: timedelta,
               gone: Callable[[str], bool] = lambda holder: False) -> dict[str, Lease | LeaseHeld]:
        """Takes, in one transaction, those of several leases that can be had; for the others who has them.

        Two runs that want the same leases at the same time do not share them out: one gets them all.
        """
        with self.database.writing() as transaction:
            if transaction.postgres:
                transaction.run("LOCK TABLE lease IN SHARE ROW EXCLUSIVE MODE")
            wanted = [Lease(name=name, holder=holder, number=0, expires_at=now + ttl) for name in names]
            return {lease.name: _taken(transaction, lease, now, gone) for lease in wanted}

    def renew(self, lease: Lease, now: datetime, ttl: timedelta) -> Lease:
        """Moves the lease's end to `now + ttl`.

        Raises:
            LeaseHeld: it is no longer ours.
        """
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            expires = now + ttl
            transaction.run("UPDATE lease SET expires_at = ? WHERE name = ?", (stamp(expires), lease.name))
        return Lease(name=lease.name, holder=lease.holder, number=lease.number, expires_at=expires)

    def release(self, lease: Lease) -> None:
        """Gives the lease back; nothing happens if it is no longer ours."""
        with self.database.writing() as transaction:
            transaction.run(
                "UPDATE lease SET holder = '' WHERE name = ? AND number = ? AND holder = ?",
                (lease.name, lease.number, lease.holder),
            )

    def lease_holders(self, now: datetime) -> dict[str, str]:
        """Who holds which lease now, by lease name."""
        with self.database.reading() as transaction:
            rows = transaction.rows("SELECT name, holder, expires_at FROM lease ORDER BY name")
        return {row[0]: row[1] for row in rows if row[1] and instant(row[2]) > now}


def _taken(transaction: Transaction, wanted: Lease, now: datetime, gone: Callable[[str], bool]) -> Lease | LeaseHeld:
    lock = " FOR UPDATE" if transaction.postgres else ""
    row = transaction.row(f"SELECT holder, number, expires_at FROM lease WHERE name = ?{lock}", (wanted.name,))
    if row is not None and row[0] != "" and instant(row[2]) > now and not gone(row[0]):
        return LeaseHeld(f"another run holds the lease {wanted.name} until {row[2]}; run again later")
    lease = msgspec.structs.replace(wanted, number=1 if row is None else int(row[1]) + 1)
    transaction.upsert(
        "lease", ("name", "holder", "number", "taken_at", "expires_at"), ("name",),
        [(lease.name, lease.holder, lease.number, stamp(now), stamp(lease.expires_at))],
    )
    transaction.upsert("fence", ("name", "number"), ("name",), [(lease.name, lease.number)])
    return lease
