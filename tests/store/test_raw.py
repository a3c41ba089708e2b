"""Raw versions: what is new, what is not, and that a page lands as a whole or not at all."""

from typing import Any

import pytest

from fhir_adapter.core.errors import DatabaseError
from fhir_adapter.core.windows import Coverage, Damage, WindowState
from fhir_adapter.store import succession
from fhir_adapter.store.raw import all_versions
from fhir_adapter.store.records import Kind, PageCounts
from tests.databases import Databases
from tests.store.build import NOW, everything, kept, page, pulling, vault, window

ALL = ("resource", "version", "sequence", "question_window", "visited", "coverage", "quarantine")


def test_equal_content_is_unchanged_and_a_b_a_are_three(database_urls: Databases) -> None:
    """Without server versions the content tells: A, A, B, A make three versions, the last one the head."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        counts = [
            opened.keep_page(lease, "west", page(kept("o1", body), run=run), NOW)
            for run, body in enumerate((b'{"v":1}', b'{"v":1}', b'{"v":2}', b'{"v":1}'), start=1)
        ]
        versions = opened.versions("west", 0, 10)

    assert [(one.new, one.unchanged) for one in counts] == [(1, 0), (0, 1), (1, 0), (1, 0)]
    assert [(one.ordinal, one.body, one.is_head) for one in versions] == [
        (1, b'{"v":1}', False), (2, b'{"v":2}', False), (3, b'{"v":1}', True)]


def test_key_order_meta_and_text_make_no_version_but_a_trailing_zero_does(database_urls: Databases) -> None:
    """Without server versions `meta` and `text` do not count; 13.20 is not 13.2 (DESIGN §4)."""
    bodies = (b'{"a":13.2,"b":1,"meta":{"x":1},"text":{"div":"u"}}', b'{"b":1,"a":13.2}', b'{"b":1,"a":13.20}')
    with vault(database_urls) as opened:
        lease = pulling(opened)
        new = [opened.keep_page(lease, "west", page(kept("o1", body), run=run), NOW).new
               for run, body in enumerate(bodies)]

    assert new == [1, 0, 1]


def test_an_older_version_is_kept_but_does_not_become_the_head(database_urls: Databases) -> None:
    """A version with an earlier lastUpdated that arrives later is stored behind the head, once."""
    newer = kept("o1", b'{"v":2}', "2", "2026-02-02T00:00:00Z")
    newest = kept("o1", b'{"v":1}', "1", "2026-02-01T23:00:00-03:00")  # which is 02:00 UTC on 2 February
    oldest = kept("o1", b'{"v":0}', "0", "2026-01-01T00:00:00Z")
    with vault(database_urls) as opened:
        lease = pulling(opened)
        opened.keep_page(lease, "west", page(newer), NOW)
        first = opened.keep_page(lease, "west", page(oldest), NOW)
        again = opened.keep_page(lease, "west", page(oldest, run=2), NOW)
        opened.keep_page(lease, "west", page(newest, run=3), NOW)
        found = opened.versions("west", 0, 10)

    assert (first.new, again.new, again.repeated) == (1, 0, 1)
    assert [(one.version_id, one.is_head, one.was_head) for one in found] == [
        ("2", False, True), ("0", False, False), ("1", True, True)]


def test_the_same_record_twice_in_a_run_is_repeated(database_urls: Databases) -> None:
    """A record that comes again on a later page of the same run is counted as repeated, not as unchanged."""
    one, two = kept("o1", b"{}", "1"), kept("o2", b"{}", "1")
    with vault(database_urls) as opened:
        lease = pulling(opened)
        first = opened.keep_page(lease, "west", page(one, two, one), NOW)
        second = opened.keep_page(lease, "west", page(one), NOW)
        later = opened.keep_page(lease, "west", page(one, two, run=2), NOW)

    assert first == PageCounts(new=2, repeated=1)
    assert second == PageCounts(repeated=1)
    assert later == PageCounts(unchanged=2)


def test_a_deletion_is_a_version_and_the_old_one_stays(database_urls: Databases) -> None:
    """Deleted, then there again: three versions; a deletion of what we never had is outside."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        opened.keep_page(lease, "west", page(kept("o1", b"{}", "1")), NOW)
        gone = page(kept("o1", b"", "2", deleted=True), kept("never", b"", "2", deleted=True))
        counts = opened.keep_page(lease, "west", gone, NOW)
        same = opened.keep_page(lease, "west", page(kept("o1", b"", "2", deleted=True), run=2), NOW)
        ids_while_gone = opened.ids("west", "Observation")
        opened.keep_page(lease, "west", page(kept("o1", b'{"n":1}', "3"), run=3), NOW)
        head = opened.head_of(opened.key("west", "Observation", "o1"))
        kinds = [one.kind for one in opened.versions("west", 0, 9)]

    assert (counts.new, counts.outside, same.unchanged) == (1, 1, 1)
    assert ids_while_gone == []
    assert kinds == [Kind.CONTENT, Kind.DELETED, Kind.CONTENT]
    assert head is not None
    assert (head.version_id, head.ordinal) == ("3", 3)


def test_what_is_no_longer_visible_can_come_back(database_urls: Databases) -> None:
    """No longer visible is not deleted: it is another kind, written once, and the same bytes may reappear."""
    entry = kept("o1", b"{}", "1", "2026-01-01T00:00:00Z")
    with vault(database_urls) as opened:
        lease = pulling(opened)
        opened.keep_page(lease, "west", page(entry), NOW)
        keys = [opened.key("west", "Observation", "o1")]
        numbers = [opened.keep_absence(lease, "west", keys, 2, NOW), opened.keep_absence(lease, "west", keys, 3, NOW)]
        back = opened.keep_page(lease, "west", page(entry, run=4), NOW)
        kinds = [one.kind for one in opened.versions("west", 0, 9)]

    assert numbers == [1, 0]
    assert back.new == 1
    assert kinds == [Kind.CONTENT, Kind.NOT_VISIBLE, Kind.CONTENT]


