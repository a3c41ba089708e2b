"""Small builders for the store's tests."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any

from fhir_adapter.core.conflicts import Doubt
from fhir_adapter.core.dates import read_date
from fhir_adapter.core.facts import Fact
from fhir_adapter.core.origins import Origin
from fhir_adapter.core.windows import Entry, Question
from fhir_adapter.domains.lab_result import LabResult
from fhir_adapter.domains.vital_status import VitalStatus
from fhir_adapter.steps.workspace import trial_tables
from fhir_adapter.store.batches import MappedRecord
from fhir_adapter.store.records import Kept, Lease, PageProgress, Signature, StoredWindow
from fhir_adapter.store.trial import Trial, TrialTables, open_trial
from fhir_adapter.store.vault import Vault, open_vault
from tests.databases import Databases

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECRET = b"not secret, only for tests, 32 b"
HOUR = timedelta(hours=1)
DM = Signature(by="dm1", system_user="tester", at=NOW)
TRIAL_LEASE = Lease(name="trial", holder="me", number=1, expires_at=NOW + HOUR)


@cache
def tables() -> TrialTables:
    """The real tables, declared once in a process."""
    return trial_tables()


@contextmanager
def vault(urls: Databases) -> Iterator[Vault]:
    """A new (or the same) vault."""
    opened = open_vault(urls.vault, SECRET, create=True)
    try:
        yield opened
    finally:
        opened.close()


@contextmanager
def trial(urls: Databases) -> Iterator[Trial]:
    """A new (or the same) trial database."""
    opened = open_trial(urls.trial, tables(), create=True)
    try:
        yield opened
    finally:
        opened.close()


def pulling(opened: Vault, now: datetime = NOW) -> Lease:
    """The lease for pulling from `west`."""
    return opened.lease("pull:west", "me", now, HOUR)


def window(opened: Vault, lease: Lease, run: int = 1) -> StoredWindow:
    """An open window at `west`."""
    question = Question(type="Observation", patients=("p1", "p2"), parameters=(("patient", "p1,p2"),))
    return opened.open_windows(lease, "west", [question], run, NOW)[0]


def kept(fhir_id: str, body: bytes, version: str = "", updated: str = "", *, deleted: bool = False) -> Kept:
    """An Observation of the patient p1."""
    entry = Entry(type="Observation", id=fhir_id, version_id=version, last_updated=updated, body=body,
                  deleted=deleted, url=f"https://west.example/Observation/{fhir_id}")
    return Kept(entry=entry, patient="p1")


def page(*entries: Kept, run: int = 1, **more: Any) -> PageProgress:
    """A page with these entries."""
    return PageProgress(run=run, kept=entries, type="Observation", **more)


def everything(opened: Vault | Trial, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """All rows of these tables, for comparing before and after."""
    with opened.database.reading() as transaction:
        return {name: sorted(map(repr, transaction.rows(f"SELECT * FROM {name}"))) for name in names}


def lab(value: str = "13.20", element: str = "valueQuantity", index: int = 0) -> LabResult:
    """A laboratory result."""
    return LabResult(element=element, index=index, test="alt", status="final", value=Decimal(value), value_text=value,
                     date=read_date("2024-05-06T08:00:00+02:00"), unit="U/L")


def dead(day: str = "2024-05-06") -> VitalStatus:
    """A death."""
    return VitalStatus(element="deceasedDateTime", status="dead", death=read_date(day), statement="deceased_date")


def doubt(resource: str, kind: str = "unmapped_code", **more: Any) -> Doubt:
    """A doubt about a record."""
    return Doubt(kind=kind, origin=Origin("west", "Observation", resource, 1, "code"), message="unknown here", **more)


def record(resource: str, *facts: tuple[str, Fact], ordinal: int = 1, subject: str = "ATC-001", **more: Any
           ) -> MappedRecord:
    """A mapped record; fact keys are made of its name, version and place."""
    more = {"outcome": "mapped", "is_head": True, "patient": f"key-{subject}", **more}
    keyed = [(table, f"{resource}-{ordinal}-{place}", fact) for place, (table, fact) in enumerate(facts)]
    return MappedRecord(resource=resource, ordinal=ordinal, hospital="west", type="Observation", subject=subject,
                        facts=keyed, **more)
