"""The hospital's door: tokens as SMART Backend Services wants them, and refusals that say why."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from fhir_adapter.sandbox import (
    Basic,
    Bearer,
    ClientSecret,
    Persona,
    Rehearsal,
    SmartBackend,
    Stage,
    UnexpectedRequests,
    serve,
)
from fhir_adapter.sandbox.auth import ASSERTION_TYPE
from tests.sandbox.build import Clock, get, hospital, observation, patient

KEY = ECKey.generate_key("P-384", {"kid": "k1"})
RSA = RSAKey.generate_key(2048, {"kid": "k2"})
STRANGER = ECKey.generate_key("P-384", {"kid": "k1"})
KEYS = {"keys": [KEY.as_dict(private=False), RSA.as_dict(private=False)]}


@pytest.fixture
def clock() -> Clock:
    """The hospital's clock."""
    return Clock()


@pytest.fixture
def west(tmp_path: Path, clock: Clock) -> Iterator[Rehearsal]:
    """A SMART hospital whose tokens live for three seconds."""
    folder = hospital(tmp_path / "west", [patient(), observation("o1")])
    auth, persona = SmartBackend("adapter", KEYS), Persona(token_seconds=3)
    with serve(folder, auth=auth, persona=persona, stage=Stage(clock=clock)) as running:
        yield running


def claims(west: Rehearsal, clock: Clock, **changed: Any) -> dict[str, Any]:
    """Claims that are right, but for what is changed."""
    right = {"iss": "adapter", "sub": "adapter", "aud": west.token_url, "exp": int(clock().timestamp()) + 300}
    return {**right, "jti": "j1", **changed}


def ask(west: Rehearsal, assertion: str, scope: str = "system/*.read") -> httpx.Response:
    """A token request with a signed assertion."""
    form = {
        "grant_type": "client_credentials",
        "scope": scope,
        "client_assertion_type": ASSERTION_TYPE,
        "client_assertion": assertion,
    }
    return httpx.post(west.token_url, data=form)


def signed(payload: dict[str, Any], key: Any = KEY, kid: str = "k1", alg: str = "ES384") -> str:
    """The assertion."""
    return jwt.encode({"alg": alg, "kid": kid, "typ": "JWT"}, payload, key, algorithms=[alg])


@pytest.mark.parametrize(("key", "kid", "alg"), [(KEY, "k1", "ES384"), (RSA, "k2", "RS384")])
def test_a_good_assertion_gets_a_token(west: Rehearsal, clock: Clock, key: Any, kid: str, alg: str) -> None:
    """With both algorithms of the specification; the token then opens the door."""
    answer = ask(west, signed(claims(west, clock), key, kid, alg))

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    token = answer.json()
    assert (token["token_type"], token["expires_in"], token["scope"]) == ("bearer", 3, "system/*.read")
    found = get(f"{west.base_url}/Patient", Authorization=f"Bearer {token['access_token']}")
    assert found.status_code == 200
    assert west.unexpected == []


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"iss": "another"}, "iss and sub"),
        ({"sub": "another"}, "iss and sub"),
        ({"aud": "http://127.0.0.1/fhir"}, "aud must be the token endpoint"),
        ({"exp": 0}, "exp must be in the future"),
        ({"exp": "soon"}, "exp must be in the future"),
        ({"exp": 4_000_000_000}, "at most five minutes"),
        ({"jti": ""}, "jti is missing"),
    ],
)
def test_a_bad_claim_is_refused(west: Rehearsal, clock: Clock, changed: dict[str, Any], reason: str) -> None:
    """401 invalid_client with the reason, and a note for the test."""
    answer = ask(west, signed(claims(west, clock, **changed)))

    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")
    assert reason in answer.json()["error_description"]
    assert len(west.unexpected) == 1


@pytest.mark.parametrize(("key", "kid", "alg"), [(STRANGER, "k1", "ES384"), (KEY, "k9", "ES384"), (RSA, "k2", "RS256")])
def test_a_bad_signature_is_refused(west: Rehearsal, clock: Clock, key: Any, kid: str, alg: str) -> None:
    """Another's key, an unknown kid, another algorithm."""
    assert ask(west, signed(claims(west, clock), key, kid, alg)).status_code == 401
    assert ask(west, "no.jwt.at-all").status_code == 401


def test_an_assertion_works_once(west: Rehearsal, clock: Clock) -> None:
    """A second use of a jti is refused; a second assertion is not."""
    assertion = signed(claims(west, clock))

    assert [ask(west, assertion).status_code for _ in range(2)] == [200, 401]
    assert ask(west, signed(claims(west, clock, jti="j2"))).status_code == 200


