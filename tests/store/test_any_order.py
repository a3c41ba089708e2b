"""Whatever the order of pages, entries and repetitions: the same versions, the same heads, nothing twice."""

from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_adapter.store.vault import Vault
from tests.databases import Databases
from tests.store.build import HOUR, NOW, kept, page, vault

NUMBERS = count()
ARRIVALS = st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 5), st.booleans()), min_size=1, max_size=24)


@pytest.fixture
def opened(database_urls: Databases) -> Iterator[Vault]:
    """One vault for all examples: each has a hospital of its own."""
    with vault(database_urls) as found:
        yield found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrivals=ARRIVALS, size=st.integers(1, 7), dated=st.booleans())
def test_versions_and_heads_do_not_depend_on_the_order(
    opened: Vault, arrivals: list[tuple[str, int, bool]], size: int, dated: bool
) -> None:
    """With server versions, each version is kept once, and the newest is the head; asked again, nothing is new.

    The model is a set of (record, version) and its maximum by record. A deletion of a record that is not there yet is
    outside, so the first arrival of each record is given its content first.
    """
    hospital = f"h{next(NUMBERS)}"
    lease = opened.lease(f"pull:{hospital}", "me", NOW, HOUR)
    gone = {(name, version): deleted for name, version, deleted in reversed(arrivals)}
    first = "2026-01-01T00:00:00Z" if dated else ""
    entries = [kept(name, b"0", "0", first) for name in sorted({name for name, _, _ in arrivals})]
    for name, version, _ in arrivals:
        deleted = gone[name, version]
        entries.append(kept(name, b"" if deleted else b"%d" % version, str(version),
                            f"2026-02-0{version}T00:00:00Z" if dated else "", deleted=deleted))
    counts = []
    for run in (1, 2):
        for start in range(0, len(entries), size):
            counts.append((run, opened.keep_page(lease, hospital, page(*entries[start:start + size], run=run), NOW)))
        opened.forget_run(1)
    found = opened.versions(hospital, 0, 1000)
    expected = {(name, str(version)) for name, version, _ in arrivals} | {(name, "0") for name, _, _ in arrivals}
    newest = {name: str(max(int(version) for one, version in expected if one == name)) for name, _ in expected}

    assert sorted((one.fhir_id, one.version_id) for one in found) == sorted(expected)
    assert {one.fhir_id: one.version_id for one in found if one.is_head} == newest
    assert [one.seq for one in found] == list(range(1, len(found) + 1))
    assert sum(one.new for run, one in counts if run == 2) == 0
    assert sum(one.fetched for _, one in counts) == 2 * len(entries)
