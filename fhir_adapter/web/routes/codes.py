"""Codes: how often each is used and how many are covered, candidates to approve, lists in and out."""

from typing import Annotated

from fastapi import APIRouter, File, Form, HTTPException, Query, Request, UploadFile
from fastapi.responses import PlainTextResponse, Response

from fhir_adapter.desk import files, whole
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import allowed, back, page
from fhir_adapter.web.routes.files import Named, Packed, handed_out, packed, unpacked

router = APIRouter()

SHOWN = 150
"""Codes of a domain that the page shows; the file has all lists."""

Chosen = Annotated[list[str] | None, Query(max_length=500)]


@router.get("/mappings")
def codes(request: Request, viewer: Viewing) -> Response:
    """What waits, coverage by domain, the codes of the domain in the address, the lists."""
    work, domain = request.app.state.work, request.query_params.get("domain", "")[:60]
    usage, counting = files.usage(work, viewer)
    return page(request, "codes.html", codes=whole.codes(work, viewer), usage=usage, counting=counting, domain=domain,
                used=usage.of(domain)[:SHOWN] if usage else (), maps=allowed(viewer, "POST", "/mappings/approve"))


@router.get("/mappings/file")
def lists_file(request: Request, form: Annotated[str, Query(pattern="^(csv|xlsx|json)$")] = "csv", name: str = ""
               ) -> Response:
    """The lists, or one of them, with the decisions in force: CSV, XLSX, or FHIR R4 ConceptMap."""
    if name and whole.code_list(request.app.state.work, name) is None:
        raise HTTPException(404, "There is no such list.")
    found = files.mappings_file(request.app.state.work, form, [name] if name else [])
    return handed_out(found, form, name or "mappings")


@router.post("/mappings/file")
def look(request: Request, upload: Annotated[UploadFile, File()]) -> Response:
    """What a file would change, or what is wrong in it; nothing is written."""
    content, name = upload.file.read(), upload.filename or ""
    found = files.incoming(request.app.state.work, name, content)
    return page(request, "codes_file.html", 422 if found.faults else 200, found=found, name=name,
                content=packed(content))


@router.post("/mappings/file/write")
def write(request: Request, viewer: Viewing, name: Named, content: Packed, mark: Annotated[str, Form(max_length=64)]
          ) -> Response:
    """Writes what was looked at into the study's lists."""
    files.import_mappings(request.app.state.work, viewer, name, unpacked(content), mark)
    return back("/mappings", "written")


@router.get("/mappings/approve")
def approval(request: Request, viewer: Viewing, chosen: Chosen = None) -> Response:
    """What approving the chosen candidates would sign."""
    return page(request, "codes_approve.html", asked=files.approval(request.app.state.work, viewer, chosen or []))


@router.post("/mappings/approve")
def approve(request: Request, viewer: Viewing, chosen: Annotated[list[str], Form(max_length=500)],
            reason: Annotated[str, Form(max_length=4000)] = "") -> Response:
    """Signs them, all or none."""
    work = request.app.state.work
    files.approve(work, viewer, files.approval(work, viewer, chosen), reason)
    return back("/mappings", "pending")


@router.get("/mappings/{name}")
def one(request: Request, name: str) -> Response:
    """A list as the CSV that mappings/concepts takes."""
    text = whole.code_list(request.app.state.work, name)
    if text is None:
        raise HTTPException(404, "There is no such list.")
    return PlainTextResponse(text, headers={"content-type": "text/csv; charset=utf-8"})
