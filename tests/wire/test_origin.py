"""Origin pinning: which addresses are the hospital's own (Q11, Q12; ecosystem.md S3)."""

import pytest

from fhir_adapter.core.errors import UsageError
from fhir_adapter.wire.faults import OffOrigin
from fhir_adapter.wire.origin import Pin, is_loopback, require_tls

BASE = "https://fhir.west.example/r4"
PAGE = f"{BASE}/Observation?patient=p1"

FRIENDLY = [
    ("https://fhir.west.example/r4/Observation?page=2", "https://fhir.west.example/r4/Observation?page=2"),
    ("https://fhir.west.example/r4?_getpages=abc&_getpagesoffset=20", None),
    ("https://fhir.west.example:443/r4/Observation?page=2", None),
    ("https://FHIR.West.Example/r4/Observation?page=2", None),
    ("HTTPS://fhir.west.example/r4/Observation", None),
    ("Observation?page=2", "https://fhir.west.example/r4/Observation?page=2"),
    ("?page=2", "https://fhir.west.example/r4/Observation?page=2"),
    ("/r4/Observation?page=2", "https://fhir.west.example/r4/Observation?page=2"),
    ("//fhir.west.example/r4/Observation", "https://fhir.west.example/r4/Observation"),
    ("./Patient", "https://fhir.west.example/r4/Patient"),
    ("../r4/Patient", "https://fhir.west.example/r4/Patient"),
    ("Observation?ct=eyJvIjoyMH0%3D%3D", "https://fhir.west.example/r4/Observation?ct=eyJvIjoyMH0%3D%3D"),
    ("/r4/Observation?back=https://evil.example/", None),
    ("/r4//Observation", None),
    ("/r4/a/../Observation", None),
    ("Observation#top", "https://fhir.west.example/r4/Observation"),
    ("/r4/Observation/a%20b", None),
    ("Observation/_history?_since=2026-01-01T00:00:00%2B01:00", None),
]

HOSTILE = [
    "http://fhir.west.example/r4/Observation",
    "https://evil.example/r4/Observation",
    "https://fhir.west.example.evil.example/r4/Observation",
    "https://evil.example/fhir.west.example/r4",
    "https://west.example/r4/Observation",
    "https://sub.fhir.west.example/r4/Observation",
    "https://fhir.west.example:8443/r4/Observation",
    "https://fhir.west.example:443:443/r4/Observation",
    "https://fhir.west.example:0/r4/Observation",
    "https://fhir.west.example:99999/r4/Observation",
    "https://fhir.west.example:/r4/Observation",
    "https://user@fhir.west.example/r4/Observation",
    "https://user:pass@fhir.west.example/r4/Observation",
    "https://fhir.west.example@evil.example/r4/Observation",
    "https://fhir.west.example%40evil.example/r4",
    "https://fhir.west.example\\@evil.example/r4",
    "https:\\\\evil.example\\r4",
    "//evil.example/r4/Observation",
    "///evil.example/r4/Observation",
    "/\\evil.example/r4",
    "https:/evil.example/r4",
    "https:///evil.example/r4",
    "ftp://fhir.west.example/r4/Observation",
    "file:///etc/passwd",
    "javascript:alert(1)",
    "data:application/json,{}",
    "urn:uuid:0f0e",
    "https://fhir.west.example/",
    "https://fhir.west.example/r45/Observation",
    "https://fhir.west.example/admin",
    "/admin",
    "../admin",
    "/r4/../admin",
    "/r4/%2e%2e/admin",
    "/r4/%2E%2E%2Fadmin",
    "/r4/%252e%252e/admin",
    "/r4/..;/admin",
    "/r4/..%5cadmin",
    "/R4/Observation",
    "https://127.0.0.1/r4/Observation",
    "https://[::1]/r4/Observation",
    "https://[fhir.west.example/r4",
    "https://169.254.169.254/latest/meta-data",
    "https://fhir.west.example./r4/Observation",
    "https://fhir.we\u0455t.example/r4/Observation",
    "https://fhir.west.example/r4/Observation\r\nX-Evil: 1",
    "https://fhir.west.example/r4/\x00",
    " https://fhir.west.example/r4/Observation",
    "\thttps://evil.example/r4",
    "https://fhir.west.example/r4/" + "a" * 40_000,
]


@pytest.mark.parametrize(("link", "address"), FRIENDLY)
def test_own_addresses_are_followed(link: str, address: str | None) -> None:
    """Links under the base URL are followed, relative ones joined, their bytes unchanged."""
    resolved = Pin(BASE).resolve(link, PAGE)

    assert resolved == address or address is None
    assert resolved.lower().startswith("https://fhir.west.example")


@pytest.mark.parametrize("link", HOSTILE)
def test_foreign_addresses_are_refused(link: str) -> None:
    """Whatever leaves scheme, host, port or path is refused, and the text does not repeat the address."""
    with pytest.raises(OffOrigin) as caught:
        Pin(BASE).resolve(link, PAGE)

    assert "evil" not in str(caught.value)


@pytest.mark.parametrize("base", [
    "http://fhir.west.example/r4", "ftp://fhir.west.example", "fhir.west.example/r4", "",
    "https://user:pass@fhir.west.example/r4", "https://fhir.west.example/r4?x=1", "https://fhir.west.example/r4#x",
    "https://",
])
def test_a_base_url_must_be_plain_and_tls(base: str) -> None:
    """The configured address is https (http on loopback only), without user information, query or fragment."""
    with pytest.raises(UsageError):
        Pin(base)


@pytest.mark.parametrize("base", ["http://127.0.0.1:18801/fhir", "http://localhost:8080", "http://[::1]:8080/fhir"])
def test_loopback_needs_no_tls(base: str) -> None:
    """Rehearsal hospitals on this machine speak plain http."""
    assert Pin(base).resolve("Patient/p1", base + "/") == base + "/Patient/p1"


@pytest.mark.parametrize(("address", "same"), [
    ("https://fhir.west.example/oauth2/token", True),
    ("https://fhir.west.example:443/oauth2/token", True),
    ("https://login.west.example/oauth2/token", False),
    ("http://fhir.west.example/oauth2/token", False),
    ("https://fhir.west.example\\@evil.example/token", False),
    ("https://fhir.west.example@evil.example/token", False),
])
def test_token_addresses_share_the_origin_but_not_the_path(address: str, same: bool) -> None:
    """A discovered token endpoint may stand beside the FHIR path, at the same origin only."""
    assert Pin(BASE).same_origin(address) is same


def test_loopback_is_no_matter_of_spelling() -> None:
    """Names that merely begin like loopback are not."""
    assert is_loopback("127.0.0.2")
    assert not is_loopback("127.0.0.1.evil.example")
    assert not is_loopback("localhost.evil.example")


def test_a_configured_token_address_needs_tls() -> None:
    """A token address elsewhere is the user's word, but not in the clear."""
    with pytest.raises(UsageError, match="token_url"):
        require_tls("http://login.west.example/token", "token_url")
