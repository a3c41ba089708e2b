"""`kill -9` while pages and mappings are written: nothing is lost, nothing is there twice."""

import random
import subprocess
import sys
import time
from datetime import timedelta

import pytest

from fhir_adapter.store.records import Lease
from fhir_adapter.store.trial import Place, Trial
from fhir_adapter.store.vault import Vault
from tests.databases import Databases
from tests.store.build import HOUR, NOW, kept, lab, page, record, trial, vault

PAGES = 500
KILLS = 12
MOMENT = 0.05
"""At the longest so many seconds after its work began a program is killed: all of it takes a second."""


def work(vault_url: str, trial_url: str, attempt: int) -> None:
    """What the killed program does: goes on where vault and trial stand, a page and a batch at a time."""
    urls = Databases(vault_url, trial_url, "")
    now = NOW + attempt * timedelta(hours=2)
    with vault(urls) as opened, trial(urls) as facts:
        lease = opened.lease("pull:west", str(attempt), now, HOUR)
        writing = opened.lease("trial", str(attempt), now, HOUR)
        sys.stdout.write("at work\n")
        sys.stdout.flush()
        for number in range(opened.last_seq("west") // 3, PAGES):
            entries = [kept(f"o{number}-{place}", b"%d" % place, "1") for place in range(3)]
            opened.keep_page(lease, "west", page(*entries, run=attempt), now)
            _map(opened, facts, writing)
        _map(opened, facts, writing)


def _map(opened: Vault, facts: Trial, writing: Lease) -> None:
    seq = facts.cursor("west").seq
    batch = opened.versions("west", seq, 50)
    if batch:
        records = [record(one.key, ("lab_result", lab())) for one in batch]
        facts.write_mapping(writing, "west", records, Place(batch[-1].seq, ""))


@pytest.mark.hard
def test_killed_at_any_moment_the_end_is_the_same(database_urls: Databases) -> None:
    """Killed a dozen times and finished once: each version and each fact exactly once, sequence without gaps."""
    command = [sys.executable, "-c", "import sys; from tests.store.test_kills import work; "
               "work(sys.argv[1], sys.argv[2], int(sys.argv[3]))", database_urls.vault, database_urls.trial]
    with vault(database_urls), trial(database_urls):
        pass
    chance, killed = random.Random(11), 0
    for attempt in range(1, KILLS + 1):
        with subprocess.Popen([*command, str(attempt)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            assert child.stdout.readline() == b"at work\n"
            time.sleep(MOMENT * chance.random())
            child.kill()
        killed += child.returncode == -9
    subprocess.run([*command, "99"], check=True, stdout=subprocess.DEVNULL)
    with vault(database_urls) as opened, trial(database_urls) as facts:
        seqs = [one.seq for one in opened.versions("west", 0, 10 * PAGES)]
        ids = opened.ids("west", "Observation")
        keys = [row["resource"] for row in facts.all_rows("lab_result")]
        cursor, found = facts.cursor("west").seq, facts.digest()
        with opened.database.reading() as transaction:
            sound = transaction.postgres or transaction.value("PRAGMA integrity_check") == "ok"
        facts.forget_records(opened.lease("trial", "check", NOW + timedelta(days=99), HOUR), keys)
        batch = [record(one.key, ("lab_result", lab())) for one in opened.versions("west", 0, 10 * PAGES)]
        facts.write_mapping(opened.lease("trial2", "check", NOW, HOUR), "west", batch, None)
        fresh = facts.digest()

    assert killed == KILLS
    assert seqs == list(range(1, 3 * PAGES + 1))
    assert len(set(ids)) == len(ids) == 3 * PAGES
    assert len(set(keys)) == len(keys) == 3 * PAGES
    assert (cursor, sound) == (3 * PAGES, True)
    assert found == fresh
