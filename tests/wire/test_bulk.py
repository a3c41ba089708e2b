"""Exports, step by step, against a strict script. Quirks by their numbers in facts/quirks.md."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from fhir_adapter.core.study import Auth, Hospital
from fhir_adapter.core.windows import Page
from fhir_adapter.wire import bulk
from fhir_adapter.wire.bulk import File, JobLost, Manifest, Order, Waiting
from fhir_adapter.wire.faults import Fault, OffOrigin, Paused
from tests.wire.hospital import BASE, NOON, Script, asking, hospital, outcome, record

STATUS = f"{BASE}/bulkstatus/7"
FILE = f"{BASE}/bulkfiles/1.ndjson"
S3 = "https://bucket.s3.amazonaws.com"
ORDER = Order(level="Patient", types=("Observation", "Medication"))
KICK_OFF = "Patient/$export?_type=Observation,Medication"


def _told(status: int, headers: dict[str, str] | None = None, body: Any = None) -> httpx.Response:
    content = b"" if body is None else json.dumps(body).encode()
    return httpx.Response(status, content=iter([content]), headers={"content-type": "application/json",
                                                                    **(headers or {})})


def _lines(*resources: dict[str, Any]) -> bytes:
    return b"".join(json.dumps(one).encode() + b"\n" for one in resources)


def _bearer(monkeypatch: pytest.MonkeyPatch, **pull: Any) -> Hospital:
    monkeypatch.setenv("WEST_TOKEN", "s3cret")
    return hospital(auth=Auth(kind="bearer", token="env:WEST_TOKEN"), pull=pull)


OBSERVATIONS = File(FILE, "Observation")


def _read(script: Script, settings: Hospital | None = None, file: File = OBSERVATIONS, *,
          kind: bulk.Kind = "output", known: bool = True) -> list[Page]:
    with asking(script, settings) as connection:
        return list(bulk.pages(connection, file, kind, known=known))


def _gaps(pages: list[Page]) -> list[str]:
    return [gap.code for page in pages for gap in page.gaps]


def _ids(pages: list[Page]) -> list[str]:
    return [entry.id for page in pages for entry in page.entries]


@pytest.mark.parametrize(("order", "address"), [
    (ORDER, KICK_OFF),
    (Order(level="Group/g1", types=("Observation",), since=NOON),
     "Group/g1/$export?_type=Observation&_since=2026-01-31T12:00:00.000Z"),
    (Order(level="", types=("Observation",)), "$export?_type=Observation"),
])
def test_a_kick_off_asks_for_a_job(order: Order, address: str) -> None:
    """Group, Patient and system level; `_since` in UTC `Z` (trap 3); FHIR JSON and respond-async are asked for."""
    script = Script()
    script.expect(address, _told(202, {"Content-Location": "/r4/bulkstatus/7"}))
    with asking(script) as connection:
        status = bulk.kick_off(connection, order)

    assert status == STATUS
    assert script.requests[-1].headers["prefer"] == "respond-async"
    assert script.requests[-1].headers["accept"] == "application/fhir+json"


@pytest.mark.parametrize("place", ["https://evil.example/status", "//evil.example/r4/status", "/\\evil"])
def test_a_status_elsewhere_is_refused(place: str) -> None:
    """Content-Location at another origin: neither followed nor shown our token."""
    script = Script()
    script.expect(KICK_OFF, _told(202, {"Content-Location": place}))
    with asking(script) as connection, pytest.raises(OffOrigin):
        bulk.kick_off(connection, ORDER)


def test_a_second_job_is_throttled_q21() -> None:
    """Q21: Oracle answers 429 `throttled` with ten minutes while another job runs: the hospital is paused."""
    script = Script()
    script.expect(KICK_OFF, outcome("throttled"), status=429, headers={"retry-after": "600"})
    with asking(script) as connection, pytest.raises(Paused, match="600 s"):
        bulk.kick_off(connection, ORDER)


def test_polling_waits_as_told_and_survives_passing_failures_q25() -> None:
    """Q25: 202 with Retry-After, a `transient` 500, then the manifest."""
    script = Script()
    manifest = {"transactionTime": "2026-01-31T12:00:00+00:00", "requiresAccessToken": False,
                "output": [{"type": "Observation", "url": FILE, "count": 2}], "error": []}
    passing = [_told(500, body=outcome("transient")) for _ in range(5)]
    script.expect("bulkstatus/7", _told(202, {"retry-after": "3"}), *passing, _told(200, body=manifest))
    with asking(script) as connection:
        answers = [bulk.poll(connection, STATUS) for _ in range(3)]

    assert answers[0] == Waiting(3.0)
    assert isinstance(answers[1], Waiting)
    assert isinstance(answers[2], Manifest)
    assert (answers[2].at, answers[2].requires_access_token) == (NOON, False)
    assert answers[2].output == (File(FILE, "Observation", 2),)


@pytest.mark.parametrize("status", [404, 410, 500])
def test_a_job_that_is_gone_is_lost(status: int) -> None:
    """404 and 410 on the status (expired, or ended by somebody), and a lasting 500: it is asked for anew."""
    script = Script()
    script.expect("bulkstatus/7", *[_told(status, body=outcome("exception")) for _ in range(5)])
    with asking(script) as connection:
        with pytest.raises(JobLost):
            bulk.poll(connection, STATUS)
        script.answers.clear()


def test_a_manifest_comes_in_parts() -> None:
    """allowPartialManifests: the next part's address stands under `link`."""
    part = {"transactionTime": "2026-01-31T12:00:00Z", "output": [],
            "link": [{"relation": "next", "url": f"{STATUS}?part=2"}]}
    script = Script()
    script.expect("bulkstatus/7", _told(200, body=part))
    with asking(script) as connection:
        manifest = bulk.poll(connection, STATUS)

    assert isinstance(manifest, Manifest)
    assert manifest.next == f"{STATUS}?part=2"


