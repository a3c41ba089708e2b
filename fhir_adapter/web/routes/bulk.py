"""Deciding several conflicts at once: always previewed, always all or none."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import Response

from fhir_adapter import desk
from fhir_adapter.desk import KINDS, Wish
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import back, page
from fhir_adapter.web.routes.queue import asked_of

router = APIRouter()

SHOWN = 20


@router.get("/queue/bulk")
def preview(request: Request, viewer: Viewing, keys: Annotated[list[str] | None, Query(max_length=500)] = None
            ) -> Response:
    """What would be decided: how many, of which kinds, a few of them; nothing is written."""
    work = request.app.state.work
    asked = asked_of(request, viewer)
    chosen = desk.select(work, viewer, _with(asked.filter, keys))
    first = [desk.row(work, key, viewer) for key in chosen.keys[:SHOWN]]
    return page(request, "bulk.html", asked=asked, keys=keys or [], chosen=chosen, first=first,
                kinds={kind.name: kind for kind in KINDS})


@router.post("/queue/bulk")
def decide(request: Request, viewer: Viewing, mark: Annotated[str, Form()], choice: Annotated[str, Form()],
           reason: Annotated[str, Form(max_length=4000)] = "",
           keys: Annotated[list[str] | None, Form()] = None) -> Response:
    """Signs them, if they are still what was previewed."""
    asked = asked_of(request, viewer)
    wish = Wish(conflict="", choice=choice, reason=reason)
    done = desk.decide_many(request.app.state.work, viewer, _with(asked.filter, keys), mark, wish)
    return back("/queue", "pending" if done.pending else "decided")


def _with(asked: desk.Filter, keys: list[str] | None) -> desk.Filter:
    return msgspec.structs.replace(asked, keys=tuple(keys)) if keys else asked
