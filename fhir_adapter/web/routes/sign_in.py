"""Coming and going."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
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


def _form(request: Request, message: str, status: int = 200) -> Response:
    before = request.cookies.get(BEFORE) or new_token()
    answer = page(request, "sign_in.html", status, before=before, message=message)
    _set(answer, BEFORE, before)
    return answer


@router.post("/sign-in")
def sign_in(request: Request, name: Annotated[str, Form(max_length=200)],
            password: Annotated[str, Form(max_length=1000)]) -> Response:
    """Begins a session, under a new id."""
    work = request.app.state.work
    address = request.client.host if request.client else ""
    if not request.app.state.presence.may_try(address, work.clock()):
        raise HTTPException(429, "Too many attempts to sign in from here. Wait five minutes.")
    try:
        secret = desk.sign_in(work, name, password)
    except Forbidden as error:
        return _form(request, str(error), 403)
    answer = back("/queue")
    _set(answer, COOKIE, secret)
    answer.delete_cookie(BEFORE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


@router.post("/sign-out")
def sign_out(request: Request, visiting: Visiting) -> Response:
    """Ends the session, here and in the database."""
    desk.sign_out(request.app.state.work, visiting)
    answer = back("/sign-in")
    answer.delete_cookie(COOKIE, path="/", secure=True, httponly=True, samesite="lax")
    return answer


def _set(answer: Response, name: str, value: str) -> None:
    """A cookie that only this host, over TLS or loopback, and no script gets back."""
    answer.set_cookie(name, value, path="/", secure=True, httponly=True, samesite="lax")


@router.get("/help")
def explained(request: Request) -> Response:
    """Keys and words."""
    return page(request, "help.html")
