"""The JSON interface for programs: the queue, a conflict, deciding and taking back, runs, results, health.

A program shows a bearer token (`fhir-adapter users token`), never a cookie; every check is the same as for a person.
"""

from functools import cache
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from fastapi.security import HTTPBearer

from fhir_adapter import __version__, desk
from fhir_adapter.desk import Shown, Wish, WorkRow, whole
from fhir_adapter.web import filters, shapes
from fhir_adapter.web.guard import Viewing

_DETAILS = {
    400: "the address or the body cannot be read",
    401: "no token, or one that has ended or is revoked", 403: "the token's role does not allow this",
    404: "there is none, or none that this account may see", 409: "somebody has decided meanwhile: look again",
    413: "the body is too large", 422: "a value is missing or is not what it should be",
    429: "too many wrong tokens from this address", 503: "the database is busy or not there",
}


def _refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    return {code: {"model": shapes.Refusal, "description": _DETAILS[code]} for code in sorted(codes)}


_ALWAYS = (400, 401, 403, 413, 422, 429, 503)
open_router = APIRouter(prefix="/api/v1", tags=["programs"])
router = APIRouter(prefix="/api/v1", tags=["programs"], responses=_refusals(*_ALWAYS),
                   dependencies=[Depends(HTTPBearer(auto_error=False, description="fhir-adapter users token NAME"))])

KeyPath = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="a conflict's key")]
NumberPath = Annotated[int, Path(ge=1, le=2_000_000_000, description="a decision's number")]
Text = Annotated[str, Query(max_length=200, pattern=r"^[^\x00-\x1f]*$")]


@open_router.get("/health")
def health() -> shapes.Health:
    """That the desk answers; it says nothing about the study."""
    return shapes.Health(status="ok", version=__version__)


class QueueQuery(shapes.Shape):
    """The filters of the queue, as its page has them."""

    kind: Text = ""
    state: Literal[filters.STATES] = "todo"  # type: ignore[valid-type]  # the words of filters.py, written once
    severity: Literal["", "blocking", "not blocking"] = ""
    hospital: Text = ""
    subject: Text = ""
    code: Text = ""
    assignee: Text = ""
    search: Text = ""
    after: Annotated[str, Query(pattern=r"^(-?[0-9]{1,17}\.[0-9a-f]{32})?$", description="from the page before")] = ""
    size: Annotated[int, Query(ge=1, le=200)] = 50


@router.get("/conflicts")
def conflicts(request: Request, viewer: Viewing, asked: Annotated[QueueQuery, Query()]) -> shapes.ConflictPage:
    """A page of the queue, in its order."""
    work = request.app.state.work
    given = asked.model_dump(exclude={"after", "size"})
    found = desk.queue(work, viewer, filters.read(given, work.clock(), {}, viewer.name).filter,
                       filters.place(asked.after), asked.size)
    return shapes.ConflictPage(total=found.total, conflicts=[_line(row) for row in found.rows],
                               after=None if found.after is None else f"{found.after[0]}.{found.after[1]}")


@router.get("/conflicts/{key}", responses=_refusals(404))
def conflict(request: Request, key: KeyPath, viewer: Viewing) -> shapes.ConflictWhole:
    """One conflict with its sides and decisions; no raw source."""
    return _whole(desk.conflict(request.app.state.work, key, viewer))


@router.post("/conflicts/{key}/decisions", status_code=201, responses=_refusals(404, 409))
def decide(request: Request, key: KeyPath, viewer: Viewing, wanted: shapes.Decide) -> shapes.Made:
    """Signs a decision, or proposes it where a second person must agree."""
    wish = Wish(conflict=key, choice=wanted.choice, value=wanted.value.strip(), reason=wanted.reason, seen=wanted.seen,
                fingerprint=wanted.fingerprint, source=wanted.source, everywhere=wanted.everywhere)
    return _made(desk.decide(request.app.state.work, viewer, wish))


@router.post("/decisions/{number}/undo", status_code=201, responses=_refusals(404, 409))
def undo(request: Request, number: NumberPath, viewer: Viewing, wanted: shapes.TakeBack) -> shapes.Made:
    """Takes a decision back by another one."""
    return _made(desk.undo(request.app.state.work, viewer, number, wanted.reason))


@router.get("/runs")
def runs(request: Request, viewer: Viewing) -> shapes.Runs:
    """The last thirty runs."""
    found = whole.overview(request.app.state.work, viewer).runs
    return shapes.Runs(runs=[shapes.RunShown(
        number=one.id, command=one.command, hospitals=list(one.hospitals), started_at=one.started_at,
        ended_at=one.ended_at, exit_code=one.exit_code, counts={
            name: counts for name, counts in one.counts.items() if viewer.scope is None or name in viewer.scope},
    ) for one in found])


class ResultsQuery(shapes.Shape):
    """Of which cut; without one, as of now."""

    cut: Text = ""


@router.get("/results", responses=_refusals(404))
def results(request: Request, viewer: Viewing, asked: Annotated[ResultsQuery, Query()]) -> shapes.Results:
    """Results as of now, or of a cut."""
    found = whole.results(request.app.state.work, asked.cut)
    return shapes.Results(cutoff=found.cutoff, lines=dict(found.lines), tables=msgspec.to_builtins(found.tables),
                          open_conflicts=found.open, blocking_conflicts=found.blocking, settling=found.settling,
                          incomplete=list(found.incomplete), faults=list(found.faults))


@open_router.get("/openapi.json", include_in_schema=False)
def described() -> Response:
    """The OpenAPI document of these routes, for whoever is signed in or shows a token."""
    return JSONResponse(document())


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document: the JSON interface alone, no page."""
    from fastapi.openapi.utils import get_openapi

    return get_openapi(title="FHIR Adapter, review desk", version=__version__,
                       description="Conflicts, decisions, runs and results for programs (docs/review-desk.md).",
                       routes=[*open_router.routes, *router.routes])


def _line(row: WorkRow) -> shapes.ConflictLine:
    return shapes.ConflictLine(
        key=row.conflict_key, kind=row.kind, state=row.state, blocking=row.blocking, owner=row.owner,
        subject=row.subject, hospitals=msgspec.json.decode(row.hospitals), code=row.code, occurrences=row.occurrences,
        message=row.message, since=row.since, assignee=row.assignee, due=row.due, query=row.query,
        seen=row.last_decision)


def _whole(shown: Shown) -> shapes.ConflictWhole:
    sides = [shapes.SideShown(
        number=one.number, hospital=one.hospital, table=one.table, fact=one.fact_key, record=one.resource,
        element=one.element, standing=one.standing, values={cell.name: str(cell.value) for cell in one.cells})
        for one in shown.sides]
    decisions = [shapes.DecisionShown(
        number=one.number, choice=one.choice, value=one.value, reason=one.reason, by=one.decided_by, at=one.decided_at,
        undoes=one.undoes, in_force=shown.in_force is not None and shown.in_force.number == one.number)
        for one in shown.decisions]
    return shapes.ConflictWhole(conflict=_line(shown.row), fingerprint=shown.fingerprint,
                                choices=list(shown.kind.choices), sides=sides, decisions=decisions)


def _made(done: desk.Outcome) -> shapes.Made:
    return shapes.Made(decisions=list(done.decisions), proposal=done.proposal, pending=done.pending)
