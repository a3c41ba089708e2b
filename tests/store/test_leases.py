"""Leases: one at a time, and whoever has lost one writes nothing."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from fhir_adapter.core.errors import LeaseHeld
from fhir_adapter.core.windows import Coverage
from fhir_adapter.store.records import Identity, Lease, Member, Refused
from fhir_adapter.store.vault import Vault
from fhir_adapter.store.vault_tables import VAULT
from tests.databases import Databases
from tests.store.build import HOUR, NOW, SECRET, everything, kept, page, pulling, vault, window

ALL = tuple(sorted(set(VAULT.tables) - {"lease", "fence"}))


def test_a_held_lease_is_refused_until_it_expires(database_urls: Databases) -> None:
    """The second holder waits for the end; then it takes over with a higher number."""
    with vault(database_urls) as opened:
        first = pulling(opened)
        with pytest.raises(LeaseHeld) as caught:
            opened.lease("pull:west", "other", NOW + HOUR - timedelta(seconds=1), HOUR)
        second = opened.lease("pull:west", "other", NOW + HOUR, HOUR)
        holders = opened.lease_holders(NOW + HOUR)

    assert caught.value.exit_code == 4
    assert (first.number, second.number) == (1, 2)
    assert holders == {"pull:west": "other"}


def test_leases_of_different_names_do_not_meet(database_urls: Databases) -> None:
    """One for each hospital and one for the trial database."""
    with vault(database_urls) as opened:
        for name in ("pull:west", "pull:east", "trial"):
            opened.lease(name, "me", NOW, HOUR)

        assert set(opened.lease_holders(NOW)) == {"pull:west", "pull:east", "trial"}


def test_a_lease_given_back_is_free_and_renewing_moves_its_end(database_urls: Databases) -> None:
    """Release lets the next one in at once; a renewed lease outlives its first end; giving back twice is harmless."""
    with vault(database_urls) as opened:
        first = opened.renew(pulling(opened), NOW, 2 * HOUR)
        with pytest.raises(LeaseHeld):
            opened.lease("pull:west", "other", NOW + HOUR, HOUR)
        opened.release(first)
        second = opened.lease("pull:west", "other", NOW, HOUR)
        opened.release(first)

        assert opened.lease_holders(NOW) == {"pull:west": "other"}
    assert second.number == 2


@pytest.mark.parametrize("taken", [True, False], ids=["taken by another", "expired"])
def test_who_has_lost_the_lease_writes_nothing(database_urls: Databases, taken: bool) -> None:
    """A holder that slept past its lease and wakes is refused by every writing method; not one row changes."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        asked = window(opened, lease)
        opened.keep_page(lease, "west", page(kept("o1", b"{}")), NOW)
        opened.assign(lease, [Identity(hospital="west", patient="p1", subject="ATC-001", basis="trial number"),
                              Identity(hospital="west", patient="p2", subject="ATC-002", basis="trial number")], NOW)
        late = NOW + 2 * HOUR
        if taken:
            opened.lease("pull:west", "other", late, 5 * HOUR)
        before = everything(opened, ALL)
        for write in _writers(opened, lease, asked.id):
            with pytest.raises(LeaseHeld):
                write()
        after = everything(opened, ALL)

    assert before == after


def _writers(opened: Vault, lease: Lease, asked: int) -> list[Callable[[], object]]:
    from random import Random

    from fhir_adapter.core.windows import Question, WindowState

    late = NOW + 2 * HOUR
    key = opened.key("west", "Observation", "o1")
    refused = Refused(hospital="west", type="Observation", resource=key, ordinal=1, code="bad_date", message="m")
    other = Identity(hospital="west", patient="p1", subject="ATC-009", basis="x")
    return [
        lambda: opened.keep_page(lease, "west", page(kept("o9", b"{}")), late),
        lambda: opened.keep_absence(lease, "west", [key], 1, late),
        lambda: opened.open_windows(lease, "west", [Question(type="Patient")], 1, late),
        lambda: opened.close_window(lease, asked, WindowState.FAILED, ["x"], late),
        lambda: opened.restart_window(lease, asked, late),
        lambda: opened.prune_windows(lease, "west", late),
        lambda: opened.set_coverage(lease, "west", [Coverage(type="T", patient="*", mode="full_reread")], late),
        lambda: opened.set_members(lease, "west", [Member(patient="p1", state="active")], late),
        lambda: opened.assign(lease, [other], late),
        lambda: opened.split(lease, other, late),
        lambda: opened.join(lease, ["ATC-001", "ATC-002"], "x", late),
        lambda: opened.assign_random(lease, "west", "p9", Random(1), late),
        lambda: opened.quarantine_versions(lease, 1, [refused], late),
        lambda: opened.renew(lease, late, HOUR),
    ]


def test_two_programs_that_take_it_at_once_get_one(database_urls: Databases) -> None:
    """Of many that try at the same moment exactly one gets the lease."""
    from concurrent.futures import ThreadPoolExecutor

    from fhir_adapter.store.vault import open_vault

    def attempt(holder: int) -> int:
        opened = open_vault(database_urls.vault, SECRET, create=True)
        try:
            return opened.lease("trial", str(holder), NOW, HOUR).number
        except LeaseHeld:
            return 0
        finally:
            opened.close()

    with vault(database_urls), ThreadPoolExecutor(4) as pool:
        numbers = sorted(pool.map(attempt, range(4)))

    assert numbers == [0, 0, 0, 1]
