"""The queue: filtered by its address, counted, paged by key."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fhir_adapter import desk
from fhir_adapter.desk import KINDS
from fhir_adapter.web import filters
from fhir_adapter.web.filters import Asked
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import allowed, back, page

router = APIRouter()

SIZE = 25


def asked_of(request: Request, viewer: Viewing) -> Asked:
    """The filter that the address of a request means."""
    work = request.app.state.work
    spans = desk.run_spans(work) if "run" in request.query_params else {}
    return filters.read(request.query_params, work.clock(), spans, viewer.name)


@router.get("/queue")
def queue(request: Request, viewer: Viewing) -> Response:
    """A page of the queue."""
    work = request.app.state.work
    asked = asked_of(request, viewer)
    after = filters.place(request.query_params.get("after", ""))
    found = desk.queue(work, viewer, asked.filter, after, SIZE)
    return page(request, "queue.html", queue=found, asked=asked, views=desk.saved_views(work, viewer), first=not after,
                kinds={kind.name: kind for kind in KINDS}, states=filters.STATES, today=_days(work.clock()),
                decides=allowed(viewer, "GET", "/queue/bulk"))


@router.get("/conflicts/{key}/row")
def row(request: Request, key: str, viewer: Viewing) -> Response:
    """One row of the queue, as it is now."""
    return row_of(request, key, viewer)


def row_of(request: Request, key: str, viewer: Viewing, note: str = "", code: int = 200) -> Response:
    """One row of the queue, as htmx puts it in the place of the old one."""
    work = request.app.state.work
    return page(request, "queue_row.html", code, row=desk.row(work, key, viewer), today=_days(work.clock()), note=note,
                kinds={kind.name: kind for kind in KINDS}, decides=allowed(viewer, "GET", "/queue/bulk"))


def _days(now: datetime) -> Any:
    """How many days something has been open: a function for the template."""
    def days(since: str) -> int:
        return max(0, (now - datetime.fromisoformat(since)).days) if since else 0

    return days


@router.post("/queue/views")
def save_view(request: Request, viewer: Viewing, name: Annotated[str, Form(max_length=80)],
              address: Annotated[str, Form(max_length=2000)] = "") -> Response:
    """Keeps the address of a queue under a name."""
    desk.save_view(request.app.state.work, viewer, name, address if address.startswith("/queue") else "")
    return back(address if address.startswith("/queue?") else "/queue")


@router.post("/queue/assign")
def assign(request: Request, viewer: Viewing, keys: Annotated[list[str], Form()],
           assignee: Annotated[str, Form(max_length=200)] = "",
           due: Annotated[str, Form(pattern=r"^(\d{4}-\d{2}-\d{2})?$")] = "") -> Response:
    """Hands conflicts to somebody."""
    desk.assign(request.app.state.work, viewer, keys, assignee, due)
    return back(f"/conflicts/{keys[0]}" if len(keys) == 1 else "/queue", "assigned")
