"""Signing in by an identity provider: a sign-in is begun, brought back once by the same browser, and ends in a session.

The person is known by issuer and subject, never by a name or an address. Roles come from a claim, and accounts are
made, only where the settings say so.
"""

import hashlib
import hmac
import threading
from datetime import datetime, timedelta
from typing import Any

import msgspec

from fhir_adapter.core.desk import Account, Role
from fhir_adapter.core.errors import Forbidden, UsageError
from fhir_adapter.core.study import Oidc
from fhir_adapter.steps import accounts
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.wire.provider import Asked, Provider, Vouched
from fhir_adapter.wire.secret import resolve

BACK = "/sign-in/oidc/back"
"""Where the provider sends browsers back to: what is registered there is `[review.oidc] desk` and this."""
LASTS = timedelta(minutes=10)
AT_ONCE = 1_000
"""Sign-ins that wait at most; the oldest gives way."""


class Begun(msgspec.Struct, frozen=True):
    """A sign-in that waits for its browser: which one it is (a hash of its cookie), and until when."""

    asked: Asked
    bound: str
    until: datetime


class Vouching:
    """The provider of a study, and who is signing in by it in this process."""

    def __init__(self, work: Workspace) -> None:
        self._work = work
        self._begun: dict[str, Begun] = {}
        self._lock = threading.Lock()
        self._provider: Provider | None = None

    @property
    def settings(self) -> Oidc:
        """How it is configured. Raises UsageError where it is not."""
        found = self._work.study.settings.review.oidc
        if found is None:
            raise UsageError("There is no such way to sign in here: [review.oidc] is not configured.")
        return found

    def provider(self) -> Provider:
        """The provider; its secret is read when it is first asked."""
        if self._provider is None:
            reference = self.settings.client_secret
            secret = resolve(reference, "review.oidc.client_secret", self._work.folder) if reference else None
            self._provider = Provider(self.settings, secret)
        return self._provider

    def begin(self, browser: str) -> str:
        """Where to send a browser, known by its cookie."""
        asked = self.provider().begin(self.settings.desk.rstrip("/") + BACK)
        now = self._work.clock()
        with self._lock:
            self._begun = {state: one for state, one in self._begun.items() if one.until > now}
            while len(self._begun) >= AT_ONCE:
                self._begun.pop(next(iter(self._begun)))
            self._begun[asked.state] = Begun(asked, _mark(browser), now + LASTS)
        return asked.address

    def finish(self, browser: str, state: str, code: str, issuer: str) -> str:
        """A session for whom the provider vouches; its id. Each state works once, for its own browser alone.

        Raises Forbidden: the state is unknown, used, old or another browser's; the answer names another issuer
        (RFC 9207) or proves nothing; nobody is known by that subject.
        """
        with self._lock:
            begun = self._begun.pop(state, None)
        now = self._work.clock()
        if begun is None or begun.until <= now or not hmac.compare_digest(begun.bound, _mark(browser)):
            raise Forbidden("This sign-in was not begun here, or is over. Begin again at the sign-in page.")
        if issuer and issuer != self.settings.issuer:
            raise Forbidden("The answer comes from another identity provider. Begin again at the sign-in page.")
        vouched = self.provider().finish(begun.asked, code, self.settings.desk.rstrip("/") + BACK, now)
        return accounts.begin(self._work, self._account(vouched))

    def leave(self, account: Account) -> str | None:
        """Where somebody who came by the provider ends their session there."""
        if account.external is None or self._work.study.settings.review.oidc is None:
            return None
        try:
            return self.provider().leave(self.settings.desk.rstrip("/") + "/sign-in")
        except Forbidden:  # signed out here in any case
            return None

    def _account(self, vouched: Vouched) -> Account:
        known = self._work.vault.account_of(external=vouched.external)
        role = self._role(vouched.claims)
        if known is None:
            if not self.settings.provision or role is None:
                raise Forbidden("You are known at the identity provider, and have no account here: ask an "
                                "administrator to add one with your subject there.")
            return self._made(vouched, role)
        if not known.account.active:
            raise Forbidden("Your account here is closed.")
        if role is not None and role is not known.account.role:
            accounts.change(self._work, known.account.name, {"role": role.value}, known.account.name)
            return msgspec.structs.replace(known.account, role=role)
        return known.account

    def _role(self, claims: dict[str, Any]) -> Role | None:
        """The role by the configured claim, the first of the settings' that it names; None where none is configured."""
        if not self.settings.role_claim:
            return None
        said = claims.get(self.settings.role_claim)
        values = {said} if isinstance(said, str) else {one for one in said or () if isinstance(one, str)} \
            if isinstance(said, list) else set()
        found = next((role for value, role in self.settings.roles.items() if value in values), None)
        if found is None:
            raise Forbidden("The identity provider names no role for you that this desk knows.")
        return found

    def _made(self, vouched: Vouched, role: Role) -> Account:
        name = "oidc-" + hashlib.sha256(vouched.external.encode()).hexdigest()[:12]
        said = vouched.claims.get("name")
        printed = said.strip()[:200] if isinstance(said, str) and said.strip() else name
        account = Account(name=name, printed=printed, role=role, external=vouched.external)
        accounts.add(self._work, account, None)
        return account


def _mark(browser: str) -> str:
    return hashlib.sha256(browser.encode("utf-8", "replace")).hexdigest()
