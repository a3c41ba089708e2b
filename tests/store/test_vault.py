"""The vault itself: its secret, its mark, its file; windows, coverage, quarantine, runs."""

import stat
from pathlib import Path

import pytest

from fhir_adapter.core.errors import DatabaseError, UsageError
from fhir_adapter.core.windows import Coverage, Damage, Question, WindowState
from fhir_adapter.store.opened import link_digest
from fhir_adapter.store.records import Refused
from fhir_adapter.store.vault import open_vault
from fhir_adapter.store.windows import KEPT_RUNS
from tests.databases import Databases
from tests.store.build import DM, NOW, SECRET, kept, page, pulling, vault, window


def test_a_wrong_secret_is_refused(database_urls: Databases) -> None:
    """Another secret would give other keys to the same records: exit code 2, and nothing is written."""
    with vault(database_urls):
        pass
    with pytest.raises(UsageError) as caught:
        open_vault(database_urls.vault, b"another secret of enough bytes..", create=True)

    assert caught.value.exit_code == 2
    assert "secret" in str(caught.value)


def test_a_short_secret_is_refused(database_urls: Databases) -> None:
    """Fewer than 16 bytes could be guessed."""
    with pytest.raises(UsageError):
        open_vault(database_urls.vault, b"short", create=True)


def test_a_missing_vault_is_said(database_urls: Databases) -> None:
    """Without `create` nothing is made: exit code 6 and what to do."""
    with pytest.raises(DatabaseError) as caught:
        open_vault(database_urls.vault, SECRET, create=False)

    assert caught.value.exit_code == 6
    assert "fhir-adapter sync" in str(caught.value)


def test_the_mark_stays(database_urls: Databases) -> None:
    """A vault that the demo made says so for ever; opening it otherwise does not change that."""
    open_vault(database_urls.vault, SECRET, create=True, mark="demo").close()
    with vault(database_urls) as opened:
        marks = opened.mark, len(opened.id)

    assert marks == ("demo", 32)


def test_an_address_of_no_known_kind_is_refused_without_repeating_it() -> None:
    """An address may hold a password."""
    for url in ("mysql://user:canary@x/y", "not an address canary", "sqlite://"):
        with pytest.raises(UsageError) as caught:
            open_vault(url, SECRET, create=True)
        assert "canary" not in str(caught.value)


def test_an_unreachable_server_is_a_database_error_without_password() -> None:
    """Exit code 6; neither password nor address in the text."""
    with pytest.raises(DatabaseError) as caught:
        open_vault("postgresql://u:canary@127.0.0.1:1/x", SECRET, create=True)

    assert "canary" not in str(caught.value)


def test_a_session_that_hangs_amid_a_transaction_is_ended_by_the_server(postgresql_urls: Databases) -> None:
    """Its locks would keep out the run that takes over its lease; a lease lasts ten minutes."""
    with vault(postgresql_urls) as opened, opened.database.writing() as transaction:
        assert transaction.value("SHOW idle_in_transaction_session_timeout") == "10min"


def test_a_session_that_the_server_ends_is_a_database_error_and_the_next_one_works(postgresql_urls: Databases) -> None:
    """Exit code 6 with the server's own state, not what the driver says when it cannot roll back any more."""
    with vault(postgresql_urls) as opened:

        def ended() -> None:
            with opened.database.writing() as lost, opened.database.writing() as other:
                other.run("SELECT pg_terminate_backend(?)", (lost.value("SELECT pg_backend_pid()"),))
                lost.run("SELECT 1")

        with pytest.raises(DatabaseError, match="57P01") as caught:
            ended()
        assert caught.value.exit_code == 6
        with opened.database.reading() as transaction:
            assert transaction.value("SELECT 1") == 1


def test_sqlite_files_are_for_their_owner_only(sqlite_urls: Databases) -> None:
    """0600, the write-ahead log too."""
    with vault(sqlite_urls) as opened:
        pulling(opened)
        path = opened.database.path
        assert path is not None
        modes = {one.name: stat.S_IMODE(one.stat().st_mode) for one in Path(path).parent.glob("vault.sqlite*")}

    assert set(modes.values()) == {0o600}


def test_sqlite_is_set_to_survive_power_loss(sqlite_urls: Databases) -> None:
    """WAL with synchronous FULL (2), foreign keys on, secure delete on (DESIGN §4)."""
    with vault(sqlite_urls) as opened, opened.database.reading() as transaction:
        found = [transaction.value(f"PRAGMA {name}")
                 for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "busy_timeout")]

    assert found == ["wal", 2, 1, 1, 30_000]


