"""Accounts, roles, sessions."""

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fhir_adapter import desk
from fhir_adapter.core.desk import Account, Role
from fhir_adapter.core.errors import Forbidden
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import back, page

router = APIRouter()

Short = Annotated[str, Form(max_length=200)]


@router.get("/administration")
def administration(request: Request) -> Response:
    """Who may sign in, and who is signed in."""
    work = request.app.state.work
    return page(request, "administration.html", users=desk.users(work), sessions=desk.sessions(work), roles=list(Role),
                hospitals=sorted(work.study.hospitals))


@router.post("/administration/users")
def add(request: Request, name: Annotated[str, Form(pattern=r"^[A-Za-z0-9._@-]{1,80}$")], printed: Short, role: Role,
        password: Annotated[str, Form(max_length=1000)], hospitals: Annotated[list[str] | None, Form()] = None,
        raw: Annotated[str, Form()] = "") -> Response:
    """A new account."""
    desk.add_user(request.app.state.work, Account(
        name=name, printed=printed.strip() or name, role=role, hospitals=tuple(hospitals or ()), sees_raw=bool(raw)),
        password)
    return back("/administration", "changed")


@router.post("/administration/users/{name}")
def change(request: Request, name: str, viewer: Viewing, role: Annotated[str, Form()] = "",
           password: Annotated[str, Form(max_length=1000)] = "", state: Annotated[str, Form()] = "",
           raw: Annotated[str, Form()] = "") -> Response:
    """Role, right to raw source, password, closed or open again; nobody closes or demotes their own account."""
    changes: dict[str, Any] = {}
    if role:
        changes["role"] = Role(role).value if role in list(Role) else viewer.role.value
    if password:
        changes["password"] = password
    if state in ("active", "disabled"):
        changes["state"] = state
    if raw in ("yes", "no"):
        changes["sees_raw"] = int(raw == "yes")
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
