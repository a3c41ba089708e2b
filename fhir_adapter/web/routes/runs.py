"""Hospitals and runs: what is whole, how the last runs ended, asking again."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fhir_adapter import flow
from fhir_adapter.desk import whole
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import allowed, back, page

router = APIRouter()


@router.get("/runs")
def runs(request: Request, viewer: Viewing) -> Response:
    """The grid of completeness, and the last runs with what they counted."""
    work = request.app.state.work
    return page(request, "runs.html", overview=whole.overview(work, viewer), reruns=allowed(viewer, "POST", "/runs"),
                lines=flow.status(work).lines if viewer.scope is None else [])


@router.post("/runs")
def rerun(request: Request, viewer: Viewing, hospital: Annotated[str, Form(max_length=100)]) -> Response:
    """Asks a hospital again, behind the page."""
    whole.rerun(request.app.state.work, viewer, hospital)
    return back("/runs", "rerun")