def test_a_page_lands_whole_or_not_at_all(database_urls: Databases, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the last statement of a page fails, neither versions nor window nor coverage nor quarantine have moved."""
    def fail(*_arguments: Any) -> None:
        raise RuntimeError("killed here")

    whole = page(kept("o1", b"{}"), state=WindowState.WHOLE, url="https://west.example/1",
                 damages=(Damage(code="malformed_json", message="m", position=1, length=2, sha256="a" * 64),),
                 coverage=(Coverage(type="Observation", patient="p1", mode="full_reread", whole_as_of=NOW),))
    with vault(database_urls) as opened:
        lease = pulling(opened)
        asked = window(opened, lease)
        before = everything(opened, ALL)
        with monkeypatch.context() as patched:
            patched.setattr("fhir_adapter.store.raw.move_coverage", fail)
            with pytest.raises(RuntimeError):
                opened.keep_page(lease, "west", _with(whole, asked.id), NOW)
        after = everything(opened, ALL)
        counts = opened.keep_page(lease, "west", _with(whole, asked.id), NOW)
        states = [one.state for one in opened.windows("west")]

    assert before == after
    assert counts == PageCounts(new=1, unreadable=1)
    assert states == [WindowState.WHOLE]


def test_a_second_look_with_nothing_new_writes_only_window_and_coverage(database_urls: Databases) -> None:
    """DESIGN §5.4: no version, no resource, no sequence number, no second quarantine row."""
    damage = Damage(code="malformed_json", message="m", position=1, length=2, sha256="a" * 64)
    first = page(kept("o1", b"{}", "1"), kept("o2", b'{"x":1}'), damages=(damage,))
    with vault(database_urls) as opened:
        lease = pulling(opened)
        opened.keep_page(lease, "west", first, NOW)
        before = everything(opened, ("resource", "version", "sequence", "quarantine"))
        counts = opened.keep_page(lease, "west", _run(first, 2), NOW)
        after = everything(opened, ("resource", "version", "sequence", "quarantine"))

    assert before == after
    assert counts == PageCounts(unchanged=2, unreadable=1)
    assert counts.fetched == 3


def test_odd_texts_never_reach_the_database_as_a_crash(database_urls: Databases) -> None:
    """NUL and lone surrogates in ids and links: the entry goes to quarantine, its neighbour lands."""
    entries = (kept("a\0b", b"{}"), kept("\ud800", b"{}"), kept("good", b"{}"))
    with vault(database_urls) as opened:
        lease = pulling(opened)
        asked = window(opened, lease)
        odd = page(*entries, window=asked.id, url="https://x/\0\ud800", next="https://x/\0next", issues=("\0issue",))
        counts = opened.keep_page(lease, "west", odd, NOW)
        codes = {one.code for one in opened.quarantined("west")}
        ids = opened.ids("west", "Observation")

    assert counts == PageCounts(new=1, unreadable=2)
    assert codes == {"bad_text"}
    assert ids == ["good"]


def test_the_same_things_in_any_order_have_the_same_keys(database_urls: Databases) -> None:
    """Keys depend on the secret and the record alone; sequence numbers are the hospital's own and without gaps."""
    with vault(database_urls) as opened:
        lease = pulling(opened)
        opened.keep_page(lease, "west", page(kept("o2", b"{}"), kept("o1", b"{}")), NOW)
        opened.keep_page(opened.lease("pull:east", "me", NOW, lease.expires_at - NOW), "east",
                         page(kept("o1", b"{}")), NOW)
        batches = list(all_versions(opened, "west", 0, 1))
        heads = opened.heads("west", "Observation", ["o1", "o2", "o3"])

    assert [one.seq for batch in batches for one in batch] == [1, 2]
    assert heads["o1"].key == opened.key("west", "Observation", "o1")
    assert heads["o1"].key != opened.key("east", "Observation", "o1")
    assert set(heads) == {"o1", "o2"}
    assert len(heads["o1"].key) == 32


def test_a_broken_connection_says_so_without_values(sqlite_urls: Databases) -> None:
    """A database that cannot be used is DatabaseError with a person's text."""
    with vault(sqlite_urls) as opened:
        lease = pulling(opened)
        with opened.database.writing() as transaction:
            transaction.run("DROP TABLE sequence")
        with pytest.raises(DatabaseError) as caught:
            opened.keep_page(lease, "west", page(kept("canary-id", b"{}")), NOW)

    assert "vault database" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(("new", "head", "verdict"), [
    (("2", ""), ("1", ""), succession.NEWER),
    (("9", ""), ("10", ""), succession.OLDER),
    (("b", ""), ("a", ""), succession.UNORDERED),
    (("1", "2026-01-02T00:00:00Z"), ("2", "2026-01-01T00:00:00Z"), succession.NEWER),
    (("1", "2026-01-02"), ("2", "2026-01-01T00:00:00Z"), succession.OLDER),
])
def test_server_versions_tell_which_is_newer(new: tuple[str, str], head: tuple[str, str], verdict: str) -> None:
    """lastUpdated goes before whole version ids; a time without zone is no time; words cannot be ordered."""
    one, other = (succession.Seen(*pair, False, sha) for pair, sha in ((new, "a"), (head, "b")))

    assert succession.compare(one, other, same_content=False) == verdict


def _with(progress: Any, number: int) -> Any:
    import msgspec

    return msgspec.structs.replace(progress, window=number)


def _run(progress: Any, run: int) -> Any:
    import msgspec

    return msgspec.structs.replace(progress, run=run)