@pytest.mark.parametrize("status", [202, 204, 404, 500])
def test_ending_a_job_never_fails_q21(status: int) -> None:
    """Q21: DELETE when done; HAPI has deleted the job already and says 404: fine."""
    script = Script()
    script.expect("bulkstatus/7", *[_told(status, body=outcome("not-found")) for _ in range(5)])
    with asking(script) as connection:
        bulk.end(connection, STATUS)
        script.answers.clear()

    assert script.requests[-1].method == "DELETE"


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_gives_its_records(packed: bool) -> None:
    """NDJSON, also gzipped by whoever wrote the file; the last page carries the file's address."""
    script = Script()
    body = _lines(record("Observation", "o1"), record("Observation", "o2"))
    script.expect("bulkfiles/1.ndjson", gzip.compress(body) if packed else body)
    pages = _read(script, file=File(FILE, "Observation", 2))

    assert (_ids(pages), _gaps(pages), pages[-1].url) == (["o1", "o2"], [], FILE)


def test_fewer_lines_than_the_manifest_says_are_short_q23() -> None:
    """Q23: the manifest's count is compared with what came."""
    script = Script()
    script.expect("bulkfiles/1.ndjson", _lines(record("Observation", "o1")))

    assert _gaps(_read(script, file=File(FILE, "Observation", 2))) == ["short"]


def test_a_file_that_breaks_off_is_fetched_anew() -> None:
    """A connection that breaks in the middle of a file leaves nothing of it behind."""
    def broken() -> Any:
        yield _lines(record("Observation", "half"))
        raise httpx.ReadError("reset")

    script = Script()
    script.expect("bulkfiles/1.ndjson", httpx.Response(200, content=broken()), _lines(record("Observation", "o1")))

    assert _ids(_read(script)) == ["o1"]


def test_an_expired_file_loses_the_job_q23() -> None:
    """Q23: HAPI purges files after two hours: 410, and the job is asked for anew."""
    script = Script()
    script.expect("bulkfiles/1.ndjson", _told(410))
    with pytest.raises(JobLost):
        _read(script)


