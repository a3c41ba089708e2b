"""Subjects: how clean each is, one's course in days, and the records behind it."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from fastapi.responses import Response

from fhir_adapter import desk
from fhir_adapter.web.drawing import spider, timeline
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import allowed, back, page, segment

router = APIRouter()


Password = Annotated[str, Form(max_length=1000)]
Meaning = Annotated[str, Form(max_length=400)]


@router.get("/subjects")
def subjects(request: Request, viewer: Viewing) -> Response:
    """What still stands between each subject and the lock."""
    work = request.app.state.work
    found = desk.cleanliness(work, viewer)
    return page(request, "subjects.html", subjects=found, between=desk.between(work, viewer, found),
                locks=allowed(viewer, "POST", "/results/cuts"))


@router.get("/subjects/{subject:path}")
def one(request: Request, subject: str, viewer: Viewing) -> Response:
    """One subject: timeline, endpoints with their reasons, small plots."""
    work = request.app.state.work
    course = desk.subject(work, subject, viewer)
    return page(request, "subject.html", course=course, lanes=timeline(course), spider=spider(course),
                clean=next(iter(desk.cleanliness(work, viewer, course.subject)), None),
                endorses=allowed(viewer, "POST", "/subjects/{subject:path}/endorse"),
                freezes=allowed(viewer, "POST", "/subjects/{subject:path}/freeze"))


@router.post("/subjects/{subject:path}/endorse")
def endorse(request: Request, subject: str, viewer: Viewing, password: Password, meaning: Meaning) -> Response:
    """The investigator's signature on a subject's data."""
    desk.sign_subject(request.app.state.work, viewer, subject, "endorse", (password, meaning))
    return back(f"/subjects/{segment(subject)}", "endorsed")


@router.post("/subjects/{subject:path}/freeze")
def freeze(request: Request, subject: str, viewer: Viewing, password: Password, meaning: Meaning) -> Response:
    """Freezes a clean and endorsed subject."""
    desk.sign_subject(request.app.state.work, viewer, subject, "freeze", (password, meaning))
    return back(f"/subjects/{segment(subject)}", "frozen")


@router.post("/subjects/{subject:path}/thaw")
def thaw(request: Request, subject: str, viewer: Viewing, password: Password, meaning: Meaning) -> Response:
    """Ends a freeze, with a reason."""
    desk.sign_subject(request.app.state.work, viewer, subject, "thaw", (password, meaning))
    return back(f"/subjects/{segment(subject)}", "thawed")


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
