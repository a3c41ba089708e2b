"""Accounts, roles, sessions."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from fhir_adapter import desk
from fhir_adapter.core.desk import BY_TOKEN, Account, Role
from fhir_adapter.core.errors import Forbidden
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import back, page

router = APIRouter()

Short = Annotated[str, Form(max_length=200)]


@router.get("/administration")
def administration(request: Request) -> Response:
    """Who may sign in, and who is signed in."""
    return _shown(request)


def _shown(request: Request, made: str = "") -> Response:
    """The page; `made`: a new token, which is shown this once."""
    work = request.app.state.work
    numbers, used = desk.token_numbers(work), request.app.state.presence.last_used()
    return page(request, "administration.html", users=desk.users(work), sessions=desk.sessions(work), roles=list(Role),
                hospitals=sorted(work.study.hospitals), tokens=desk.tokens(work), made=made,
                now=work.clock().isoformat()[:19],
                used={numbers[mark]: at.isoformat() for mark, at in used.items() if mark in numbers},
                by_token=BY_TOKEN)


class NewUser(BaseModel):
    """The form of a new account."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@-]{1,80}$")]
    printed: Annotated[str, Field(max_length=200)]
    role: Role
    password: Annotated[str, Field(max_length=1000)]
    hospitals: list[str] = []
    raw: str = ""


class Change(BaseModel):
    """The form of a change; what is empty stays."""

    model_config = ConfigDict(hide_input_in_errors=True)

    role: Role | Literal[""] = ""
    password: Annotated[str, Field(max_length=1000)] = ""
    state: Literal["", "active", "disabled"] = ""
    raw: Literal["", "yes", "no"] = ""

    @property
    def changes(self) -> dict[str, Any]:
        """What is to be changed, by column."""
        said: dict[str, Any] = {"role": str(self.role), "password": self.password, "state": self.state}
        changes = {name: value for name, value in said.items() if value}
        return changes | ({"sees_raw": int(self.raw == "yes")} if self.raw else {})


@router.post("/administration/users")
def add(request: Request, form: Annotated[NewUser, Form()]) -> Response:
    """A new account."""
    desk.add_user(request.app.state.work, Account(
        name=form.name, printed=form.printed.strip() or form.name, role=form.role, hospitals=tuple(form.hospitals),
        sees_raw=bool(form.raw)), form.password)
    return back("/administration", "changed")


@router.post("/administration/users/{name}")
def change(request: Request, name: str, viewer: Viewing, form: Annotated[Change, Form()]) -> Response:
    """Role, right to raw source, password, closed or open again; nobody closes or demotes their own account."""
    changes = form.changes
    if name == viewer.name and {"role", "state"} & set(changes):
        raise Forbidden("Another administrator changes your own role, or closes your account.")
    if changes:
        desk.change_user(request.app.state.work, name, changes, by=viewer.name)
    return back("/administration", "changed")


@router.post("/administration/sessions")
def end(request: Request, viewer: Viewing, account: Short, mark: Short = "") -> Response:
    """Ends a session."""
    desk.end_session(request.app.state.work, viewer, account, mark)
    return back("/administration", "ended")


class NewToken(BaseModel):
    """The form of a program's token."""

    model_config = ConfigDict(hide_input_in_errors=True)

    account: Annotated[str, Field(max_length=80)]
    role: Role
    days: Annotated[int, Field(ge=1, le=366)]


@router.post("/administration/tokens")
def issue(request: Request, viewer: Viewing, form: Annotated[NewToken, Form()]) -> Response:
    """A token for a service account: in the answer to this request, and nowhere else."""
    return _shown(request, desk.add_token(request.app.state.work, form.account, form.role, form.days, viewer.name)[1])


@router.post("/administration/tokens/{number}")
def revoke(request: Request, number: Annotated[int, Path(ge=1, le=2_000_000_000)], viewer: Viewing) -> Response:
    """Ends a token now."""
    desk.revoke_token(request.app.state.work, number, viewer.name)
    return back("/administration", "revoked")
