"""Credentials: each kind, discovery, tokens that run out, and secrets that stay secret."""

import json
from base64 import b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from fhir_adapter.core.errors import HospitalUnavailable, NotAllowed, UsageError
from fhir_adapter.core.study import Auth
from fhir_adapter.wire import search
from fhir_adapter.wire.secret import resolve
from tests.wire.hospital import BASE, NOON, Script, asking, bundle, capability, hospital, outcome
from tests.wire.test_search import ONE, _question

SMART = ".well-known/smart-configuration"
TOKEN_URL = f"{BASE}/oauth2/token"


def _secret(folder: Path, name: str, text: str | bytes, mode: int = 0o600) -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return f"file:{name}"


def _smart(folder: Path, **changes: Any) -> Auth:
    key = ECKey.generate_key("P-384")
    return Auth(**{"kind": "smart_backend", "client_id": "adapter",
                   "private_key": _secret(folder, "key.pem", key.as_pem(private=True)), **changes})


def _token(text: str, life: int = 300) -> dict[str, Any]:
    return {"access_token": text, "token_type": "Bearer", "expires_in": life, "scope": "system/Patient.rs"}


def test_no_credentials_no_header() -> None:
    """kind = "none" sends no Authorization."""
    script = Script()
    with asking(script):
        pass
    assert "authorization" not in script.requests[0].headers


