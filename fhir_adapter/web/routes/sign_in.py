"""Coming and going."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Query, Request
from fastapi.responses import RedirectResponse, Response

from fhir_adapter import desk
from fhir_adapter.core.errors import Forbidden
from fhir_adapter.web.guard import BEFORE, COOKIE, Visiting, new_token
from fhir_adapter.web.pages import back, page

router = APIRouter()


@router.get("/")
def home() -> RedirectResponse:
    """The queue is where a day begins."""
    return RedirectResponse("/queue", 303)


@router.get("/sign-in")
def form(request: Request) -> Response:
    """The form; its token is bound to a cookie, so that nobody is signed in as somebody else unawares."""
    return _form(request, "")


def _form(request: Request, message: str, status: int = 200, brought: Mapping[str, str] | None = None) -> Response:
    before = request.cookies.get(BEFORE) or new_token()
    provider = desk.settings(request.app.state.work).oidc is not None
    answer = page(request, "sign_in.html", status, before=before, message=message, provider=provider,
                  brought=brought or {})
    _set(answer, BEFORE, before)
    return answer


@router.post("/sign-in")
def sign_in(request: Request, name: Annotated[str, Form(max_length=200)],
            password: Annotated[str, Form(max_length=1000)]) -> Response:
    """Begins a session, under a new id."""
    work = request.app.state.work
    _refuse_many(request)
    try:
        secret = desk.sign_in(work, name, password)
    except Forbidden as error:
        return _form(request, str(error), 403)
    return _begun(secret)


def _refuse_many(request: Request) -> None:
    address = request.client.host if request.client else ""
    if not request.app.state.presence.may_try(address, request.app.state.work.clock()):
        raise HTTPException(429, "Too many attempts to sign in from here. Wait five minutes.")


def _begun(secret: str) -> Response:
    answer = back("/queue")
    _set(answer, COOKIE, secret)
    answer.delete_cookie(BEFORE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.post("/sign-in/oidc")
def elsewhere(request: Request) -> Response:
    """To the identity provider."""
    _refuse_many(request)
    try:
        return RedirectResponse(request.app.state.vouching.begin(request.cookies.get(BEFORE, "")), 303)
    except Forbidden as error:
        return _form(request, str(error), 403)


Brought = Annotated[str, Query(max_length=4000)]


@router.get("/sign-in/oidc/back")
def brought_back(request: Request, state: Brought = "", code: Brought = "", iss: Brought = "") -> Response:
    """From the identity provider: what it sent waits for one more press, since a look changes nothing."""
    if not state or not code:
        return _form(request, "The identity provider did not sign you in.", 403)
    return _form(request, "", brought={"state": state, "code": code, "iss": iss})


@router.post("/sign-in/oidc/finish")
def finish(request: Request, state: Annotated[str, Form(max_length=4000)], code: Annotated[str, Form(max_length=4000)],
           iss: Annotated[str, Form(max_length=4000)] = "") -> Response:
    """Begins a session for whom the identity provider vouches."""
    _refuse_many(request)
    try:
        return _begun(request.app.state.vouching.finish(request.cookies.get(BEFORE, ""), state, code, iss))
    except Forbidden as error:
        return _form(request, str(error), 403)


@router.post("/sign-out")
def sign_out(request: Request, visiting: Visiting) -> Response:
    """Ends the session: here, in the database and, for whoever came from there, at the identity provider."""
    desk.sign_out(request.app.state.work, visiting)
    leave = request.app.state.vouching.leave(visiting.account)
    answer = back("/sign-in") if leave is None else RedirectResponse(leave, 303)
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def _set(answer: Response, name: str, value: str) -> None:
    """A cookie that only this host, over TLS or loopback, and no script gets back."""
    answer.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")


@router.get("/help")
def explained(request: Request) -> Response:
    """Keys and words."""
    return page(request, "help.html")
