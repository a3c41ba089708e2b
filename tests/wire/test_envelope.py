"""Opening pages: exact bytes, heads, deletes, and every kind of bad input beside good neighbours."""

import gzip
import json
import time
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fhir_adapter.core.windows import Page
from fhir_adapter.wire.envelope import MAX_PAGE, Opening, content_id, open_page
from tests.wire.hospital import BASE, bundle, outcome, record

KEEP = Opening(url="page", base=BASE, keep_damaged=True)
GOOD = (b'{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Observation","id":"good1","value":1.10}}',
        b'{"resource": {"resourceType":"Observation", "id":"good2","x":"a \\" } ] b"} }')


def _page(*entries: bytes) -> bytes:
    return (b'{"resourceType":"Bundle","type":"searchset","total":9,"entry":[' + b",".join(entries)
            + b'],"link":[{"relation":"next","url":"Observation?page=2"}]}')


def _open(body: Any, opening: Opening = KEEP) -> Page:
    return open_page(body if isinstance(body, bytes) else json.dumps(body).encode(), opening)


def test_a_record_keeps_its_exact_bytes() -> None:
    """13.20 stays 13.20, blanks stay blanks: what came is what is kept."""
    page = _open(_page(*GOOD))

    assert page.entries[0].body == b'{"resourceType":"Observation","id":"good1","value":1.10}'
    assert page.entries[1].body == b'{"resourceType":"Observation", "id":"good2","x":"a \\" } ] b"}'
    assert (page.total, page.next) == (9, "Observation?page=2")


@pytest.mark.parametrize(("elements", "subjects"), [
    ({"subject": {"reference": "Patient/p1"}}, ("Patient/p1",)),
    ({"subject": {"reference": f"{BASE}/Patient/p1"}}, ("Patient/p1",)),
    ({"subject": {"reference": f"{BASE}/Patient/p1/_history/3"}}, ("Patient/p1",)),
    ({"patient": {"reference": "Patient/p1"}}, ("Patient/p1",)),
    ({"individual": {"reference": "Patient/p1"}}, ("Patient/p1",)),
    ({"subject": [{"reference": "Patient/p1"}, {"reference": "Patient/p2"}]}, ("Patient/p1", "Patient/p2")),
    ({"subject": {"reference": "Patient/p1"}, "patient": {"reference": "Patient/p1"}}, ("Patient/p1",)),
    ({"subject": {"reference": "https://east.example/fhir/Patient/p1"}},
     ("https://east.example/fhir/Patient/p1",)),
    ({"subject": {"reference": "urn:uuid:0f0e"}}, ("urn:uuid:0f0e",)),
    ({"subject": {"identifier": {"value": "x"}}}, ()),
    ({"subject": {"reference": "Group/g1"}}, ("Group/g1",)),
    ({}, ()),
])
def test_heads_say_whose_a_record_is_q32(elements: dict[str, Any], subjects: tuple[str, ...]) -> None:
    """Q32: an id means something at its own server only; a patient elsewhere is not ours."""
    [entry] = _open(bundle({"resourceType": "Observation", "id": "o1", **elements})).entries

    assert entry.subjects == subjects


def test_heads_give_the_servers_version() -> None:
    """versionId and lastUpdated are the server's own; servers without meta have neither."""
    meta = {"versionId": "3", "lastUpdated": "2026-01-31T10:00:00.123Z"}
    with_meta, without = _open(bundle(record("Observation", "a", meta=meta), record("Observation", "b"))).entries

    assert (with_meta.version_id, with_meta.last_updated) == ("3", "2026-01-31T10:00:00.123Z")
    assert (without.version_id, without.last_updated) == ("", "")


