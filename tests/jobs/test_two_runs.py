"""Two runs at once, as real processes: one works, the other exits 4; a sleeper that wakes too late writes nothing."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.store.vault_tables import VAULT
from tests.databases import Databases
from tests.jobs.build import Job, job

LONG, SHORT = "600", "4"
"""Seconds of the sleeper's lease: it is still held when the other comes, or it has expired."""

OWN = {"lease", "fence", "run"}
"""What two runs may write beside each other: each its own run's beginning and end, and who holds what."""


@pytest.fixture
def here(tmp_path: Path, database_urls: Databases) -> Iterator[Job]:
    """A study of this test alone, on both backends; pages of one record, so that there are many."""
    with job(tmp_path, database_urls) as made:
        made.pull("page_size = 5")
        yield made


def _asleep(here: Job, moment: str, lease: str) -> "subprocess.Popen[str]":
    """A sync that has gone to sleep at that moment."""
    process = here.start(moment, lease, "sync", "--log-level", "debug", program=("-m", "tests.jobs.sleeper"))
    deadline = time.monotonic() + 120
    while _state(process.pid) != "T":
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return process


def _state(process: int) -> str:
    """The state of a process as the kernel has it; T: stopped."""
    told = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    return told.rpartition(")")[2].split()[0]


def _woken(process: "subprocess.Popen[str]") -> tuple[int, str]:
    """Wakes a sleeper and waits for its end."""
    os.kill(process.pid, signal.SIGCONT)
    out, err = process.communicate(timeout=120)
    return process.returncode, out + err


def _contents(here: Job) -> tuple[dict[str, list[Any]], str]:
    """Every row of the vault but those of OWN, and the trial's digest."""
    with here.work() as work:
        with work.vault.database.reading() as transaction:
            rows = {table: sorted(map(repr, transaction.rows(f"SELECT * FROM {table}")))
                    for table in VAULT.tables if table not in OWN}
        return rows, work.trial.digest()


@pytest.mark.hard
@pytest.mark.parametrize("moment", ["page", "map"])
def test_of_two_runs_one_works(here: Job, moment: str) -> None:
    """While one is at it the other exits 4 and keeps nothing; the first one ends whole, as if it had been alone."""
    sleeper = _asleep(here, moment, LONG)
    try:
        before = _contents(here)
        if moment == "map":  # another run waits a minute for the trial database; here nobody needs to
            other = here.run("pull")
            assert other.returncode == 0, other.stdout + other.stderr
        else:
            other = here.run("sync", "--log-level", "debug")
            assert other.returncode == 4, other.stdout + other.stderr
            assert "another run holds the lease pull:south" in other.stdout
            assert '"lease_held"' in other.stderr
            assert _contents(here)[0] == before[0]
    finally:
        code, said = _woken(sleeper)

    assert code == 0, said
    assert here.run("sync").returncode == 0
    with here.work() as work:
        assert work.vault.lease_holders(datetime.now(UTC)) == {}


@pytest.mark.hard
@pytest.mark.parametrize("moment", ["page", "map"])
def test_a_run_that_wakes_after_its_lease_expired_writes_nothing(here: Job, moment: str) -> None:
    """Another run takes over with a higher number and ends whole; the sleeper wakes, exits 4, and no row changes."""
    sleeper = _asleep(here, moment, SHORT)
    try:
        time.sleep(float(SHORT))
        other = here.run("sync", "--log-level", "debug")
        assert other.returncode == 0, other.stdout + other.stderr
        assert '"lease_taken_over"' in other.stderr
        before = _contents(here)
    finally:
        code, said = _woken(sleeper)

    assert code == 4, said
    assert "lease" in said
    assert "Traceback" not in said
    assert _contents(here) == before
    with here.work() as work:
        assert work.vault.lease_holders(datetime.now(UTC)) == {}
        assert sorted(run.exit_code or 0 for run in work.vault.runs(5)) == [0, 4]


@pytest.mark.hard
def test_two_processes_share_one_budget(tmp_path: Path, database_urls: Databases) -> None:
    """Three programs at once against a hospital that grants one request at a time and five a second: one asks.

    The doctor comes when a pull has begun to ask: would it win, its dozen questions were too few to show a rate.
    """
    with job(tmp_path, database_urls) as here:
        here.pull('max_concurrency = 1\npage_size = 5')
        path = here.folder / "sync" / "hospitals" / "south.toml"
        text, count = re.subn(r'rate = "[^"]*"', 'rate = "5/s"', path.read_text(encoding="utf-8"))
        path.write_text(text, encoding="utf-8")
        assert here.server is not None
        started = [here.start("pull"), here.start("pull")]
        deadline = time.monotonic() + 120
        while not here.server.requests:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started.append(here.start("doctor", "south"))
        codes = [(process.communicate(timeout=240), process.returncode)[1] for process in started]
        asked = sorted(seen.at for seen in here.server.requests if not seen.path.endswith(("token", "configuration")))

    assert count == 1
    assert sorted(codes) == [0, 4, 4]
    assert here.server.busiest == 1
    spans = [later - sooner for sooner, later in zip(asked, asked[5:], strict=False)]
    assert len(spans) > 20
    assert min(spans) > timedelta(seconds=0.8)  # five a second; answers themselves come a little sooner or later
