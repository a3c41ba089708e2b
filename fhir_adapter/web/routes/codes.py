"""Codes: what waits to be mapped, by frequency, with the best candidate; the lists."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import PlainTextResponse, Response

from fhir_adapter.desk import whole
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import page

router = APIRouter()


@router.get("/mappings")
def codes(request: Request, viewer: Viewing) -> Response:
    """The codes that nobody has mapped, and the lists."""
    return page(request, "codes.html", codes=whole.codes(request.app.state.work, viewer))


@router.get("/mappings/{name}")
def one(request: Request, name: str) -> Response:
    """A list as the CSV that mappings/concepts takes."""
    text = whole.code_list(request.app.state.work, name)
    if text is None:
        raise HTTPException(404, "There is no such list.")
    return PlainTextResponse(text, headers={"content-type": "text/csv; charset=utf-8"})
