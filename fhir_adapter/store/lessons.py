"""Lessons: what has been learned about how a hospital wants to be asked, kept from run to run.

Kinds: `pause` (until when it wants to be left alone), `habit` (words that a type's questions must do without or have),
`refused` (issue codes), `scope` (what its token allows), `count` (records of a type at the last full reading),
`reread` (when a type was last read by id), `exported` (types that its exports bring), `absent` (records that a read by
id did not find, and in which run). Never a patient's value.
"""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from fhir_adapter.store.instants import cleaned, instant, stamp
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.records import Lease


class Lesson(msgspec.Struct, frozen=True):
    """One thing learned, and when."""

    value: str
    at: datetime


class Lessons(OpenVault):
    """Learning, looking up and forgetting."""

    def lessons(self, hospital: str, kind: str) -> dict[str, Lesson]:
        """What is known of a kind, by name."""
        with self.database.reading() as transaction:
            rows = list(transaction.rows(
                "SELECT name, value, learned_at FROM lesson WHERE hospital = ? AND kind = ? ORDER BY name",
                (hospital, kind)))
        return {row[0]: Lesson(row[1], instant(row[2])) for row in rows}

    def learn(self, lease: Lease, hospital: str, kind: str, found: Mapping[str, str], now: datetime) -> None:
        """Writes what was learned; a name that is known already gets its new value. Nothing to learn writes nothing."""
        if not found:
            return
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            transaction.upsert("lesson", ("hospital", "kind", "name", "value", "learned_at"),
                               ("hospital", "kind", "name"),
                               [(hospital, kind, cleaned(name), cleaned(value), stamp(now))
                                for name, value in sorted(found.items())])

    def unlearn(self, lease: Lease, hospital: str, kind: str, names: Collection[str], now: datetime) -> None:
        """Forgets what no longer holds."""
        if not names:
            return
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            for name in sorted(names):
                transaction.run("DELETE FROM lesson WHERE hospital = ? AND kind = ? AND name = ?",
                                (hospital, kind, name))
