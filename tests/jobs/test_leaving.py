"""Who leaves: what a withdrawal ends and what it does not, and a person whom both databases forget (DESIGN §5.8)."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import inspect

from fhir_adapter import cuts, flow, subjects
from fhir_adapter.core.errors import DatabaseError, UsageError
from fhir_adapter.sandbox.requests import Seen
from fhir_adapter.store.engine import Database
from fhir_adapter.store.records import Identity
from tests.databases import Databases
from tests.jobs.build import Job, job

LONG_AGO, FAR_AHEAD = "2020-01-01", "2999-01-01"


@pytest.fixture
def here(tmp_path: Path, database_urls: Databases) -> Iterator[Job]:
    """Three patients of one hospital, synced once, on both backends."""
    with job(tmp_path, database_urls) as made:
        with made.work() as work:
            assert flow.sync(work, []).code == 0
        yield made


def someone(here: Job) -> Identity:
    """The first patient, and which subject that is."""
    with here.work() as work:
        return work.vault.identities()[0]


def asked_about(here: Job, one: Identity) -> list[Seen]:
    """The requests of a new sync that name this patient's clinical records."""
    assert here.server is not None
    before = len(here.server.requests)
    with here.work() as work:
        assert flow.sync(work, []).code == 0
    return [seen for seen in here.server.requests[before:]
            if any(name in ("patient", "subject") and one.patient in value for name, value in seen.query)]


def withdraw(here: Job, one: Identity, level: str, effective: str = LONG_AGO) -> list[str]:
    """The signed withdrawal."""
    with here.work() as work:
        return subjects.withdraw(work, subjects.Withdrawal(
            subject=one.subject, level=level, effective=effective, by="inv1", reason="a letter"))


def leave(here: Job, one: Identity) -> None:
    """The hospital says that the patient withdrew, and not from what."""
    assert here.server is not None
    with here.work() as work:
        found = [json.loads(version.body) for version in work.vault.versions("south", 0, 10_000)
                 if version.type == "ResearchSubject" and version.patient == one.patient]
    here.server.edit({**found[-1], "status": "withdrawn"})
    with here.work() as work:
        assert flow.sync(work, []).code == 0


def open_questions(here: Job) -> list[str]:
    """Subjects whose withdrawal has no level yet."""
    with here.work() as work:
        return [str(row.subject) for row in flow.conflicts(work, kind="withdrawal_level_open")]


@pytest.mark.parametrize(("level", "effective", "is_asked"), [
    ("treatment", LONG_AGO, True), ("visits", LONG_AGO, True), ("records", LONG_AGO, False),
    ("records", FAR_AHEAD, True),
])
def test_only_a_withdrawal_of_records_ends_asking(here: Job, level: str, effective: str, is_asked: bool) -> None:
    """DESIGN §5.8; from its day on, and what is there stays."""
    one = someone(here)
    with here.work() as work:
        before = work.trial.sizes([one.subject])
    withdraw(here, one, level, effective)

    assert bool(asked_about(here, one)) is is_asked
    with here.work() as work:
        assert work.trial.sizes([one.subject])[one.subject] == before[one.subject] + 1, "the withdrawal itself"


def test_a_new_trial_database_reads_who_withdrew_before_anybody_is_asked(here: Job) -> None:
    """Lost or emptied, it would know of no withdrawal; it is filled from the vault first, also for `pull` alone."""
    one = someone(here)
    withdraw(here, one, "records")
    with here.work() as work, work.trial.database.engine.begin() as connection:
        for table in ("cursor", "disposition"):
            connection.exec_driver_sql(f"DELETE FROM {table}")

    assert asked_about(here, one) == []


