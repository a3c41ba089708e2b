"""Aliases, export files and statuses: which addresses are asked, and what they are shown (Q12, Q22; S3)."""

import pytest

from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.windows import Question
from fhir_adapter.wire import search
from fhir_adapter.wire.faults import OffOrigin
from fhir_adapter.wire.origin import Pin
from tests.wire.hospital import BASE, Script, asking, bundle, hospital, record

PAGE = f"{BASE}/Observation?patient=p1"
INNER = "http://ms-fhir.svc.cluster.local:8080/fhir"
S3 = "https://bucket.s3.amazonaws.com"
PIN = Pin(BASE, (INNER,), (S3,))


@pytest.mark.parametrize(("link", "address"), [
    (f"{INNER}/Observation?page=2", f"{BASE}/Observation?page=2"), (f"{INNER}?_getpages=1", f"{BASE}?_getpages=1"),
    (f"{INNER}/Observation?ct=eyJ%3D%3D", f"{BASE}/Observation?ct=eyJ%3D%3D"),
    ("http://MS-FHIR.svc.cluster.local:8080/fhir/Patient", f"{BASE}/Patient"), (f"{BASE}/Patient", f"{BASE}/Patient"),
])
def test_another_name_of_the_server_is_asked_at_its_base_url_q12(link: str, address: str) -> None:
    """Q12: where the hospital's file says so, a link under the server's inner name is the same under its base URL."""
    assert PIN.resolve(link, PAGE) == address


@pytest.mark.parametrize("link", [
    "http://ms-fhir.svc.cluster.local/fhir/Observation", "http://ms-fhir.svc.cluster.local:8080/fhirx/Observation",
    "http://ms-fhir.svc.cluster.local:8080/admin", f"{INNER}/../admin", f"{INNER}/%2e%2e/admin",
    "http://ms-fhir.svc.cluster.local:8080@evil.example/fhir", f"{INNER}.evil.example/Observation",
    f"https{INNER[4:]}/Observation", f"{S3}/Observation", "https://evil.example/fhir/Observation",
])
def test_an_alias_opens_nothing_else_q12(link: str) -> None:
    """Q12: its origin and path are compared as strictly as the base URL's; nothing but the base URL is ever asked."""
    with pytest.raises(OffOrigin):
        PIN.resolve(link, PAGE)


def test_a_rewritten_link_is_followed_q12() -> None:
    """Q12: page two comes from the configured base, and the inner host is never asked."""
    script = Script()
    script.expect("Observation?patient=p1&_sort=_id&_count=50",
                  bundle(record("Observation", "o1"), next_link=f"{INNER}/Observation?page=2"))
    script.expect("Observation?page=2", bundle(record("Observation", "o2")))
    question = Question(type="Observation", patients=("p1",), parameters=(("patient", "p1"),))
    with asking(script, hospital(pull={"aliases": (INNER,)})) as connection:
        pages = list(search.pages(connection, question))

    assert [entry.id for page in pages for entry in page.entries] == ["o1", "o2"]
    assert {request.url.host for request in script.requests} == {"fhir.west.example"}


@pytest.mark.parametrize(("address", "is_own"), [
    (f"{BASE}/bulkfiles/1.ndjson", True), ("/bulkfiles/1.ndjson", True), ("https://fhir.west.example/x/1", True),
    (f"{S3}/1.ndjson?X-Amz-Signature=%2F1", False), ("https://BUCKET.s3.amazonaws.com:443/1", False),
    (f"{INNER}/bulkfiles/1", True),
])
def test_export_files_lie_at_home_or_where_listed_q22(address: str, is_own: bool) -> None:
    """Q22: beside the base URL at the own origin, or at an origin of `pull.file_origins`, which is not our own."""
    assert PIN.place(address, PAGE)[1] is is_own


@pytest.mark.parametrize("address", [
    "https://other.s3.amazonaws.com/1", "http://bucket.s3.amazonaws.com/1", "https://bucket.s3.amazonaws.com:8443/1",
    "https://bucket.s3.amazonaws.com@evil.example/1", "https://u:p@bucket.s3.amazonaws.com/1", "file:///etc/passwd",
    "http://169.254.169.254/latest", "//evil.example/1", "https://fhir.west.example:8443/1", "http://fhir.west.example/1",
    "https://bucket.s3.amazonaws.com\\@evil.example/1", "https://bucket.s3.amazonaws.com/1\r\nX: 1",
])
def test_export_files_elsewhere_are_refused_q22(address: str) -> None:
    """S3: no escape for files either."""
    with pytest.raises(OffOrigin):
        PIN.place(address, PAGE)


@pytest.mark.parametrize(("aliases", "origins"), [
    (("not a url",), ()), (("https://x.example/?q=1",), ()), ((), ("http://bucket.example",)), ((), ("ftp://x",)),
    ((), ("https://u@x.example",)),
])
def test_aliases_and_origins_are_plain_urls(aliases: tuple[str, ...], origins: tuple[str, ...]) -> None:
    """Mistakes in the hospital's file are said at once; files never come in the clear off loopback."""
    with pytest.raises(UsageError):
        Pin(BASE, aliases, origins)
