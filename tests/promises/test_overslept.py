"""Promise 4, the fence: a run that was stopped and wakes after its lease has expired writes nothing (DESIGN §4).

By the clock in many rounds over the vault itself, and by SIGSTOP and SIGCONT of the program.
"""

import signal
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from fhir_adapter.core.errors import LEASE_HELD, LeaseHeld
from fhir_adapter.core.windows import Coverage, Question, WindowState
from fhir_adapter.steps.leases import LEASE_TIME
from fhir_adapter.store.leases import pull_lease
from fhir_adapter.store.records import Lease
from fhir_adapter.store.vault import Vault, open_vault
from tests.databases import Databases, sqlite_databases
from tests.flow.conftest import SECRET
from tests.promises import looking
from tests.promises.programs import StudyFolder, study_folder
from tests.store.build import NOW, kept, page, vault

ROUNDS = 100
SAID = {"run", "lease", "fence"}
"""What it may write: how its run ended, and for that a new lease of the trial database, taken and given back."""
Write = Callable[[Vault, Lease, str, int], object]

WRITES: tuple[Write, ...] = (
    lambda opened, lease, name, at: opened.keep_page(lease, name, page(kept(f"o{at}", b"{}", "1")), _at(at)),
    lambda opened, lease, name, at: opened.open_windows(lease, name, [Question(type="Observation")], 1, _at(at)),
    lambda opened, lease, name, at: opened.set_coverage(
        lease, name, [Coverage(type="Observation", patient="p1", mode="full_reread")], _at(at)),
    lambda opened, lease, name, at: opened.learn(lease, name, "habit", {"Observation": "no_sort"}, _at(at)),
    lambda opened, lease, name, at: opened.give_up_windows(lease, name, 2, _at(at)),
    lambda opened, lease, name, at: opened.close_window(lease, 1, WindowState.WHOLE, (), _at(at)),
    lambda opened, lease, name, at: opened.narrow_coverage(lease, name, (), _at(at)),
    lambda opened, lease, name, at: opened.renew(lease, _at(at), LEASE_TIME),
)


def _at(seconds: int) -> datetime:
    return NOW + timedelta(seconds=seconds)


@pytest.mark.hard
def test_whoever_oversleeps_writes_nothing(database_urls: Databases) -> None:
    """A hundred sleepers, some past their time, some of them replaced: only those in time, and unreplaced, write."""
    random, refused = Random(5), 0
    with vault(database_urls) as opened:
        for number in range(ROUNDS):
            name, write = f"w{number}", random.choice(WRITES)
            mine = opened.lease(pull_lease(name), "sleeper", _at(0), LEASE_TIME)
            opened.keep_page(mine, name, page(kept("o", b"{}", "1")), _at(1))
            slept = random.randrange(2, 2 * int(LEASE_TIME.total_seconds()))
            is_over = slept >= LEASE_TIME.total_seconds()
            if is_over and random.random() < 0.7:
                theirs = opened.lease(pull_lease(name), "another", _at(slept), LEASE_TIME)
                opened.keep_page(theirs, name, page(kept("o", b'{"a":1}', "2")), _at(slept))
                if random.random() < 0.5:
                    opened.release(theirs)
            before = looking.rows(opened.database)
            try:
                write(opened, mine, name, slept)
            except LeaseHeld:
                refused += 1
                assert is_over
                assert looking.changed(before, looking.rows(opened.database)) == set()
            else:
                assert not is_over
    assert ROUNDS / 4 < refused < ROUNDS * 3 / 4


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudyFolder]:
    """A study folder with its hospitals."""
    with study_folder(tmp_path_factory.mktemp("study")) as made:
        yield made


@pytest.mark.hard
@pytest.mark.parametrize("round_", [1, 2])
def test_a_stopped_program_that_wakes_too_late_writes_nothing(
    program: StudyFolder, round_: int, tmp_path: Path
) -> None:
    """SIGSTOP amid asking; its lease runs out, another run does the work; SIGCONT: it exits 4, and only says so.

    Ten minutes are not waited for: the lease's end is moved into the past, which is what the other run would find.
    """
    databases = sqlite_databases(tmp_path)
    with program.start(databases, "sync") as sleeper:
        assert sleeper.stderr is not None
        for said in sleeper.stderr:
            if said.startswith("east: asking"):  # the first of three: most of the run is still to come
                break
        sleeper.send_signal(signal.SIGSTOP)
        opened = open_vault(databases.vault, SECRET, create=False)
        try:
            with opened.database.writing() as transaction:
                transaction.run("UPDATE lease SET expires_at = ?", ("2026-01-01T00:00:00.000000Z",))
            assert program.run(databases, "sync").returncode == 3
            before = looking.rows(opened.database)
            sleeper.send_signal(signal.SIGCONT)
            words = sleeper.stderr.read()
            assert sleeper.wait(60) == LEASE_HELD, words
            assert looking.changed(before, looking.rows(opened.database)) <= SAID
        finally:
            opened.close()
