"""Signing in by an identity provider, over real HTTP with real signatures; and providers and browsers that lie."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc import jws, jwt
from joserfc.jwk import OctKey
from pydantic import ValidationError

from fhir_adapter import desk as story
from fhir_adapter.core.desk import Account, Role
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Oidc, Review
from tests.web.conftest import PASSWORD, Browser, Desk, served
from tests.web.provider import CLIENT, SECRET, Provider, provider
from tests.web.small import Small


class World:
    """A desk whose people come by a provider."""

    def __init__(self, desk: Desk, op: Provider) -> None:
        self.desk, self.op = desk, op

    def configure(self, **changes: Any) -> None:
        """Sets [review.oidc]."""
        found = Oidc(issuer=self.op.base, client_id=CLIENT, client_secret="env:TEST_CLIENT_SECRET",
                     desk=self.desk.base, **changes)
        object.__setattr__(self.desk.work.study.settings, "review", Review(oidc=found))

    def begin(self, browser: Browser) -> httpx.Response:
        """Presses the button of the sign-in page."""
        browser.get("/sign-in")
        return browser.post("/sign-in/oidc")

    def brought(self, browser: Browser) -> dict[str, str]:
        """What the page holds that the provider sent the browser back to."""
        address = self.begin(browser).headers["location"]
        back = httpx.get(address).headers["location"]
        assert back.startswith(self.desk.base + "/sign-in/oidc/back?")
        page = browser.get(back.removeprefix(self.desk.base)).text
        return {name: unescape(value) for name, value in
                re.findall(r'name="(state|code|iss)" value="([^"]*)"', page)}

    def sign_in(self, browser: Browser) -> httpx.Response:
        """All of it."""
        return browser.post("/sign-in/oidc/finish", self.brought(browser))


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A small study's desk, and a provider that knows the reviewer `ext`."""
    monkeypatch.setenv("TEST_CLIENT_SECRET", SECRET)
    with ExitStack() as stack:
        op = stack.enter_context(provider())
        work = stack.enter_context(Small("sqlite", "", tmp_path / "study", stack).copy())
        object.__setattr__(work.study.settings, "review",
                           Review(oidc=Oidc(issuer=op.base, client_id=CLIENT, desk="http://127.0.0.1:1")))
        found = World(stack.enter_context(served(work)), op)
        found.configure()
        story.add_user(work, Account(name="ext", printed="Eva External", role=Role.REVIEWER, external=op.subject), None)
        yield found


def test_a_person_is_vouched_for(world: World) -> None:
    """Code, PKCE, state and nonce; the account is the one of issuer and subject; signing out ends both sessions."""
    browser = Browser(world.desk)
    first = browser.cookies.get("__Host-desk")
    begun = world.begin(browser)
    asked = parse_qs(urlsplit(begun.headers["location"]).query)
    assert begun.status_code == 303
    assert {"code_challenge", "state", "nonce"} <= set(asked)
    assert (asked["code_challenge_method"], asked["scope"]) == (["S256"], ["openid profile"])
    policy = browser.get("/sign-in").headers["content-security-policy"]
    assert f"form-action 'self' {world.op.base};" in policy
    assert "unsafe" not in policy

    answer = world.sign_in(browser)
    assert (answer.status_code, answer.headers["location"]) == (303, "/queue")
    assert browser.cookies["__Host-desk"] != first
    assert "ext" in browser.get("/queue").text
    assert world.desk.work.vault.audit_entries()[-1].actor == "ext"
    left = browser.post("/sign-out")
    assert left.headers["location"].startswith(f"{world.op.base}/end?client_id={CLIENT}")
    assert browser.get("/queue").status_code == 303


def _none(claims: dict[str, Any]) -> str:
    import base64
    import json

    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=").decode()
             for one in ({"alg": "none", "kid": "1"}, claims)]
    return ".".join([*parts, ""])


