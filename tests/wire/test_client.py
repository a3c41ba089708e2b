"""The client: retries, Retry-After in all its spellings, redirects, sizes, silence about addresses."""

import gzip
import logging
import threading
from datetime import UTC, datetime, timedelta
from random import Random

import httpx
import pytest

from fhir_adapter.core.errors import HospitalUnavailable, UsageError
from fhir_adapter.wire.budget import Budget, parse_rate
from fhir_adapter.wire.envelope import MAX_PAGE
from fhir_adapter.wire.faults import Failing, Fault, NotFhir, OffOrigin, Paused, Refused
from fhir_adapter.wire.patience import ATTEMPTS, classify, patiently, retry_after
from tests.wire.hospital import BASE, NOON, Script, asking, bundle, hospital, outcome

PAGE = f"{BASE}/Observation?patient=secret-id-77"
PATH = "Observation?patient=secret-id-77"


def _get(script: Script, address: str = PAGE) -> bytes:
    with asking(script) as connection:
        return connection.client.get(address).body


@pytest.mark.parametrize(("headers", "wait"), [
    ({"retry-after": "7"}, 7.0),
    ({"retry-after": "0"}, 0.0),
    ({"retry-after": "1.5"}, 1.5),
    ({"retry-after": "Sat, 31 Jan 2026 12:00:30 GMT"}, 30.0),
    ({"retry-after": "Sat, 31 Jan 2026 11:00:00 GMT"}, 0.0),
    ({"retry-after": str(int(NOON.timestamp()) + 45)}, 45.0),
    ({"retry-after": str((int(NOON.timestamp()) + 45) * 1000)}, 45.0),
    ({"x-ms-retry-after-ms": "2500"}, 2.5),
    ({"x-ms-retry-after-ms": "2500", "retry-after": "60"}, 2.5),
    ({"retry-after": "soon"}, None),
    ({"retry-after": "-5"}, None),
    ({}, None),
])
def test_retry_after_is_understood_q26(headers: dict[str, str], wait: float | None) -> None:
    """Q26: seconds, HTTP-date, epoch in seconds and milliseconds, Azure's milliseconds; nonsense is no wait."""
    assert retry_after(headers, NOON) == wait


@pytest.mark.parametrize(("status", "issues", "kind"), [
    (429, (), Failing), (500, (), Failing), (502, (), Failing), (503, ("throttled",), Failing), (504, (), Failing),
    (500, ("transient",), Failing), (400, ("transient",), Failing), (408, (), Failing),
    (500, ("exception",), Failing), (500, ("required", "exception"), Failing),
    (500, ("required",), Refused), (501, (), Refused), (400, (), Refused), (400, ("required",), Refused),
    (401, (), Refused), (403, ("forbidden",), Refused), (404, (), Refused), (410, ("deleted",), Refused),
    (412, (), Refused), (422, (), Refused),
])
def test_what_is_worth_another_try(status: int, issues: tuple[str, ...], kind: type[Fault]) -> None:
    """429, 5xx and what calls itself transient are; other 4xx, and 5xx with a lasting cause, are not (Q27)."""
    assert type(classify(status, issues, None)) is kind


def test_the_wait_that_was_asked_for_is_kept_q26() -> None:
    """Q26: Retry-After is honoured in full, then the request is made again."""
    script = Script()
    script.expect(PATH, b"slow down", status=429, headers={"retry-after": "44", "content-type": "text/plain"})
    script.expect(PATH, bundle())

    _get(script)

    assert 44 <= script.waits[0] < 44.2


def test_athena_says_the_wait_in_the_text_alone_q26() -> None:
    """Q26: `Try in another 84 seconds` in the diagnostics of a 429 counts like Retry-After."""
    script = Script()
    script.expect(PATH, outcome("throttled", diagnostics="User Rate Limit Exceeded, Try in another 84 seconds"),
                  status=429)
    script.expect(PATH, bundle())

    _get(script)

    assert 84 <= script.waits[0] < 84.2


def test_too_long_a_wait_pauses_the_whole_hospital_q26() -> None:
    """Q26: 7,200 seconds are not sat out: the hospital is left alone, and nothing more is sent until then."""
    script = Script()
    script.expect(PATH, b"", status=429, headers={"retry-after": "7200"})

    with asking(script) as connection:
        with pytest.raises(Paused, match="7200"):
            connection.client.get(PAGE)
        with pytest.raises(Paused, match="2026-01-31 14:00:00"):
            connection.client.get(PAGE)
        script.now += timedelta(hours=2)
        script.expect(PATH, bundle())
        connection.client.get(PAGE)

    assert script.waits == []


def test_waits_grow_and_are_never_the_same() -> None:
    """Without Retry-After: exponential backoff with jitter, five tries, then the fault itself."""
    waits: list[float] = []

    def fail() -> None:
        raise Failing("HTTP 503")

    with pytest.raises(Failing, match="503"):
        patiently(fail, sleep=waits.append, random=Random(1))

    assert len(waits) == ATTEMPTS - 1
    assert all(0.25 * 2**n <= wait <= 0.5 * 2**n for n, wait in enumerate(waits))