def test_a_window_is_taken_up_where_it_stood(database_urls: Databases) -> None:
    """An open window keeps its next link, its visited links and its issues; the next run goes on there."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        asked = window(opened, lease)
        opened.keep_page(lease, "west", page(kept("o1", b"{}"), window=asked.id, url="https://w/1", next="https://w/2",
                                             issues=("slow",)), NOW)
    with vault(database_urls) as opened:
        again = window(opened, lease, run=2)

    assert (again.id, again.attempts, again.pages, again.next, again.issues) == (
        asked.id, 2, 1, "https://w/2", ("slow",))
    assert again.visited == {link_digest("https://w/1")}
    assert again.question == asked.question


def test_a_failed_window_stays_listed_and_a_restarted_one_begins_anew(database_urls: Databases) -> None:
    """A window that led in a circle starts from its beginning; one that is given up says so."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        asked = window(opened, lease)
        opened.keep_page(lease, "west", page(window=asked.id, url="https://w/1", next="https://w/2"), NOW)
        opened.restart_window(lease, asked.id, NOW)
        fresh = opened.windows("west", WindowState.OPEN)[0]
        opened.close_window(lease, asked.id, WindowState.FAILED, ["HTTP 500"], NOW)
        failed = opened.windows("west", WindowState.FAILED)[0]

    assert (fresh.pages, fresh.next, fresh.visited) == (0, None, frozenset())
    assert (failed.issues, failed.closed_at) == (("HTTP 500",), NOW)


def test_old_closed_windows_are_forgotten_and_open_ones_never(database_urls: Databases) -> None:
    """Kept are the open ones and those of the last ten runs."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        window(opened, lease, run=1)
        for run in range(1, KEPT_RUNS + 4):
            one = opened.open_windows(lease, "west", [Question(type="Patient", reason=str(run))], run, NOW)[0]
            opened.keep_page(lease, "west", page(run=run, window=one.id, url="u", state=WindowState.WHOLE), NOW)
        gone = opened.prune_windows(lease, "west", NOW)
        left = opened.windows("west")

    assert gone == 3
    assert [one.run for one in left] == [1, *range(4, KEPT_RUNS + 4)]


def test_coverage_is_one_row_moved_in_place(database_urls: Databases) -> None:
    """What was moved last stands; instants come back as they went in, with their zone."""
    early = Coverage(type="Observation", patient="*", mode="last_updated", since=NOW, open_since=NOW)
    late = Coverage(type="Observation", patient="*", mode="last_updated", since=NOW, whole_as_of=NOW)
    with vault(database_urls) as opened:
        lease = pulling(opened)
        opened.set_coverage(lease, "west", [early], NOW)
        opened.set_coverage(lease, "west", [late], NOW)

        assert opened.coverage("west") == {("Observation", "*"): late}


def test_quarantine_is_acknowledged_once_and_audited(database_urls: Databases) -> None:
    """Damages keep their bytes if they were given; refused versions are named by key and ordinal."""
    damage = Damage(code="malformed_json", message="m", position=3, length=4, sha256="b" * 64, body=b"\x00\xff")
    refused = Refused(hospital="west", type="Observation", resource="k" * 32, ordinal=1, code="bad_date", message="m")
    with vault(database_urls) as opened:
        lease = pulling(opened)
        opened.keep_page(lease, "west", page(damages=(damage,)), NOW)
        added = [opened.quarantine_versions(lease, run, [refused], NOW) for run in (1, 2)]
        found = opened.quarantined("west", unacknowledged=True)
        bodies = {opened.quarantined_body(one.key) for one in found}
        numbers = [opened.acknowledge([one.key for one in found], "seen", DM) for _ in range(2)]
        entries = opened.audit_entries()
        left = opened.quarantined("west", unacknowledged=True)

    assert added == [1, 0]
    assert bodies == {b"\x00\xff", None}
    assert numbers == [2, 0]
    assert [one.action for one in entries] == ["acknowledge"]
    assert left == []


def test_runs_are_listed_newest_first(database_urls: Databases) -> None:
    """A run that was killed has no end."""
    with vault(database_urls) as opened:
        first = opened.start_run("sync", ["west"], "digest", "0.1", NOW)
        second = opened.start_run("sync", ["west"], "digest", "0.1", NOW)
        opened.finish_run(second, {"west": {"new": 3}}, 3, NOW)
        runs = opened.runs()

    assert [(one.id, one.exit_code, one.counts) for one in runs] == [
        (second, 3, {"west": {"new": 3}}), (first, None, {})]