LIES: dict[str, Callable[[Provider], None]] = {
    "nonce": lambda op: setattr(op, "claimed", lambda claims: {**claims, "nonce": "another"}),
    "no nonce": lambda op: setattr(op, "claimed", lambda claims: {
        name: one for name, one in claims.items() if name != "nonce"}),
    "issuer": lambda op: setattr(op, "claimed", lambda claims: {**claims, "iss": "https://evil.example"}),
    "audience": lambda op: setattr(op, "claimed", lambda claims: {**claims, "aud": "another-client"}),
    "audience of several": lambda op: setattr(op, "claimed", lambda claims: {**claims, "aud": [CLIENT, "another"]}),
    "authorized party": lambda op: setattr(op, "claimed", lambda claims: {**claims, "azp": "another-client"}),
    "expired": lambda op: setattr(op, "claimed", lambda claims: {
        **claims, "exp": claims["exp"] - 3600, "iat": claims["iat"] - 3600}),
    "no expiry": lambda op: setattr(op, "claimed", lambda claims: {
        name: one for name, one in claims.items() if name != "exp"}),
    "no subject": lambda op: setattr(op, "claimed", lambda claims: {
        name: one for name, one in claims.items() if name != "sub"}),
    "alg none": lambda op: setattr(op, "signed", _none),
    "a stranger's key": lambda op: setattr(op, "signed", lambda claims: jwt.encode(
        {"alg": "RS256", "kid": "1"}, claims, op.stranger)),
    "the public key as a secret": lambda op: setattr(op, "signed", lambda claims: jwt.encode(
        {"alg": "HS256", "kid": "1"}, claims, OctKey.import_key(op.key.as_pem(private=False)))),
    "an algorithm that is not named": lambda op: setattr(op, "signed", lambda claims: jwt.encode(
        {"alg": "PS256", "kid": "1"}, claims, op.key, algorithms=["PS256"])),
    "no token at all": lambda op: setattr(op, "signed", lambda claims: ""),
    "no JSON in it": lambda op: setattr(op, "signed", lambda claims: jws.serialize_compact(
        {"alg": "RS256", "kid": "1"}, b"[1]", op.key)),
    "another subject": lambda op: setattr(op, "subject", "999"),
}


@pytest.mark.parametrize("lie", sorted(LIES))
def test_a_token_that_proves_nothing_lets_nobody_in(world: World, lie: str) -> None:
    """403 in words, without what the token said; no session, no account."""
    LIES[lie](world.op)
    people = world.desk.work.vault.accounts()
    browser = Browser(world.desk)
    answer = world.sign_in(browser)

    assert answer.status_code == 403
    assert "__Host-desk" not in browser.cookies
    assert "evil.example" not in answer.text
    assert world.desk.work.vault.sessions() == []
    assert world.desk.work.vault.accounts() == people


def test_a_state_works_once_and_for_its_own_browser(world: World) -> None:
    """Neither again, nor from another browser (a sign-in as somebody else), nor made up, nor of another issuer."""
    first, second = Browser(world.desk), Browser(world.desk)
    brought = world.brought(first)
    second.get("/sign-in")
    assert second.post("/sign-in/oidc/finish", brought).status_code == 403
    assert first.post("/sign-in/oidc/finish", brought).status_code == 403  # used up by the other
    brought = world.brought(first)
    assert first.post("/sign-in/oidc/finish", {**brought, "iss": "https://evil.example"}).status_code == 403
    brought = world.brought(first)
    assert first.post("/sign-in/oidc/finish", {**brought, "state": "made-up"}).status_code == 403
    assert first.post("/sign-in/oidc/finish", {**brought, "code": "made-up"}).status_code == 403
    assert world.desk.work.vault.sessions() == []

    assert world.sign_in(first).status_code == 303
    again = Browser(world.desk)
    again.get("/sign-in")
    assert again.post("/sign-in/oidc/finish", brought).status_code == 403


