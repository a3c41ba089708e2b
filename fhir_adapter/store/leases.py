"""Leases: one run at a time for each purpose; a sleeper that wakes after its time writes nothing."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

from collections.abc import Callable
from datetime import datetime, timedelta

from fhir_adapter.core.errors import LeaseHeld
from fhir_adapter.store.instants import instant, stamp
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.records import Lease

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
        with self.database.writing() as transaction:
            lock = " FOR UPDATE" if transaction.postgres else ""
            if transaction.postgres:
                transaction.run("LOCK TABLE lease IN SHARE ROW EXCLUSIVE MODE")
            row = transaction.row(f"SELECT holder, number, expires_at FROM lease WHERE name = ?{lock}", (name,))
            if row is not None and row[0] != "" and instant(row[2]) > now and not gone(row[0]):
                raise LeaseHeld(f"another run holds the lease {name} until {row[2]}; run again later")
            number = 1 if row is None else int(row[1]) + 1
            expires = now + ttl
            transaction.upsert(
                "lease", ("name", "holder", "number", "taken_at", "expires_at"), ("name",),
                [(name, holder, number, stamp(now), stamp(expires))],
            )
            transaction.upsert("fence", ("name", "number"), ("name",), [(name, number)])
        return Lease(name=name, holder=holder, number=number, expires_at=expires)

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