def test_addresses_inside_a_bundle_resolve_to_their_records() -> None:
    """A `urn:uuid` subject of a collection finds its patient; one that stands for nothing stays as it is."""
    whole = {"resourceType": "Bundle", "type": "collection", "entry": [
        {"fullUrl": "urn:uuid:b", "resource": {"resourceType": "Observation", "id": "o1",
                                               "subject": {"reference": "urn:uuid:a"}}},
        {"fullUrl": "urn:uuid:a", "resource": {"resourceType": "Patient", "id": "p1"}},
    ]}

    assert _open(whole).entries[0].subjects == ("Patient/p1",)


def test_deletes_of_histories_and_bulk_files() -> None:
    """A DELETE without resource is a delete: sekmet-fhir's history entry, and the bulk `deleted` line (Q24)."""
    history = {"fullUrl": f"{BASE}/AdverseEvent/a1", "request": {"method": "DELETE", "url": "AdverseEvent/a1"},
               "response": {"status": "204 No Content", "etag": 'W/"2"', "lastModified": "2026-11-23T03:18:26.873Z"}}
    bulk = {"request": {"method": "DELETE", "url": "Patient/123"}}
    first, second = _open({"resourceType": "Bundle", "type": "history", "entry": [history, bulk]}).entries

    assert (first.type, first.id, first.deleted, first.version_id) == ("AdverseEvent", "a1", True, "2")
    assert first.last_updated == "2026-11-23T03:18:26.873Z"
    assert (second.type, second.id, second.deleted, second.body) == ("Patient", "123", True, b"")