def test_being_brought_back_changes_nothing_and_leads_nowhere_else(world: World) -> None:
    """The GET writes nothing; no address in it is followed; an error of the provider is words, not markup."""
    entries = len(world.desk.work.vault.audit_entries())
    browser = Browser(world.desk)
    page = browser.get("/sign-in/oidc/back?state=a&code=b&next=https://evil.example&redirect_uri=//evil.example")
    assert "evil.example" not in page.text
    answer = browser.post("/sign-in/oidc/finish?next=https://evil.example", world.brought(browser) | {
        "next": "https://evil.example"})
    assert answer.headers["location"] == "/queue"
    refused = Browser(world.desk).get("/sign-in/oidc/back?error=access_denied&error_description=<script>x</script>")
    assert refused.status_code == 403
    assert "<script>x" not in refused.text
    assert len(world.desk.work.vault.audit_entries()) == entries + 1  # the one sign-in


@pytest.mark.parametrize(("name", "address"), [
    ("token_endpoint", "https://evil.example/token"), ("jwks_uri", "http://127.0.0.1:1/keys"),
    ("authorization_endpoint", "https://evil.example/authorize"), ("issuer", "https://evil.example"),
    ("authorization_endpoint", "javascript:alert(1)"),
])
def test_addresses_off_the_issuers_origin_are_not_used(world: World, name: str, address: str) -> None:
    """Whatever discovery says: neither a browser nor the client's secret goes to another origin."""
    world.op.described[name] = address
    browser = Browser(world.desk)
    begun = world.begin(browser)
    if begun.status_code == 303:
        back = httpx.get(begun.headers["location"]).headers["location"]
        brought = {key: values[0] for key, values in parse_qs(urlsplit(back).query).items()}
        begun = browser.post("/sign-in/oidc/finish", brought)

    assert begun.status_code == 403
    assert world.desk.work.vault.sessions() == []


def test_roles_and_accounts_come_from_claims_only_where_configured(world: World) -> None:
    """By default a claim means nothing and nobody new gets in; configured, the first role that fits counts."""
    world.op.more = {"groups": ["desk-viewers", "others"], "name": "Nora New"}
    assert world.sign_in(Browser(world.desk)).status_code == 303
    assert _roles(world)["ext"] is Role.REVIEWER
    roles = {"desk-auditors": Role.AUDITOR, "desk-viewers": Role.VIEWER}
    world.configure(role_claim="groups", roles=roles)
    assert world.sign_in(Browser(world.desk)).status_code == 303
    assert _roles(world)["ext"] is Role.VIEWER
    world.op.subject = "new"
    assert world.sign_in(Browser(world.desk)).status_code == 403
    world.configure(role_claim="groups", roles=roles, provision=True)
    assert world.sign_in(Browser(world.desk)).status_code == 303
    assert [one.role for one in story.users(world.desk.work) if one.printed == "Nora New"] == [Role.VIEWER]
    world.op.more = {"groups": ["others"]}
    assert world.sign_in(Browser(world.desk)).status_code == 403
    story.change_user(world.desk.work, "ext", {"state": "disabled"})
    world.op.subject, world.op.more = "248289761001", {"groups": ["desk-viewers"]}
    assert world.sign_in(Browser(world.desk)).status_code == 403


def _roles(world: World) -> dict[str, Role]:
    return {one.name: one.role for one in story.users(world.desk.work)}


def test_what_is_not_configured_is_not_there(world: World) -> None:
    """Without [review.oidc]: 404, no button, no account by subject; half a configuration is refused at once."""
    object.__setattr__(world.desk.work.study.settings, "review", Review())
    browser = Browser(world.desk)
    assert "organisation" not in browser.get("/sign-in").text
    assert browser.post("/sign-in/oidc").status_code == 404
    assert browser.sign_in("dm", PASSWORD).status_code == 303
    with pytest.raises(UsageError, match=r"review\.oidc"):
        story.add_user(world.desk.work, Account(name="x", printed="x", role=Role.VIEWER, external="1"), None)
    right = {"issuer": "https://op.example", "client_id": "c", "desk": "https://desk.example"}
    assert Oidc.model_validate(right).algorithms == ("RS256",)
    for wrong in ({"provision": True}, {"role_claim": "groups"}, {"scopes": ("profile",)}, {"algorithms": ("none",)}):
        with pytest.raises(ValidationError):
            Oidc.model_validate({**right, **wrong})
