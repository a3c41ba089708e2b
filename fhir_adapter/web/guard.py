"""Who asks, and whether they may: before every route, by the table in `rights`.

A session is a random id in a `__Host-` cookie. A request that changes something must carry the session's token and,
where the browser says whence it comes, come from our own pages. The sign-in form, before any session, carries a token
that is bound to a cookie of its own.
"""

import hmac
import secrets
import threading
from collections import deque
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, HTTPException, Request

from fhir_adapter import desk
from fhir_adapter.core.desk import Account, Right
from fhir_adapter.desk import Visitor
from fhir_adapter.web.rights import API, DESCRIPTION, right_of

COOKIE = "__Host-desk"
BEFORE = "__Host-desk-before"
"""The cookie to which the sign-in form's token is bound."""

SAFE = frozenset({"GET", "HEAD"})
TOKEN = "token"  # noqa: S105 - the name of the form's field
HEADER = "x-desk-token"
ATTEMPTS, PER = 20, timedelta(minutes=5)
"""Sign-ins that one address may try in a span of time, whatever the names."""


class SignInFirst(Exception):
    """Nobody is signed in."""


class Presence:
    """When a session was last seen, and who tried to sign in, in this process: a look changes no database."""

    def __init__(self) -> None:
        self._seen: dict[str, datetime] = {}
        self._used: dict[str, datetime] = {}
        self._tries: dict[str, deque[datetime]] = {}
        self._lock = threading.Lock()

    def idle(self, mark: str, now: datetime, longest: timedelta) -> bool:
        """Whether a session has been silent for too long; otherwise it is seen now."""
        with self._lock:
            before = self._seen.get(mark)
            if before is not None and now - before > longest:
                return True
            self._seen[mark] = now
            return False

    def used(self, mark: str, now: datetime) -> None:
        """A program has shown its token."""
        with self._lock:
            self._used[mark] = now

    def last_used(self) -> dict[str, datetime]:
        """When tokens were last shown to this process, by their hash."""
        with self._lock:
            return dict(self._used)

    def may_try(self, address: str, now: datetime) -> bool:
        """Whether an address may try to sign in once more."""
        with self._lock:
            tries = self._tries.setdefault(address, deque())
            while tries and now - tries[0] > PER:
                tries.popleft()
            tries.append(now)
            return len(tries) <= ATTEMPTS


async def guard(request: Request) -> None:
    """Refuses whoever may not; leaves the visitor at `request.state.visitor`.

    Raises SignInFirst without a session; 403 without the right, the token, or from another site.
    """
    work, presence = request.app.state.work, request.app.state.presence
    path = request.scope["route"].path
    right = right_of(request.method, path)
    if path.startswith(API) and not (path == DESCRIPTION and COOKIE in request.cookies):
        request.state.visitor = None if right is Right.ANYONE else _program(request, right)
        return
    found = desk.visitor(work, request.cookies.get(COOKIE, ""))
    if found is not None and presence.idle(found.mark, work.clock(), desk.settings(work).idle):
        found = None
    request.state.visitor = found
    if request.method not in SAFE:
        await _refuse_forged(request, found)
    if right is Right.ANYONE:
        return
    if found is None:
        raise SignInFirst
    if not found.account.may(right):
        raise HTTPException(403, f"Your role, {found.account.role.value}, does not allow this.")


def _program(request: Request, right: Right) -> Visitor:
    """Which program shows a token. No cookie counts here, so that no page of another site can ask in our name."""
    work = request.app.state.work
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    found = desk.program(work, token.strip()) if scheme.lower() == "bearer" else None
    if found is None:
        address = request.client.host if request.client else ""
        if scheme and not request.app.state.presence.may_try(f"token {address}", work.clock()):
            raise HTTPException(429, "Too many wrong tokens from here. Wait five minutes.")
        raise HTTPException(401, "Show a token: `Authorization: Bearer ...`.", {"www-authenticate": "Bearer"})
    if not found.account.may(right):
        raise HTTPException(403, f"Your role, {found.account.role.value}, does not allow this.")
    request.app.state.presence.used(found.mark, work.clock())
    return found


async def _refuse_forged(request: Request, found: Visitor | None) -> None:
    """A change comes from our own page, and carries what only our page knows; a text with NUL comes from no page."""
    whence = request.headers.get("sec-fetch-site")
    origin = request.headers.get("origin")
    ours = f"{request.url.scheme}://{request.headers.get('host', '')}"
    if (whence is not None and whence not in ("same-origin", "none")) or (origin not in (None, "null", ours)):
        raise HTTPException(403, "That form does not come from this desk.")
    expected = found.token if found is not None else request.cookies.get(BEFORE, "")
    form = await request.form()
    given = request.headers.get(HEADER) or str(form.get(TOKEN, ""))
    if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
        raise HTTPException(403, "The page has grown old, or the form is not ours: load it again.")
    if any("\x00" in value for value in form.values() if isinstance(value, str)):  # PostgreSQL keeps none
        raise HTTPException(400, "A field holds a NUL, which no keyboard writes: type it again.")


def new_token() -> str:
    """A token for the sign-in form."""
    return secrets.token_urlsafe(24)


def _visitor(request: Request) -> Visitor:
    found: Visitor | None = request.state.visitor
    if found is None:
        raise SignInFirst
    return found


def _viewer(request: Request) -> Account:
    return _visitor(request).account


Visiting = Annotated[Visitor, Depends(_visitor)]
Viewing = Annotated[Account, Depends(_viewer)]
