"""Accounts of the review desk: adding them, signing in, sessions.

Passwords are kept as argon2 hashes; five wrong ones in a row lock an account for a quarter of an hour, and an unknown
name costs as much time as a known one. A session is known by the hash of its id, so that reading the database does not
let anybody in.
"""

import hashlib
import secrets
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from fhir_adapter.core.desk import BY_TOKEN, OWN_HOSPITALS, Account, Role
from fhir_adapter.core.errors import Forbidden, UsageError
from fhir_adapter.steps.workspace import Workspace, system_user
from fhir_adapter.store.accounts import Session
from fhir_adapter.store.instants import as_json, stamp
from fhir_adapter.store.records import Signature

if TYPE_CHECKING:
    from pwdlib import PasswordHash

GUESSES = 5
LOCKED = timedelta(minutes=15)
LONGEST_TOKEN = 366
"""Days that a program's token lasts at most."""
TOKEN_BEGINS = "fhad_"  # noqa: S105 - what every token begins with, so that a leaked one is recognised
SHORTEST = 12
"""Characters of a password (NIST SP 800-63B asks for length, not for kinds of signs)."""


@cache
def _hasher() -> "PasswordHash":
    from pwdlib import PasswordHash

    return PasswordHash.recommended()


@cache
def _nobody() -> str:
    return _hasher().hash(secrets.token_hex(16))


def hash_password(password: str) -> str:
    """The argon2 hash of a password. Raises UsageError when it is too short."""
    if len(password) < SHORTEST:
        raise UsageError(f"A password has at least {SHORTEST} characters.")
    return _hasher().hash(password)


def add(work: Workspace, account: Account, password: str | None) -> None:
    """A new account; without a password only an identity provider can vouch for it.

    Raises UsageError for an unknown hospital, hospital staff without one, or a name that is taken.
    """
    _check_hospitals(work, account.role, account.hospitals)
    if password is None and account.external is None and account.role is not Role.SERVICE:
        raise UsageError("An account needs a password, or a subject at the identity provider.")
    if account.external is not None and "|" not in account.external:
        oidc = work.study.settings.review.oidc
        if oidc is None:
            raise UsageError("A subject at an identity provider needs [review.oidc] in sync/settings.toml.")
        account = msgspec.structs.replace(account, external=f"{oidc.issuer}|{account.external}")
    secret = None if password is None else hash_password(password)
    work.vault.add_account(account, secret, by_system(work))


def change(work: Workspace, name: str, changes: dict[str, Any], by: str = "") -> None:
    """Changes an account; its sessions end. Raises UsageError where it does not exist or would fit no longer."""
    known = work.vault.account_of(name)
    if known is None:
        raise UsageError(f"There is no account {name}; `fhir-adapter users list` shows all.")
    values = dict(changes)
    if "password" in values:
        values |= {"secret": hash_password(values.pop("password")), "failures": 0, "locked_until": None}
    role = Role(values.get("role", known.account.role))
    hospitals = tuple(values.get("hospitals", known.account.hospitals))
    _check_hospitals(work, role, hospitals)
    for column in ("hospitals", "reads_as"):
        if column in values:
            values[column] = as_json(list(values[column]))
    work.vault.change_account(name, values, by_account(work, by) if by else by_system(work))


def _check_hospitals(work: Workspace, role: Role, hospitals: tuple[str, ...]) -> None:
    unknown = [one for one in hospitals if one not in work.study.hospitals]
    if unknown:
        raise UsageError(f"{', '.join(unknown)}: no such hospital; the study has "
                         f"{', '.join(sorted(work.study.hospitals))}.")
    if role in OWN_HOSPITALS and not hospitals:
        raise UsageError(f"A {role.value} belongs to a hospital; name it.")


def check_password(work: Workspace, name: str, password: str) -> Account:
    """The account of that name and password. Raises Forbidden, in the same words whatever is wrong."""
    known = work.vault.account_of(name)
    now = work.clock()
    locked = known is not None and known.locked_until is not None and known.locked_until > now
    secret = known.secret if known is not None and known.secret is not None and not locked else _nobody()
    right = _hasher().verify(password, secret) and secret != _nobody()
    if known is None or not right or not known.account.active:
        if known is not None and not locked:
            failures = known.failures + 1
            until = now + LOCKED if failures % GUESSES == 0 else None
            work.vault.guessed(name, failures, until, by_account(work, name))
        raise Forbidden("That name and password do not sign in. After five wrong ones an account waits a quarter "
                        "of an hour.")
    return known.account


def begin(work: Workspace, account: Account) -> str:
    """Begins a session; its id, which is kept nowhere but in the browser."""
    now = work.clock()
    secret = secrets.token_urlsafe(32)
    work.vault.begin_session(
        Session(mark=mark_of(secret), account=account.name, token=secrets.token_urlsafe(24), began_at=stamp(now),
                ends_at=stamp(now + work.study.settings.review.longest)), by_account(work, account.name))
    return secret


def issue(work: Workspace, name: str, role: Role, days: int, by: str = "") -> tuple[int, str]:
    """A token for a service account: its number, and itself, which is shown once and kept nowhere.

    Raises UsageError for an account that is no program's, a role that no program has, or a span without end.
    """
    known = work.vault.account_of(name)
    if known is None or known.account.role is not Role.SERVICE:
        raise UsageError(f"{name} is no service account; make one with `fhir-adapter users add NAME --role service`.")
    if role not in BY_TOKEN:
        raise UsageError(f"A token is one of {', '.join(one.value for one in BY_TOKEN)}.")
    if not 1 <= days <= LONGEST_TOKEN:
        raise UsageError(f"A token lasts 1 to {LONGEST_TOKEN} days.")
    token = TOKEN_BEGINS + secrets.token_urlsafe(32)
    ends = work.clock() + timedelta(days=days)
    signed = by_account(work, by) if by else by_system(work)
    return work.vault.add_bearer(mark_of(token), name, role, ends, signed), token


def mark_of(secret: str) -> str:
    """As what a session's id is kept."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def by_account(work: Workspace, name: str) -> Signature:
    """What an account does, signed."""
    return Signature(by=name, system_user=system_user(), at=work.clock())


def by_system(work: Workspace) -> Signature:
    """What whoever may run commands on this machine does, signed by their name there."""
    return Signature(by=system_user(), system_user=system_user(), at=work.clock())
