"""Who is who: the cohort's members, and which subject a hospital's patient is."""

from collections.abc import Collection
from datetime import datetime
from random import Random

from fhir_adapter.core.errors import UsageError
from fhir_adapter.store.instants import stamp
from fhir_adapter.store.opened import OpenVault, require_lease
from fhir_adapter.store.records import Identity, Lease, Member
from fhir_adapter.store.transaction import Transaction

_IDENTITY = ("hospital", "patient", "subject", "basis", "since")
_MEMBER = ("hospital", "patient", "state", "since", "source")


class Identities(OpenVault):
    """The cohort and the identity map."""

    def members(self, hospital: str) -> dict[str, Member]:
        """The hospital's cohort, by Patient id."""
        with self.database.reading() as transaction:
            rows = transaction.rows(
                "SELECT patient, state, source FROM member WHERE hospital = ? ORDER BY patient", (hospital,)
            )
        return {row[0]: Member(patient=row[0], state=row[1], source=row[2]) for row in rows}

    def set_members(self, lease: Lease, hospital: str, members: Collection[Member], now: datetime) -> int:
        """Writes members that are new or whose state has changed; nobody is removed here. The number written."""
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            known = {row[0]: (row[1], row[2]) for row in transaction.rows(
                "SELECT patient, state, source FROM member WHERE hospital = ?", (hospital,))}
            changed = {item.patient: item for item in members if known.get(item.patient) != (item.state, item.source)}
            transaction.upsert("member", _MEMBER, _MEMBER[:2], [
                (hospital, item.patient, item.state, stamp(now), item.source) for item in changed.values()])
        return len(changed)

    def erased(self, hospital: str, patients: Collection[str]) -> set[str]:
        """Those of the patients who were erased and must not come back."""
        marks = {self.person_mark(hospital, patient): patient for patient in patients}
        with self.database.reading() as transaction:
            return {marks[row[0]] for row in transaction.rows_in("SELECT mark FROM erased WHERE mark IN (?)", marks)}

    def identities(self, hospital: str | None = None) -> list[Identity]:
        """The identity map, by hospital and patient."""
        with self.database.reading() as transaction:
            rows = transaction.rows("SELECT hospital, patient, subject, basis FROM identity ORDER BY hospital, patient")
        found = [Identity(hospital=row[0], patient=row[1], subject=row[2], basis=row[3]) for row in rows]
        return [item for item in found if hospital in (None, item.hospital)]

    def identity(self, hospital: str, patient: str) -> Identity | None:
        """Which subject a patient is; None if nobody has said."""
        with self.database.reading() as transaction:
            row = transaction.row(
                "SELECT hospital, patient, subject, basis FROM identity WHERE hospital = ? AND patient = ?",
                (hospital, patient),
            )
        return None if row is None else Identity(hospital=row[0], patient=row[1], subject=row[2], basis=row[3])

    def subjects(self) -> list[str]:
        """All subject numbers that some patient has, oldest first."""
        with self.database.reading() as transaction:
            return [row[0] for row in transaction.rows(
                "SELECT number FROM subject WHERE EXISTS (SELECT 1 FROM identity WHERE subject = number) ORDER BY age"
            )]

    def assign(self, lease: Lease, identities: Collection[Identity], now: datetime) -> int:
        """Says which subjects patients are; numbers that are new get their age in the order given.

        A qualified number (`west:17`) counts as made from the hospital, any other as the trial's own.
        Says nothing new where the map says the same already; the number of rows that changed.
        """
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            _grow(transaction, [(item.subject, "qualified" if ":" in item.subject else "trial") for item in identities])
            return _map(transaction, identities, now)

    def assign_random(self, lease: Lease, hospital: str, patient: str, random: Random, now: datetime) -> str:
        """Gives a patient without a number one at random, once and for all; an assigned one keeps what it has."""
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            known = transaction.value("SELECT subject FROM identity WHERE hospital = ? AND patient = ?",
                                      (hospital, patient))
            if known is not None:
                return str(known)
            taken = {row[0] for row in transaction.rows("SELECT number FROM subject")}
            number = next(text for text in iter(lambda: f"S-{random.randrange(10**6):06d}", "") if text not in taken)
            _grow(transaction, [(number, "random")])
            _map(transaction, [Identity(hospital=hospital, patient=patient, subject=number, basis="random")], now)
        return number

    def join(self, lease: Lease, subjects: Collection[str], basis: str, now: datetime) -> str:
        """Makes several subjects one; the oldest number survives and is returned. Facts move when they are mapped."""
        with self.database.writing() as transaction:
            require_lease(transaction, lease, now)
            ages = dict(tuple(row) for row in transaction.rows_in(
                "SELECT number, age FROM subject WHERE number IN (?)", list(subjects)))
            if set(ages) != set(subjects):
                raise UsageError("a subject to be joined does not exist")
            oldest = min(ages, key=lambda number: ages[number])
            gone = [number for number in ages if number != oldest]
            _remember(transaction, [tuple(row) for row in transaction.rows_in(
                "SELECT hospital, patient, subject, basis, since FROM identity WHERE subject IN (?)", gone)], now)
            transaction.run_in("UPDATE identity SET subject = ?, basis = ?, since = ? WHERE subject IN (?)", gone,
                               (oldest, basis, stamp(now)))
        return str(oldest)

    def split(self, lease: Lease, patient: Identity, now: datetime) -> None:
        """Makes one patient the subject named in `patient` (a number of its own), apart from those joined with it."""
        self.assign(lease, [patient], now)


def _grow(transaction: Transaction, numbers: Collection[tuple[str, str]]) -> None:
    wanted = dict(numbers)
    known = {row[0] for row in transaction.rows_in("SELECT number FROM subject WHERE number IN (?)", list(wanted))}
    age = int(transaction.value("SELECT max(age) FROM subject") or 0)
    fresh = [number for number in wanted if number not in known]
    transaction.insert("subject", ("number", "age", "made"),
                       [(number, age + place, wanted[number]) for place, number in enumerate(fresh, start=1)])


def _map(transaction: Transaction, identities: Collection[Identity], now: datetime) -> int:
    known = {(row[0], row[1]): tuple(row) for row in transaction.rows_in(
        "SELECT hospital, patient, subject, basis, since FROM identity WHERE hospital IN (?)",
        sorted({item.hospital for item in identities}))}
    changed = {(item.hospital, item.patient): item for item in identities
               if known.get((item.hospital, item.patient), ())[2:4] != (item.subject, item.basis)}
    _remember(transaction, [known[pair] for pair in changed if pair in known], now)
    transaction.upsert("identity", _IDENTITY, _IDENTITY[:2], [
        (item.hospital, item.patient, item.subject, item.basis, stamp(now)) for item in changed.values()])
    return len(changed)


def _remember(transaction: Transaction, rows: Collection[tuple[str, ...]], until: datetime) -> None:
    """Who patients were until now: a cut looks at the map as it was."""
    transaction.insert("identity_was", (*_IDENTITY, "until"), [(*row, stamp(until)) for row in rows])
