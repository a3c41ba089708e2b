"""A vault looked at as it would be with decisions that nobody has signed, or as it was at some moment. Reads only."""
# ruff: noqa: S608 - names of tables and columns are our own; values always go in as parameters

import hmac
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import UsageError
from fhir_adapter.store.instants import stamp
from fhir_adapter.store.records import AuditEntry, Cut, Identity, Kind, Known, Lease, Member, Run, Version
from fhir_adapter.store.vault import Vault

SCRATCH = Lease(name="scratch", holder="scratch", number=1, expires_at=datetime.max.replace(tzinfo=UTC))
"""The right to write into a trial database that nobody else knows of; it never needs to be renewed."""


class LaidVault(Vault):
    """The vault with unsigned decisions and other subjects laid over it; it keeps no quarantine."""

    def __init__(self, vault: Vault, laid: Sequence[Decision] = (),
                 moved: Mapping[tuple[str, str], str] | None = None) -> None:
        """`moved`: the subject by hospital and patient, where it differs from the vault's."""
        super().__init__(vault.database, vault._secret)
        self._laid, self._moved = tuple(laid), dict(moved or {})

    def decisions(self, after: int = 0) -> list[Decision]:
        """The signed decisions, then those laid over."""
        return [*super().decisions(after), *(one for one in self._laid if one.number > after)]

    def identities(self, hospital: str | None = None) -> list[Identity]:
        """The identity map with the moved patients."""
        return [msgspec.structs.replace(one, subject=self._moved.get((one.hospital, one.patient), one.subject))
                for one in super().identities(hospital)]

    def subjects(self) -> list[str]:
        """The subject numbers that some patient has, in the order of their names."""
        return sorted({one.subject for one in self.identities()})

    def quarantine_versions(self, *_args: object, **_named: object) -> int:
        """Nothing: what is refused here was refused when it was mapped for the trial."""
        return 0