def test_a_withdrawal_is_taken_back_with_its_row(here: Job) -> None:
    """The row that the command wrote is deleted, and the next sync asks again."""
    one = someone(here)
    withdraw(here, one, "records")
    sheet = here.folder / "sync" / "supplements" / "withdrawals" / "disposition.csv"
    sheet.write_text(sheet.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")

    assert asked_about(here, one) == []
    assert asked_about(here, one), "sheets are read after hospitals: the sync after the next one asks"


@pytest.mark.parametrize(("level", "is_asked"), [("visits", True), ("records", False)])
def test_whoever_the_hospital_calls_withdrawn_is_asked_for_once_the_level_allows_it(
        here: Job, level: str, is_asked: bool) -> None:
    """DESIGN §7: not before the level is decided; signing the withdrawal decides it."""
    one = someone(here)
    leave(here, one)
    assert open_questions(here) == [one.subject]
    assert asked_about(here, one) == []

    withdraw(here, one, level)

    assert open_questions(here) == []
    assert bool(asked_about(here, one)) is is_asked


def test_a_withdrawal_that_will_not_do_is_refused_whole(here: Job) -> None:
    """Nobody of that number, no level, no day, no reason, nobody who may sign: and then no sheet is written."""
    wanted = {"subject": someone(here).subject, "level": "visits", "effective": LONG_AGO, "by": "inv1", "reason": "x"}
    wrong = (({"subject": "ATC-999"}, "no such subject"), ({"level": "all"}, "--level is one of"),
             ({"effective": "2024"}, "--effective is the day"), ({"effective": "2024-13-01"}, "--effective is the day"),
             ({"reason": " "}, "needs a reason"), ({"by": "dm1"}, "signed by an investigator"),
             ({"by": "nobody"}, r"not in \[people\]"))
    with here.work() as work:
        for change, said in wrong:
            with pytest.raises(UsageError, match=said):
                subjects.withdraw(work, subjects.Withdrawal(**{**wanted, **change}))
    assert not (here.folder / "sync" / "supplements" / "withdrawals").exists()


def test_an_erased_person_is_gone_from_both_databases_and_does_not_come_back(here: Job) -> None:
    """Neither id, trial number nor body of a record is left; rebuilding says the same, and so does the next sync."""
    one = someone(here)
    withdraw(here, one, "visits")
    with here.work() as work:
        subjects.erase(work, one.subject, reason="a court order", by=("dm1", "inv1"))
        digest = work.trial.digest()
    assert asked_about(here, one) == []
    with here.work() as work:
        assert flow.rebuild(work)[0].startswith(f"Rebuilt. Digest {digest}")

    with here.work() as work:
        left = {(database, table): len(rows) for database, table, rows in _naming(work, one)}
        others = [named.subject for named in work.vault.identities()]
        assert work.vault.verify_audit() == []
    assert left == {("vault", "audit"): 1, ("trial", "audit_entry"): 1}, "that the withdrawal was signed stays"
    assert len(others) == 2
    assert one.subject not in others


def test_a_cut_from_before_an_erasure_cannot_be_proved_and_says_why(here: Job) -> None:
    """The proof fails, and the first thing it names is the erasure."""
    one = someone(here)
    with here.work() as work:
        cuts.create(work, cuts.NewCut(cutoff="2026-01-01", name="before", by="dm1", with_open_conflicts=True))
        assert cuts.verify(work, "before").holds
        subjects.erase(work, one.subject, reason="a court order", by=("dm1", "inv1"))
        with pytest.raises(DatabaseError) as refused:
            cuts.verify(work, "before")
    assert str(refused.value).splitlines()[1].strip().startswith("erased: one person has been erased")


def test_an_erasure_that_was_killed_half_way_is_finished_by_calling_again(here: Job) -> None:
    """The vault forgets first; then the trial database still knows the subject, and the second call clears it."""
    one = someone(here)
    with here.work() as work:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(work.trial), "forget_records", _killed)
            with pytest.raises(KeyboardInterrupt):
                subjects.erase(work, one.subject, reason="a court order", by=("dm1", "inv1"))
        assert one.subject in set(work.trial.frames(("origin",))["origin"].subject)
        subjects.erase(work, one.subject, reason="a court order", by=("dm1", "inv1"))

        assert list(_naming(work, one)) == []
        with pytest.raises(UsageError, match="no such subject"):
            subjects.erase(work, one.subject, reason="a court order", by=("dm1", "inv1"))


def _killed(*words: object) -> None:
    raise KeyboardInterrupt


def _naming(work: flow.Workspace, one: Identity) -> Iterator[tuple[str, str, list[str]]]:
    """Tables of both databases with rows that name a patient, by id or by trial number."""
    for name, database, tables in (("vault", work.vault.database, _tables(work.vault.database)),
                                   ("trial", work.trial.database, _tables(work.trial.database))):
        with database.reading() as transaction:
            for table in tables:
                rows = [text for row in transaction.rows(f'SELECT * FROM "{table}"')
                        if one.patient in (text := _text(row)) or one.subject in text]
                if rows:
                    yield name, table, rows


def _tables(database: Database) -> list[str]:
    """Every table that the database itself lists."""
    return list(inspect(database.engine).get_table_names(schema=database.schema))


def _text(row: Iterable[object]) -> str:
    return " ".join(bytes(value).decode("utf-8", "replace") if isinstance(value, bytes | memoryview) else str(value)
                    for value in row)