def test_basic_and_bearer_come_from_references(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password from the environment, the token from a file that is its owner's alone."""
    monkeypatch.setenv("WEST_PASSWORD", "pässword")
    basic = Auth(kind="basic", username="adapter", password="env:WEST_PASSWORD")
    bearer = Auth(kind="bearer", token=_secret(tmp_path, "token", "abc123\n"))
    sent = []
    for auth in (basic, bearer):
        script = Script()
        with asking(script, hospital(auth=auth), folder=tmp_path):
            sent.append(script.requests[0].headers["authorization"])

    assert sent == ["Basic " + b64encode("adapter:pässword".encode()).decode(), "Bearer abc123"]


@pytest.mark.parametrize(("reference", "complaint"), [
    ("abc123", "must be a reference"), (None, "must be a reference"), ("env:", "must be a reference"),
    ("env:NO_SUCH_VARIABLE", "holds nothing"), ("file:missing", "cannot be read"), ("file:open", "chmod 600"),
    ("file:empty", "holds nothing"), ("file:binary", "not text"), ("keyring:west", "must be a reference"),
])
def test_bad_references_are_usage_errors(tmp_path: Path, reference: str | None, complaint: str) -> None:
    """Secrets are never written in the configuration, nor in files that others can read."""
    _secret(tmp_path, "open", "s3cret", mode=0o640)
    _secret(tmp_path, "empty", "\n")
    _secret(tmp_path, "binary", b"\xff\xfe")

    with pytest.raises(UsageError, match=complaint) as caught:
        resolve(reference, "auth.token", tmp_path)

    assert "s3cret" not in str(caught.value)
    assert "abc123" not in str(caught.value)


def test_smart_backend_signs_for_this_token_address_alone_s10(tmp_path: Path) -> None:
    """S10: ES384, exact aud, at most five minutes, a jti never used before, client as iss and sub, a kid."""
    script = Script()
    script.expect(SMART, {"token_endpoint": TOKEN_URL})
    script.expect("oauth2/token", _token("t1", life=20), _token("t2"))
    script.expect(ONE, bundle())
    auth = _smart(tmp_path)

    with asking(script, hospital(auth=auth), folder=tmp_path) as connection:
        script.now += timedelta(seconds=19)
        list(search.pages(connection, _question("p1")))

    forms = [parse_qs(request.content.decode()) for request in script.requests if request.method == "POST"]
    key = ECKey.import_key((tmp_path / "key.pem").read_bytes())
    tokens = [jwt.decode(form["client_assertion"][0], key, algorithms=["ES384"]) for form in forms]
    first, second = (token.claims for token in tokens)
    assert forms[0]["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert (forms[0]["grant_type"], forms[0]["scope"]) == (["client_credentials"], ["system/*.read"])
    assert (first["iss"], first["sub"], first["aud"]) == ("adapter", "adapter", TOKEN_URL)
    assert 0 < first["exp"] - NOON.timestamp() <= 300
    assert first["jti"] != second["jti"]
    assert tokens[0].header["kid"] == key.thumbprint()
    assert script.requests[-1].headers["authorization"] == "Bearer t2"


def test_rs384_and_a_jwk_with_kid(tmp_path: Path) -> None:
    """RS384 is the other algorithm that SMART names; a JWK's own kid is used."""
    key = RSAKey.generate_key(2048, {"kid": "our-key"})
    auth = _smart(tmp_path, algorithm="RS384", token_url=TOKEN_URL,
                  private_key=_secret(tmp_path, "key.json", json.dumps(key.as_dict(private=True))))
    script = Script()
    script.expect("oauth2/token", _token("t1"))

    with asking(script, hospital(auth=auth), folder=tmp_path):
        pass

    [form] = [parse_qs(request.content.decode()) for request in script.requests if request.method == "POST"]
    assert jwt.decode(form["client_assertion"][0], key, algorithms=["RS384"]).header["kid"] == "our-key"


def test_a_key_that_does_not_fit_is_a_usage_error(tmp_path: Path) -> None:
    """An EC key for RS384, a public key, no key: said before anything is asked, without the key."""
    public = ECKey.generate_key("P-384").as_pem(private=False)
    small = ECKey.generate_key("P-256").as_pem(private=True)
    for text, algorithm in ((public, "ES384"), (small, "ES384"), ("nonsense", "ES384"), ("{}", "RS384")):
        auth = _smart(tmp_path, algorithm=algorithm, private_key=_secret(tmp_path, "bad.pem", text))
        with pytest.raises(UsageError, match=f"auth.private_key is not a private key for {algorithm}"), \
                asking(Script(), hospital(auth=auth), folder=tmp_path):
            pass


def test_a_client_secret_goes_as_basic_to_the_token_endpoint(tmp_path: Path) -> None:
    """client_secret_basic, with both parts URL-encoded (RFC 6749 §2.3.1)."""
    script = Script()
    script.expect(SMART, {"token_endpoint": TOKEN_URL})
    script.expect("oauth2/token", _token("t1"))
    auth = Auth(kind="client_secret", client_id="ad:apter", client_secret=_secret(tmp_path, "s", "p%ss"))

    with asking(script, hospital(auth=auth), folder=tmp_path):
        pass

    post = next(request for request in script.requests if request.method == "POST")
    assert post.headers["authorization"] == "Basic " + b64encode(b"ad%3Aapter:p%25ss").decode()
    assert b"p%25ss" not in post.content


def test_the_token_endpoint_of_metadata(tmp_path: Path) -> None:
    """Without smart-configuration, /metadata's oauth-uris names it; that page is asked without credentials."""
    statement = capability("patient")
    statement["rest"][0]["security"] = {"extension": [{
        "url": "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris",
        "extension": [{"url": "token", "valueUri": TOKEN_URL}]}]}
    script = Script()
    script.expect(SMART, outcome("not-found"), status=404)
    script.expect("metadata", statement)
    script.expect("oauth2/token", _token("t1"))

    with asking(script, hospital(auth=_smart(tmp_path)), statement, tmp_path):
        pass

    assert "authorization" not in script.requests[1].headers
    assert script.requests[-1].headers["authorization"] == "Bearer t1"


@pytest.mark.parametrize("token_url", ["https://evil.example/token", "http://fhir.west.example/token",
                                       "https://fhir.west.example@evil.example/token"])
def test_a_discovered_token_endpoint_elsewhere_gets_nothing(tmp_path: Path, token_url: str) -> None:
    """S3: credentials never leave the hospital's own origin because a page of the server says so."""
    script = Script()
    script.expect(SMART, {"token_endpoint": token_url})

    with pytest.raises(UsageError, match="another origin"), \
            asking(script, hospital(auth=_smart(tmp_path)), folder=tmp_path):
        pass

    assert [request.method for request in script.requests] == ["GET"]


def test_no_token_endpoint_anywhere_is_a_usage_error(tmp_path: Path) -> None:
    """The remedy is one line in the hospital's file."""
    script = Script()
    script.expect(SMART, b"<html/>", status=404)
    script.expect("metadata", capability())

    with pytest.raises(UsageError, match="put token_url under"), \
            asking(script, hospital(auth=_smart(tmp_path)), folder=tmp_path):
        pass


def test_a_token_that_runs_out_early_is_fetched_again_q28(tmp_path: Path) -> None:
    """Q28: 401 in the middle of paging is answered with one fresh token; the page is asked again."""
    script = Script()
    script.expect("oauth2/token", _token("t1"), _token("t2"))
    script.expect(ONE, outcome("expired"), status=401)
    script.expect(ONE, bundle())

    with asking(script, hospital(auth=_smart(tmp_path, token_url=TOKEN_URL)), folder=tmp_path) as connection:
        pages = list(search.pages(connection, _question("p1")))

    assert pages[0].gaps == ()
    assert script.requests[-1].headers["authorization"] == "Bearer t2"


def test_a_second_401_ends_the_run(tmp_path: Path) -> None:
    """A fresh token that is refused too: the hospital does not want us."""
    script = Script()
    script.expect("oauth2/token", _token("t1"), _token("t2"))
    script.expect(ONE, *[outcome("login")] * 2, status=401)

    with asking(script, hospital(auth=_smart(tmp_path, token_url=TOKEN_URL)), folder=tmp_path) as connection, \
            pytest.raises(NotAllowed, match=r"sync/hospitals/west\.toml"):
        list(search.pages(connection, _question("p1")))


@pytest.mark.parametrize(("status", "error"), [(400, "invalid_grant"), (401, "invalid_client"), (403, "access_denied")])
def test_a_refused_assertion_is_not_allowed(tmp_path: Path, status: int, error: str) -> None:
    """sekmet-fhir says 401 `invalid_client`, the bulk reference server 400 `invalid_grant`: exit code 5 for both."""
    script = Script()
    script.expect("oauth2/token", {"error": error, "error_description": "adapter unknown"}, status=status)
    script.answers["metadata"] = []
    settings = hospital(auth=_smart(tmp_path, token_url=TOKEN_URL))

    with pytest.raises(NotAllowed, match=error.replace("_", "-")), asking(script, settings, folder=tmp_path):
        pass


@pytest.mark.parametrize("answer", [b"[]", b"{}", {"access_token": "a\nb"}, {"access_token": "x", "token_type": "mac"}])
def test_an_answer_that_is_no_token(tmp_path: Path, answer: Any) -> None:
    """A token endpoint that answers anything else is not spoken to further."""
    script = Script()
    script.expect("oauth2/token", answer)

    with pytest.raises(HospitalUnavailable, match="token"), \
            asking(script, hospital(auth=_smart(tmp_path, token_url=TOKEN_URL)), folder=tmp_path):
        pass


def test_a_token_redirect_is_not_followed(tmp_path: Path) -> None:
    """An assertion is for one address only."""
    script = Script()
    script.expect("oauth2/token", b"", status=307, headers={"location": TOKEN_URL + "2"})

    with pytest.raises(NotAllowed), \
            asking(script, hospital(auth=_smart(tmp_path, token_url=TOKEN_URL)), folder=tmp_path):
        pass

    assert len(script.requests) == 1


def test_a_dead_token_endpoint_is_unavailable(tmp_path: Path) -> None:
    """Unreachable is not refused."""
    script = Script()
    script.expect("oauth2/token", *[httpx.ConnectError("refused") for _ in range(5)])

    with pytest.raises(HospitalUnavailable, match="does not answer"), \
            asking(script, hospital(auth=_smart(tmp_path, token_url=TOKEN_URL)), folder=tmp_path):
        pass


def test_missing_settings_are_named() -> None:
    """What is missing is said by its name in the file."""
    for auth, name in ((Auth(kind="smart_backend"), "auth.client_id"), (Auth(kind="basic"), "auth.username")):
        with pytest.raises(UsageError, match=name), asking(Script(), hospital(auth=auth)):
            pass




def test_a_bare_400_of_a_token_endpoint_is_tried_once_more_q28(tmp_path: Path) -> None:
    """Q28: Epic now and then answers a bare 400 to a good assertion; the next one, with a new id, is taken."""
    script = Script()
    script.expect("oauth2/token", b" ", status=400)
    script.expect("oauth2/token", _token("t1"))
    with asking(script, hospital(auth=_smart(tmp_path, token_url=TOKEN_URL)), folder=tmp_path) as connection:
        assert connection.client.credentials is not None
        assert connection.client.credentials.headers() == {"Authorization": "Bearer t1"}
    forms = [parse_qs(request.content.decode()) for request in script.requests if request.method == "POST"]

    assert forms[0]["client_assertion"] != forms[1]["client_assertion"]


def test_narrower_scopes_are_seen_q28(tmp_path: Path) -> None:
    """Q28: what was asked for and not granted is known, for `plan`, `doctor` and the run's messages."""
    script = Script()
    script.expect("oauth2/token", _token("t1"))
    auth = _smart(tmp_path, token_url=TOKEN_URL, scope="system/Patient.rs system/MedicationAdministration.rs")
    with asking(script, hospital(auth=auth), folder=tmp_path) as connection:
        assert connection.withheld == ("system/MedicationAdministration.rs",)
