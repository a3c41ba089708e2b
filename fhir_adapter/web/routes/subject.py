"""Subjects: how clean each is, one's course in days, and the records behind it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fhir_adapter import desk
from fhir_adapter.web.drawing import spider, timeline
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import allowed, back, page, segment

router = APIRouter()


@router.get("/subjects")
def subjects(request: Request, viewer: Viewing) -> Response:
    """What still stands between each subject and the lock."""
    return page(request, "subjects.html", subjects=desk.cleanliness(request.app.state.work, viewer))


@router.get("/subjects/{subject:path}")
def one(request: Request, subject: str, viewer: Viewing) -> Response:
    """One subject: timeline, endpoints with their reasons, small plots."""
    course = desk.subject(request.app.state.work, subject, viewer)
    return page(request, "subject.html", course=course, lanes=timeline(course), spider=spider(course),
                endorses=allowed(viewer, "POST", "/subjects/{subject:path}/endorse"))


@router.post("/subjects/{subject:path}/endorse")
def endorse(request: Request, subject: str, viewer: Viewing, password: Annotated[str, Form(max_length=1000)],
            meaning: Annotated[str, Form(max_length=400)]) -> Response:
    """The investigator's signature on a subject's data."""
    desk.endorse(request.app.state.work, viewer, subject, password, meaning)
    return back(f"/subjects/{segment(subject)}", "endorsed")


@router.get("/records/{resource}")
def record(request: Request, resource: str, viewer: Viewing) -> Response:
    """What was read from one record, version by version."""
    found = desk.record(request.app.state.work, resource, viewer)
    return page(request, "record.html", record=found, sources=None,
                raw=allowed(viewer, "POST", "/records/{resource}/source"))


@router.post("/records/{resource}/source")
def source(request: Request, resource: str, viewer: Viewing) -> Response:
    """What the hospital sent; an audit entry."""
    work = request.app.state.work
    return page(request, "record.html", record=desk.record(work, resource, viewer), raw=True,
                sources=desk.source(work, resource, viewer))