def test_a_token_expires(west: Rehearsal, clock: Clock) -> None:
    """401 with code expired after its lifetime: not the caller's fault; a revoked one is unknown."""
    token = ask(west, signed(claims(west, clock))).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    clock.forward(2.9)
    before = get(f"{west.base_url}/Patient", **headers)
    clock.forward(0.2)
    after = get(f"{west.base_url}/Patient", **headers)

    assert (before.status_code, after.status_code) == (200, 401)
    assert after.json()["issue"][0]["code"] == "expired"
    assert after.headers["www-authenticate"].startswith("Bearer")
    assert west.unexpected == []
    west.revoke_tokens()
    assert get(f"{west.base_url}/Patient", **headers).json()["issue"][0]["code"] == "login"


def test_a_scope_is_kept(west: Rehearsal, clock: Clock) -> None:
    """A type outside the granted scope is forbidden; a request without any known scope gets no token."""
    token = ask(west, signed(claims(west, clock)), "system/Patient.rs launch").json()
    headers = {"Authorization": f"Bearer {token['access_token']}"}

    assert token["scope"] == "system/Patient.rs"
    assert get(f"{west.base_url}/Patient", **headers).status_code == 200
    assert get(f"{west.base_url}/Observation", **headers).status_code == 403
    answer = ask(west, signed(claims(west, clock, jti="j2")), "openid")
    assert answer.json() == {"error": "invalid_scope"}


def test_the_door_is_described(west: Rehearsal) -> None:
    """Both descriptions are open to everybody and name the token endpoint."""
    smart = get(f"{west.base_url}/.well-known/smart-configuration").json()
    security = get(f"{west.base_url}/metadata").json()["rest"][0]["security"]

    assert smart["token_endpoint"] == west.token_url
    assert smart["token_endpoint_auth_methods_supported"] == ["private_key_jwt"]
    assert smart["token_endpoint_auth_signing_alg_values_supported"] == ["ES384", "RS384"]
    assert west.token_url in str(security)


@pytest.mark.parametrize("how", ["header", "form"])
def test_a_client_secret_gets_a_token(tmp_path: Path, how: str) -> None:
    """In the header or in the form; a wrong one does not."""
    folder = hospital(tmp_path / "south", [patient()])
    with serve(folder, fhir_version="STU3", auth=ClientSecret("adapter", "s3cret")) as running:

        def token(secret: str) -> httpx.Response:
            form = {"grant_type": "client_credentials", "scope": "system/*.read"}
            if how == "header":
                return httpx.post(running.token_url, data=form, auth=("adapter", secret))
            return httpx.post(running.token_url, data={**form, "client_id": "adapter", "client_secret": secret})

        good, bad = token("s3cret"), token("wrong")
        headers = {"Authorization": f"Bearer {good.json()['access_token']}"}
        assert get(f"{running.base_url}/Patient", **headers).status_code == 200

    assert (bad.status_code, bad.json()["error"]) == (401, "invalid_client")


def test_fixed_credentials(tmp_path: Path) -> None:
    """Basic and bearer: the right one opens, a wrong one and none do not."""
    folder = hospital(tmp_path / "east", [patient()])
    with serve(folder, auth=Basic("us", "s3cret")) as running:
        statuses = [httpx.get(f"{running.base_url}/Patient", auth=("us", word)).status_code for word in ("s3cret", "x")]
    with serve(folder, auth=Bearer("s3cret")) as running:
        words = ("Bearer s3cret", "Bearer x", "Basic dXM6eA==")
        statuses += [get(f"{running.base_url}/Patient", Authorization=word).status_code for word in words]
        assert get(f"{running.base_url}/.well-known/smart-configuration").status_code == 404

    assert statuses == [200, 401, 200, 401, 401]


def test_no_credentials_fail_a_strict_block(tmp_path: Path) -> None:
    """Whoever forgets its token is told at once."""

    def forget() -> None:
        with serve(hospital(tmp_path / "east", [patient()]), auth=Bearer("s3cret"), strict=True) as running:
            assert get(f"{running.base_url}/Patient").status_code == 401

    with pytest.raises(UnexpectedRequests, match="no credentials"):
        forget()


def test_secrets_are_not_shown() -> None:
    """Not in the repr of what holds them."""
    shown = repr([Basic("us", "s3cret"), Bearer("s3cret"), ClientSecret("us", "s3cret"), SmartBackend("us", KEYS)])

    assert "s3cret" not in shown
    assert str(KEYS["keys"][0]["x"]) not in shown