def test_deleted_files_name_deleted_records_q24() -> None:
    """Q24: one transaction Bundle a line, DELETE by type and id."""
    line = {"resourceType": "Bundle", "type": "transaction",
            "entry": [{"request": {"method": "DELETE", "url": "Observation/95f3"}}]}
    script = Script()
    script.expect("bulkfiles/1.ndjson", _lines(line))
    [page] = _read(script, kind="deleted", file=File(FILE, "Bundle"))

    assert [(entry.type, entry.id, entry.deleted) for entry in page.entries] == [("Observation", "95f3", True)]


@pytest.mark.parametrize(("severity", "code", "gaps"), [
    ("information", "informational", []), ("warning", "processing", []), ("error", "exception", ["suppressed"]),
    ("fatal", "exception", ["suppressed"]), ("warning", "suppressed", ["suppressed"]),
])
def test_error_files_may_hold_information_q25(severity: str, code: str, gaps: list[str]) -> None:
    """Q25: an `error` file with mere information leaves the export whole; an error does not."""
    script = Script()
    script.expect("bulkfiles/1.ndjson", _lines(outcome(code, severity)))

    assert _gaps(_read(script, kind="error", file=File(FILE, "OperationOutcome", 639))) == gaps


def test_files_without_token_get_none_q22(monkeypatch: pytest.MonkeyPatch) -> None:
    """Q22: `requiresAccessToken: false` means no header, at the own origin too; else the token goes along."""
    shown = []
    for known in (True, False):
        script = Script()
        script.expect("bulkfiles/1.ndjson", _lines(record("Observation", "o1")))
        _read(script, _bearer(monkeypatch), known=known)
        shown.append("authorization" in script.requests[-1].headers)

    assert shown == [True, False]


def test_a_redirect_to_listed_storage_gets_no_token_q22(monkeypatch: pytest.MonkeyPatch) -> None:
    """Q22: Oracle's file redirects to S3: followed where the hospital's file lists it, without credentials."""
    script = Script()
    script.expect("bulkfiles/1.ndjson", _told(307, {"location": f"{S3}/1.ndjson?X-Amz-Signature=1"}))
    script.expect(f"{S3}/1.ndjson?X-Amz-Signature=1", _lines(record("Observation", "o1")))
    pages = _read(script, _bearer(monkeypatch, file_origins=(S3,)))

    assert _ids(pages) == ["o1"]
    assert ["authorization" in request.headers for request in script.requests[-2:]] == [True, False]


@pytest.mark.parametrize("address", [f"{S3}/1.ndjson", "http://169.254.169.254/latest", f"{S3}.evil.example/1.ndjson",
                                     "https://fhir.west.example@evil.example/1", "file:///etc/passwd"])
def test_files_elsewhere_are_not_fetched_q12(address: str) -> None:
    """Q12: a file at an origin that nobody listed is a gap, and nothing is asked."""
    script = Script()
    pages = _read(script, file=File(address, "Observation"))

    assert (_gaps(pages), script.asked) == (["off_origin"], [])


def test_bytes_of_a_bad_line_are_not_kept() -> None:
    """An export may hold anybody's records: of what cannot be read only length and digest stay."""
    script = Script()
    script.expect("bulkfiles/1.ndjson", b'{"resourceType":"Observation","id":"o1","n":01}\n')
    [page] = _read(script)

    assert [(damage.body, damage.length > 0) for damage in page.damages] == [(b"", True)]


def test_a_refused_kick_off_says_why() -> None:
    """400 for a type that is not exported (Oracle and MedicationAdministration): a fault with its issue code."""
    script = Script()
    script.expect(KICK_OFF, outcome("not-supported"), status=400)
    with asking(script) as connection, pytest.raises(Fault, match="not-supported"):
        bulk.kick_off(connection, ORDER)


def test_a_plain_target_needs_no_name(tmp_path: Path) -> None:
    """What is downloaded replaces what a broken try left."""
    script = Script()
    script.expect("bulkfiles/1.ndjson", b"new")
    target = io.BytesIO(b"something old")
    with asking(script) as connection:
        connection.client.download(FILE, target, known=False)

    assert target.getvalue() == b"new"