def test_a_transient_error_heals() -> None:
    """Two 500 `transient`, then the answer: as the reference bulk server does (servers.md)."""
    script = Script()
    script.expect(PATH, *[outcome("transient")] * 2, status=500)
    script.expect(PATH, bundle())

    assert b"Bundle" in _get(script)


def test_gzip_is_asked_for_and_undone() -> None:
    """Eleven times fewer bytes for FHIR JSON (performance.md §4)."""
    script = Script()
    script.expect(PATH, gzip.compress(b'{"resourceType":"Bundle"}'), headers={"content-encoding": "gzip"})

    assert _get(script) == b'{"resourceType":"Bundle"}'
    assert script.requests[-1].headers["accept-encoding"] == "gzip"


def test_a_bomb_is_not_unpacked() -> None:
    """A small gzip that becomes more than 64 MB is refused on the way."""
    script = Script()
    script.expect(PATH, gzip.compress(b" " * (MAX_PAGE + 1)), headers={"content-encoding": "gzip"})

    with pytest.raises(NotFhir, match="64 MB"):
        _get(script)


def test_broken_gzip_is_tried_again() -> None:
    """A truncated transfer may heal."""
    script = Script()
    script.expect(PATH, b"no gzip", headers={"content-encoding": "gzip"})
    script.expect(PATH, bundle())

    assert b"Bundle" in _get(script)


def test_redirects_stay_at_home_q22() -> None:
    """A redirect under the base URL is followed; one elsewhere (Oracle: S3) gets no request and no token."""
    home, away, deep = Script(), Script(), Script()
    home.expect(PATH, b"", status=307, headers={"location": "/r4/Observation?moved=1"})
    home.expect("Observation?moved=1", bundle())
    away.expect(PATH, b"", status=307, headers={"location": "https://s3.example/r4/Observation"})
    deep.expect(PATH, *[b""] * 4, status=302, headers={"location": PAGE})

    assert b"Bundle" in _get(home)
    for script in (away, deep):
        with pytest.raises(OffOrigin):
            _get(script)


def test_a_stall_becomes_a_fault_and_says_no_address() -> None:
    """Time-outs and broken connections are tried again, and their texts name no URL and no patient."""
    script = Script()
    script.expect(PATH, *[httpx.ReadTimeout(f"timeout for {PAGE}"), httpx.ConnectError(PAGE),
                          httpx.RemoteProtocolError(PAGE), httpx.ReadTimeout(PAGE), httpx.ReadTimeout(PAGE)])

    with pytest.raises(Failing) as caught:
        _get(script)

    assert "secret-id-77" not in repr(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_nothing_is_logged_about_requests(caplog: pytest.LogCaptureFixture) -> None:
    """httpx logs every address at INFO; addresses hold patients' ids, so its loggers are off."""
    script = Script()
    script.expect(PATH, bundle())

    with caplog.at_level(logging.DEBUG):
        _get(script)

    assert "secret-id-77" not in caplog.text


def test_metadata_that_does_not_answer_ends_the_run() -> None:
    """No capability, no questions: exit code 5, with words."""
    script = Script()
    script.expect("metadata", *[httpx.ConnectError("refused") for _ in range(ATTEMPTS)])

    with pytest.raises(HospitalUnavailable, match="West hospital: /metadata does not answer"), asking(script):
        pass


@pytest.mark.parametrize(("written", "interval"), [("10/s", 0.1), ("90/m", 2 / 3), ("500/h", 7.2)])
def test_rates(written: str, interval: float) -> None:
    """Requests per second, minute or hour."""
    assert parse_rate(written) == pytest.approx(interval)


@pytest.mark.parametrize("written", ["", "10", "0/s", "ten/s", "10/d", "-1/s"])
def test_rates_that_are_none(written: str) -> None:
    """A rate that cannot be read is a mistake in the hospital's file."""
    with pytest.raises(UsageError, match=r"pull\.rate"):
        parse_rate(written)


def test_the_budget_spaces_requests() -> None:
    """Ten a second: the second request waits a tenth of a second after the first."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    waits: list[float] = []
    budget = Budget(0.1, 2, lambda: now, waits.append)

    for _ in range(3):
        with budget.turn():
            pass

    assert waits == pytest.approx([0.1, 0.2])


def test_the_budget_is_one_for_all_threads() -> None:
    """With one place, a second request begins only when the first has ended."""
    budget = Budget(0.0, 1, lambda: NOON, lambda _: None)
    order: list[str] = []

    def second() -> None:
        with budget.turn():
            order.append("second")

    with budget.turn():
        thread = threading.Thread(target=second)
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join(1)

    assert order == ["first", "second"]


def test_certificates_that_cannot_be_read_are_a_usage_error() -> None:
    """[auth.tls] is tried when the connection opens, not in the middle of a run."""
    script = Script()
    settings = hospital(auth={"kind": "none", "tls": {"authority": "no-such.pem"}})

    with pytest.raises(UsageError, match=r"auth\.tls"), asking(script, settings):
        pass


def test_a_file_hospital_is_not_asked_over_http() -> None:
    """mode = "sheet" is read from a folder."""
    with pytest.raises(UsageError, match="read from a folder"), asking(Script(), hospital(pull={"mode": "sheet"})):
        pass
