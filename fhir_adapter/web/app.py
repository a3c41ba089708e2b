"""The application: routes, guard, shield, and what an error becomes on a page."""

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException as RoutingError

from fhir_adapter import __version__, desk
from fhir_adapter.core.errors import AdapterError, DatabaseError, Forbidden, LeaseHeld, Overtaken, UsageError
from fhir_adapter.flow import Workspace
from fhir_adapter.web import rights
from fhir_adapter.web.guard import Presence, SignInFirst, guard
from fhir_adapter.web.pages import failed
from fhir_adapter.web.routes import ALL
from fhir_adapter.web.shield import Shield

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

STATIC = Path(__file__).parent / "static"


def create_app(work: Workspace) -> FastAPI:
    """The desk over an opened study.

    Raises LookupError when a route stands in no row of the table of rights, or a row has no route.
    """
    @asynccontextmanager
    async def life(_: FastAPI) -> "AsyncIterator[None]":
        desk.catch_up(work)
        yield

    app = FastAPI(title="FHIR Adapter, review desk", version=__version__, docs_url=None, redoc_url=None,
                  openapi_url=None, dependencies=[Depends(guard)], lifespan=life)
    app.state.work, app.state.presence, app.state.vouching = work, Presence(), desk.vouching(work)
    for router in ALL:
        app.include_router(router)
    there = set(routes_of(app))
    if there != set(rights.ROUTES):
        raise LookupError(f"routes and rights differ: {sorted(there ^ set(rights.ROUTES))}")
    app.mount("/static", _Files(directory=STATIC), name="static")
    for kind in (SignInFirst, AdapterError, HTTPException, RoutingError, RequestValidationError, Exception):
        app.add_exception_handler(kind, _answered)
    asked = desk.settings(work)
    app.add_middleware(Shield, hosts=asked.hosts,
                       forms=(asked.oidc.issuer, *asked.oidc.origins) if asked.oidc is not None else ())
    return app


def routes_of(app: FastAPI) -> list[tuple[str, str]]:
    """(method, path) of every route."""
    found = []
    for router in ALL:
        found += list(rights.served(router.routes))
    return found


class _Files(StaticFiles):
    """Files of the desk itself: anybody may have them, and a browser keeps them for an hour."""

    async def get_response(self, path: str, scope: Any) -> Response:
        """The file."""
        answer = await super().get_response(path, scope)
        answer.headers["cache-control"] = "max-age=3600"
        return answer


def _answered(request: Request, error: Exception) -> Response:
    """An error as a page that says what to do; nobody's values in it."""
    if isinstance(error, SignInFirst):
        if request.method == "GET" and "hx-request" not in request.headers:
            return RedirectResponse("/sign-in", 303)
        return failed(request, 401, "Sign in first: your session has ended.")
    if isinstance(error, RoutingError):
        return failed(request, error.status_code, str(error.detail), error.headers)
    if isinstance(error, RequestValidationError):
        places = sorted({".".join(str(part) for part in one["loc"]) for one in error.errors()})
        return failed(request, 422, f"Missing, or not what it should be: {', '.join(places)[:400]}.")
    if isinstance(error, AdapterError):
        return failed(request, _status(error), str(error))
    request.app.state.work.log.error("page_failed", error)
    return failed(request, 500, "This is a fault of the program; nothing was changed. Please report it.")


def _status(error: AdapterError) -> int:
    if isinstance(error, Overtaken):
        return 409
    if isinstance(error, Forbidden):
        return 403
    if isinstance(error, UsageError):
        return 404 if "There is no such" in str(error) else 422
    return 503 if isinstance(error, DatabaseError | LeaseHeld) else 500
