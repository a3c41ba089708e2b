"""The audit trail: searched, exported, its chain verified."""

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from fhir_adapter.desk import whole
from fhir_adapter.web.pages import page

router = APIRouter()

SIZE = 100
NEWEST = 9_000_000_000


@router.get("/audit")
def trail(request: Request) -> Response:
    """Entries, the newest first; with `verify` in the address, whether the chain holds."""
    work, asked = request.app.state.work, request.query_params
    search = asked.get("search", "")[:200]
    before = int(asked["before"][:10]) if asked.get("before", "").isdecimal() else NEWEST
    entries = whole.audit_page(work, search, before, SIZE)
    return page(request, "audit.html", entries=entries, search=search, more=len(entries) == SIZE,
                faults=whole.audit_faults(work) if "verify" in asked else None)


@router.get("/audit/file")
def whole_trail(request: Request) -> Response:
    """The whole trail as CSV."""
    return StreamingResponse(whole.audit_file(request.app.state.work), headers={
        "content-type": "text/csv; charset=utf-8", "content-disposition": 'attachment; filename="audit.csv"'})
