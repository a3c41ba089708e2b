"""Promise 4, exactly-once effect: nothing new writes nothing new; one run at a time (DESIGN §5.4).

Being killed at any moment stands in test_killed.py.
"""

import os
import subprocess
import sys
from datetime import timedelta

import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import LeaseHeld
from fhir_adapter.steps import leases
from fhir_adapter.store.leases import TRIAL_LEASE, pull_lease
from fhir_adapter.store.vault import Vault
from tests.databases import Databases
from tests.flow.conftest import Hall
from tests.promises import looking
from tests.promises.conftest import Synced, hurried
from tests.store.build import NOW, vault

VAULT_MAY_WRITE = {"run", "lease", "fence", "question_window", "visited", "coverage"}
TRIAL_MAY_WRITE = {"run", "fence", "completeness"}


def test_nothing_new_writes_nothing_new(synced: Synced) -> None:
    """A second sync writes its run, lease, fence, windows, coverage and completeness, not even the same rows again."""
    with looking.written(synced.work.vault.database) as vault_written:
        with looking.written(synced.work.trial.database) as trial_written:
            outcome = flow.sync(synced.work, [])
        assert trial_written <= TRIAL_MAY_WRITE
    assert vault_written <= VAULT_MAY_WRITE
    assert [one.counts.new for one in outcome.hospitals] == [0, 0, 0, 0]
    assert all(one.counts.pull_adds_up for one in outcome.hospitals)
    assert synced.work.trial.digest() == synced.digest


def test_of_two_syncs_one_works_and_the_other_exits_4(hospitals: Hall, database_urls: Databases) -> None:
    """Whoever comes second changes nothing, neither while the first asks nor while it maps; the first ends as ever."""
    second_codes: dict[str, int] = {}
    with hospitals.workspace(database_urls, ("south",)) as first, hospitals.workspace(database_urls, ("south",)) as two:
        second = hurried(two)

        def told(what: str, done: int, total: int) -> None:
            if what not in second_codes and done < total:
                second_codes[what] = flow.sync(second, []).code

        outcome = flow.sync(hurried(first), [], told)
        assert outcome.code == 3
        assert outcome.hospitals[0].counts.map_adds_up
        assert {code for what, code in second_codes.items() if "asking" in what} == {4}
        assert flow.sync(hurried(first), []).hospitals[0].counts.new == 0


def test_a_run_that_finds_the_trial_taken_waits_and_then_exits_4(hospitals: Hall, database_urls: Databases) -> None:
    """A hospital's records are kept all the same; the next run maps them."""
    waited: list[float] = []
    with hospitals.workspace(database_urls, ("desk",)) as work:
        patient = hurried(work)
        patient = type(patient)(**{name: getattr(patient, name) for name in patient.__struct_fields__
                                   if name != "sleep"}, sleep=waited.append)
        lease = work.vault.lease(TRIAL_LEASE, leases.holder(), work.clock(), timedelta(minutes=5))
        outcome = flow.sync(patient, [])
        work.vault.release(lease)
        assert outcome.code == 4
        assert sum(waited) >= leases.PATIENCE
        assert outcome.hospitals[0].counts.new > 0
        assert flow.sync(patient, []).hospitals[0].counts.quarantined == outcome.hospitals[0].counts.new


def test_a_killed_holder_blocks_nobody(database_urls: Databases) -> None:
    """The lease of a process of this machine that runs no more is taken over at once, with a higher number."""
    with subprocess.Popen([sys.executable, "-c", "import fhir_adapter.steps.leases as l; print(l.holder(), flush=True);"
                           "import time; time.sleep(60)"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        holder = process.stdout.readline().strip()
        with vault(database_urls) as opened:
            opened.lease(pull_lease("west"), holder, NOW, leases.LEASE_TIME)
            with pytest.raises(LeaseHeld):
                _take(opened)
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has looked yet: a zombie
            assert _take(opened) == 2
            process.wait()
            opened.lease("another", holder, NOW, leases.LEASE_TIME)
            assert leases.gone(holder)


@pytest.mark.parametrize("other", [
    "another-host/4026531836:1:1", "{machine}:not-a-number:1", "me", "", "{machine}:{pid}:{started}",
])
def test_only_a_process_known_to_be_dead_is_gone(other: str) -> None:
    """Another machine's processes cannot be seen from here: their leases expire by time."""
    machine, pid, started = leases.holder().rsplit(":", 2)
    assert not leases.gone(other.format(machine=machine, pid=pid, started=started))


def test_a_process_number_that_came_again_is_another_process() -> None:
    """Its time of start tells the two apart."""
    machine, pid, started = leases.holder().rsplit(":", 2)
    assert leases.gone(f"{machine}:{pid}:{int(started) - 1}")


def _take(opened: Vault) -> int:
    return opened.lease(pull_lease("west"), "me", NOW, leases.LEASE_TIME, leases.gone).number