DEEP = b"[" * 100_000 + b"]" * 100_000
BAD = {
    "deep nesting": b'{"resource":{"resourceType":"Observation","id":"x","a":' + DEEP + b"}}",
    "nesting of 201": b'{"resource":{"resourceType":"Observation","id":"x","a":' + b"[" * 200 + b"]" * 200 + b"}}",
    "lone surrogate": b'{"resource":{"resourceType":"Observation","id":"x","a":"\\ud800"}}',
    "NUL": b'{"resource":{"resourceType":"Observation","id":"x","a":"\x00"}}',
    "NUL in the id": b'{"resource":{"resourceType":"Observation","id":"x\\u0000"}}',
    "malformed number": b'{"resource":{"resourceType":"Observation","id":"x","a":01}}',
    "not a number": b'{"resource":{"resourceType":"Observation","id":"x","a":NaN}}',
    "no UTF-8 in the id": b'{"resource":{"resourceType":"Observation","id":"\xff"}}',
    "missing bracket": b'{"resource":{"resourceType":"Observation","id":"x","a":[1,2}}',
    "missing brace": b'{"resource":{"resourceType":"Observation","id":"x","a":{"b":1}',
    "cut off after a bracket": b'{"resource":{"resourceType":"Observation","id":"x","a":[{"b":[1,2]',
    "a quote too many": b'{"resource":{"resourceType":"Observation","id":"x","a":"b""}}',
    "empty entry": b"{}",
    "null entry": b"null",
    "no resource": b'{"fullUrl":"urn:uuid:1"}',
    "null resource": b'{"resource":null}',
    "resource is a text": b'{"resource":"Observation"}',
    "no type": b'{"resource":{"id":"x"}}',
    "type is a number": b'{"resource":{"resourceType":7,"id":"x"}}',
    "no id": b'{"resource":{"resourceType":"Observation"}}',
    "id is a number": b'{"resource":{"resourceType":"Observation","id":7}}',
    "subject is a text": b'{"resource":{"resourceType":"Observation","id":"x","subject":"Patient/p1"}}',
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_entries_spare_their_neighbours(bad: bytes) -> None:
    """Good entries before and after a bad one land; the bad bytes are Damage with position, length and digest."""
    body = _page(GOOD[0], bad, GOOD[1])
    page = _open(body)

    assert [entry.id for entry in page.entries] == ["good1", "good2"]
    assert len(page.damages) == 1
    [found] = page.damages
    assert found.code in ("malformed_json", "unreadable_head")
    assert body[found.position : found.position + found.length] == found.body
    assert page.next == "Observation?page=2"


def test_nesting_of_200_is_allowed() -> None:
    """The limit counts from the record itself, on a sound page and beside a bad neighbour alike."""
    entry = b'{"resource":{"resourceType":"Observation","id":"x","a":' + b"[" * 199 + b"]" * 199 + b"}}"

    for page in (_page(entry), _page(entry, BAD["NUL"])):
        assert [found.id for found in _open(page).entries] == ["x"]


def test_unkept_damage_is_a_digest_only() -> None:
    """Where nobody vouches for the patient filter, bad bytes leave position, length and SHA-256."""
    page = _open(_page(GOOD[0], BAD["NUL"]), Opening())

    assert (page.damages[0].body, len(page.damages[0].sha256), page.damages[0].length > 0) == (b"", 64, True)


@pytest.mark.parametrize("value", [b"1e999", b"-1e999", b"1" * 400, b'"\\u0000"', b'"\xff"'])
def test_a_strange_value_is_left_to_the_readers(value: bytes) -> None:
    """What does not stop the head from being read is kept as it came; whoever reads the element judges it."""
    body = b'{"resource":{"resourceType":"Observation","id":"x","a":' + value + b"}}"

    assert [entry.id for entry in _open(_page(GOOD[0], body)).entries] == ["good1", "x"]


@pytest.mark.parametrize("end", [-1, -20, -60, -70, -100])
def test_a_truncated_page_keeps_what_is_whole(end: int) -> None:
    """A page cut off anywhere gives its whole entries, and says that it is not the whole answer."""
    page = _open(_page(*GOOD)[:end])

    assert page.entries[0].id == "good1"
    assert "truncated" in [gap.code for gap in page.gaps]


def test_brackets_that_close_too_early_hide_nothing() -> None:
    """What stands behind the end of a Bundle that closed too early still lands, and the page is not trusted."""
    page = _open(_page(GOOD[0], b"]}[", GOOD[1]))

    assert [entry.id for entry in page.entries] == ["good1", "good2"]
    assert "truncated" in [gap.code for gap in page.gaps]


def test_a_bundle_that_has_entry_twice_gives_both() -> None:
    """Duplicate keys: the decoder would keep the last list only."""
    body = b'{"resourceType":"Bundle","entry":[' + GOOD[0] + b'],"entry":[' + GOOD[1] + b"]}"

    assert [entry.id for entry in _open(body).entries] == ["good1", "good2"]


def test_duplicate_keys_in_a_record_do_no_harm() -> None:
    """The last one counts for the head; the bytes are kept as they came."""
    body = b'{"resource":{"resourceType":"Observation","id":"a","id":"b"}}'

    assert [entry.id for entry in _open(_page(body)).entries] == ["b"]


@pytest.mark.parametrize("wrong", [
    {"total": "9"}, {"link": {}}, {"link": [{"relation": 1, "url": 2}]}, {"type": 7}, {"entry": None}, {"total": None},
])
def test_a_bundle_of_the_wrong_shape_does_not_crash(wrong: dict[str, Any]) -> None:
    """Its entries still land; what cannot be read is missing, never guessed."""
    page = _open({**bundle(record("Observation", "o1")), **wrong})

    assert [entry.id for entry in page.entries] == ([] if "entry" in wrong else ["o1"])


def test_entries_that_are_no_list_leave_a_gap() -> None:
    """An `entry` that is an object is not an empty answer."""
    assert [gap.code for gap in _open({"resourceType": "Bundle", "entry": {"resource": {}}}).gaps] == ["truncated"]


def test_a_bare_resource_is_a_page_of_one() -> None:
    """A read answers with the resource itself, whatever its elements are called."""
    page = _open({"resourceType": "Encounter", "id": "e1", "type": [{"text": "x"}], "link": 7, "entry": "x"})

    assert [(entry.type, entry.id) for entry in page.entries] == [("Encounter", "e1")]
    assert _open(outcome("not-found")).outcomes[0].code == "not-found"


def test_a_bare_resource_nested_too_deep_is_damage() -> None:
    """Also where the decoder itself would have managed."""
    for depth in (250, 100_000):
        body = b'{"resourceType":"Patient","id":"p1","x":' + b"[" * depth + b"]" * depth + b"}"
        assert [found.code for found in _open(body).damages] == ["malformed_json"]


def test_a_record_without_id_can_be_named_by_its_content() -> None:
    """Files may hold records without id: the SHA-256 of the bytes stands for it, and that is said."""
    body = b'{"resourceType":"Observation","status":"final"}'
    page = _open(body, Opening(content_ids=True, keep_damaged=True))

    assert page.entries[0].id == content_id(body)
    assert [found.code for found in page.outcomes] == ["id-from-content"]


def test_a_page_of_more_than_64_mb_is_refused() -> None:
    """Page limits of DESIGN §8."""
    assert [gap.code for gap in _open(b" " * (MAX_PAGE + 1)).gaps] == ["not_fhir"]


UNCLOSED = {"array": b'{"resource":{"a":[', "text": b'{"resource":{"a":"', "mismatch": b'{"resource":[}',
            "escape": b'{"resource":"\\"'}


@pytest.mark.parametrize("entry", UNCLOSED.values(), ids=UNCLOSED.keys())
def test_a_page_of_nothing_but_damage_does_not_hang(entry: bytes) -> None:
    """2 MB of entries that never close are given up in seconds, not searched again from each of them."""
    started = time.monotonic()
    page = _open(b'{"resourceType":"Bundle","entry":[' + b"},".join([entry] * (2_000_000 // len(entry))))

    assert page.damages or page.gaps
    assert time.monotonic() - started < 20


def test_outcome_texts_are_not_kept() -> None:
    """Diagnostics may name patients, and codes are kept only if they look like FHIR's."""
    page = _open(bundle(outcome("John Smith", diagnostics="John Smith, born 1950")))

    assert [found.code for found in page.outcomes] == ["other"]


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=400) | st.text(alphabet='{}[]":,\\ entryrsouc01eE.-', max_size=400).map(str.encode))
@example(gzip.compress(b"{}"))
def test_any_bytes_are_answered(body: bytes) -> None:
    """Whatever comes, a Page comes back: never an exception, never a hang."""
    for opening in (KEEP, Opening(), Opening(bundle_only=True), Opening(content_ids=True)):
        open_page(body, opening)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_a_flipped_byte_loses_at_most_its_entry(data: st.DataObject) -> None:
    """A byte changed inside one entry: the others land, or the page says that it cannot be trusted."""
    entries = [b'{"resource":{"resourceType":"Observation","id":"n%d","v":"%s"}}' % (number, b"x" * 20)
               for number in range(5)]
    victim = data.draw(st.integers(0, 4))
    position = data.draw(st.integers(0, len(entries[victim]) - 1))
    byte = data.draw(st.integers(0, 255))
    spoilt = bytearray(entries[victim])
    spoilt[position] = byte
    body = _page(*entries[:victim], bytes(spoilt), *entries[victim + 1 :])

    page = _open(body)

    landed = {entry.id for entry in page.entries}
    others = {f"n{number}" for number in range(5) if number != victim}
    assert others <= landed or page.gaps or page.damages
    assert len(page.entries) + len(page.damages) + len(page.outcomes) + len(page.gaps) >= len(entries)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=12), max_size=5))
def test_cutting_by_brackets_agrees_with_the_decoder(values: list[Any]) -> None:
    """A page with one bad number, opened by brackets, gives byte for byte what the decoder gives without it."""
    entries = [json.dumps({"resource": {"resourceType": "Observation", "id": f"i{number}", "x": value}},
                          ensure_ascii=number % 2 == 0).encode() for number, value in enumerate(values)]
    by_decoder = _open(_page(*entries)).entries
    by_brackets = _open(_page(*entries, BAD["malformed number"])).entries

    assert by_brackets == by_decoder