class PastVault(LaidVault):
    """The vault as it was: what was received, decided and known of who is who by then. Nothing later is seen.

    What the vault keeps only as it is now (runs, the audit trail, members' states, other cuts) is empty; coverage is
    as it is now.
    """

    def __init__(self, vault: Vault, known: Known) -> None:
        super().__init__(vault)
        self.known = known

    def decisions(self, after: int = 0) -> list[Decision]:
        """Those signed by then."""
        return [one for one in super().decisions(after) if one.number <= self.known.decisions]

    def identities(self, hospital: str | None = None) -> list[Identity]:
        """The identity map of then; a patient who was not in it yet is not there."""
        at = self.known.at
        sql = ("SELECT hospital, patient, subject, basis FROM identity WHERE since <= ? UNION ALL SELECT hospital, "
               "patient, subject, basis FROM identity_was WHERE since <= ? AND until > ?")
        with self.database.reading() as transaction:
            rows = sorted(tuple(row) for row in transaction.rows(sql, (at, at, at)))
        found = [Identity(hospital=row[0], patient=row[1], subject=row[2], basis=row[3]) for row in rows]
        return [one for one in found if hospital in (None, one.hospital)]

    def last_seq(self, hospital: str) -> int:
        """The sequence number of the newest version of then."""
        return self.known.versions.get(hospital, 0)

    def versions(self, hospital: str, after_seq: int, limit: int) -> list[Version]:
        """The next versions that were there then."""
        return self._then(super().versions(hospital, after_seq, limit))

    def versions_of(self, keys: Collection[str]) -> list[Version]:
        """All versions of these records that were there then."""
        return self._then(super().versions_of(keys))

    def heads_of(self, keys: Collection[str]) -> dict[str, Version]:
        """The newest versions of then."""
        return {one.key: one for one in self.versions_of(keys) if one.is_head}

    def heads_of_type(self, hospital: str, resource_type: str) -> list[Version]:
        """The newest versions of then of all records of a type."""
        keys = [self.key(hospital, resource_type, one) for one in self.ids(hospital, resource_type)]
        return sorted(self.heads_of(keys).values(), key=lambda version: version.key)

    def ids(self, hospital: str, resource_type: str, patient: str | None = None) -> list[str]:
        """The hospital's ids of all records of a type that were there then and not deleted."""
        sql = ("SELECT r.fhir_id, v.ordinal, v.kind FROM version v JOIN resource r ON r.key = v.resource WHERE "
               "v.hospital = ? AND v.seq <= ? AND r.type = ? AND v.was_head = 1")
        values: tuple[object, ...] = (hospital, self.last_seq(hospital), resource_type)
        if patient is not None:
            sql, values = sql + " AND r.patient = ?", (*values, patient)
        with self.database.reading() as transaction:
            kinds = {row[0]: row[2] for row in sorted(tuple(row) for row in transaction.rows(sql, values))}
        return sorted(id for id, kind in kinds.items() if kind != Kind.DELETED)

    def members(self, hospital: str) -> dict[str, Member]:
        """Nobody: only states of now are kept."""
        return {}

    def runs(self, last: int = 0) -> list[Run]:
        """None: a cut knows of no run."""
        return []

    def audit_entries(self, after: int = 0, most: int | None = None) -> list[AuditEntry]:
        """None: the trail is the vault's."""
        return []

    def cuts(self) -> list[Cut]:
        """None: a cut knows of no other."""
        return []

    def marks(self, hospital: str) -> list[tuple[str, int, int, str]]:
        """Every version of then by its place: key, ordinal, sequence number, and a keyed mark of its bytes."""
        with self.database.reading() as transaction:
            rows = [tuple(row) for row in transaction.rows(
                "SELECT resource, ordinal, seq, kind, sha256 FROM version WHERE hospital = ? AND seq <= ? ORDER BY seq",
                (hospital, self.last_seq(hospital)))]
        return [(key, ordinal, seq, self._mark(kind, sha256)) for key, ordinal, seq, kind, sha256 in rows]

    def _mark(self, kind: str, sha256: str) -> str:
        return hmac.digest(self._secret, f"version|{kind}|{sha256}".encode(), "sha256")[:16].hex()

    def _then(self, found: Collection[Version]) -> list[Version]:
        """The versions of then, each knowing which was its record's newest then."""
        seen = [one for one in found if one.seq <= self.last_seq(one.hospital)]
        heads: dict[str, int] = {}
        with self.database.reading() as transaction:
            for hospital in sorted({one.hospital for one in seen}):
                heads |= {row[0]: row[1] for row in transaction.rows_in(
                    "SELECT resource, max(ordinal) FROM version WHERE hospital = ? AND seq <= ? AND was_head = 1 AND "
                    "resource IN (?) GROUP BY resource",
                    sorted({one.key for one in seen if one.hospital == hospital}), (hospital, self.last_seq(hospital)))}
        return [msgspec.structs.replace(one, head=heads.get(one.key, 0)) for one in seen]


def known(vault: Vault, at: datetime | None = None) -> Known:
    """What the vault knew at an instant; without one, what it knows now, as of the last thing that it was told.

    Raises:
        UsageError: it knew nothing.
    """
    with vault.database.reading() as transaction:
        last = max((transaction.value(f"SELECT max({column}) FROM {table}") or "" for table, column in _TOLD))
        moment = last if at is None else stamp(at)
        versions = {row[0]: int(row[1]) for row in transaction.rows(
            "SELECT hospital, max(seq) FROM version GROUP BY hospital")}
        later = {row[0]: int(row[1]) - 1 for row in transaction.rows(
            "SELECT hospital, min(seq) FROM version WHERE received_at > ? GROUP BY hospital", (moment,))}
        decisions = transaction.value("SELECT max(number) FROM decision") or 0
        after = transaction.value("SELECT min(number) FROM decision WHERE decided_at > ?", (moment,))
        mappings = transaction.value(
            "SELECT mappings FROM run WHERE started_at <= ? ORDER BY id DESC LIMIT 1", (moment,))
    found = {hospital: seq for hospital, seq in sorted((versions | later).items()) if seq > 0}
    if not found:
        raise UsageError("Nothing had been received by then; there is nothing to cut.")
    return Known(at=moment, versions=found, decisions=int(decisions if after is None else after - 1),
                 mappings=mappings or "")


_TOLD = (("version", "received_at"), ("decision", "decided_at"), ("identity", "since"))
"""What the vault was told, and when."""
