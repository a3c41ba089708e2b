"""One conflict: both sides, what each decision would change, deciding, taking back, asking the hospital."""

from functools import partial as partial_of
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import Response

from fhir_adapter import desk
from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import Overtaken, UsageError
from fhir_adapter.desk import Wish
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import allowed, back, page, partial
from fhir_adapter.web.routes.queue import row_of

router = APIRouter()

Words = Annotated[str, Form(max_length=8000)]
VALUES = ("accept_value", "exclude_value", "concept", "override", "role", "level", "value")
"""Fields of the form that hold a decision's value, by choice; those of other choices are left alone."""
TAKES = {"accept": ("accept_value", "value"), "exclude": ("exclude_value", "value"), "map_code": ("concept", "value"),
         "override": ("override", "value"), "set_role": ("role", "value"), "set_level": ("level", "value")}


def _shown(request: Request, key: str, viewer: Account, **values: Any) -> Response:
    work = request.app.state.work
    found = desk.conflict(work, key, viewer)
    known = {"preview": None, "wish": None, "sources": None, "code": 200, **values}
    return page(request, "conflict.html", **known, shown=found, users=[one.name for one in desk.users(work)],
                can={name: allowed(viewer, "POST", path) for name, path in (
                    ("decide", "/conflicts/{key}/decide"), ("raw", "/conflicts/{key}/source"),
                    ("remark", "/conflicts/{key}/remark"), ("ask", "/conflicts/{key}/query"),
                    ("answer", "/queries/{number}"), ("assign", "/queue/assign"))})


@router.get("/conflicts/{key}")
def show(request: Request, key: str, viewer: Viewing) -> Response:
    """The page; with `choice` in the address, also what that decision would change."""
    asked = request.query_params
    if not asked.get("choice"):
        return _shown(request, key, viewer)
    wish = _wish(key, dict(asked))
    try:
        found = desk.preview(request.app.state.work, viewer, wish)
    except UsageError as error:
        return _shown(request, key, viewer, wish=wish, preview=str(error), code=422)
    return _shown(request, key, viewer, wish=wish, preview=found)


def _wish(key: str, given: dict[str, Any]) -> Wish:
    """What a form, or an address, wants."""
    choice = str(given.get("choice", ""))
    value = next((str(given[name]) for name in TAKES.get(choice, ()) if given.get(name)), "")
    seen = str(given.get("seen", "0"))
    return Wish(conflict=key, choice=choice, value=value.strip(), reason=str(given.get("reason", ""))[:4000],
                seen=int(seen) if seen.isdecimal() and len(seen) < 10 else 0,
                fingerprint=str(given.get("fingerprint", "")),
                source=str(given.get("source", ""))[:1000], password=str(given.get("password", ""))[:1000],
                meaning=str(given.get("meaning", ""))[:400], everywhere=given.get("scope") == "study",
                near=str(given.get("scope", "")) if "=" in str(given.get("scope", "")) else "")


@router.get("/conflicts/{key}/quick")
def quick(request: Request, key: str, viewer: Viewing) -> Response:
    """A small form below a row of the queue: one choice, one reason."""
    work = request.app.state.work
    choice = request.query_params.get("choice", "confirm")
    found = desk.row(work, key, viewer)
    undoing = next((one.number for one in (desk.conflict(work, key, viewer).in_force,) if one), None) \
        if choice == "undo" else None
    return page(request, "quick.html", row=found, choice=choice, undoing=undoing,
                fingerprint=desk.fingerprint(work, key, viewer), whole=not partial(request))


@router.post("/conflicts/{key}/decide")
async def decide(request: Request, key: str, viewer: Viewing) -> Response:
    """Signs a decision, or proposes it."""
    from fastapi.concurrency import run_in_threadpool

    form = {name: str(value) for name, value in (await request.form()).items()}
    wish = _wish(key, form)
    try:
        sign = partial_of(desk.decide, request.app.state.work, viewer, wish, wait=not partial(request))
        done = await run_in_threadpool(sign)
    except Overtaken as error:
        if not partial(request):
            raise
        return await run_in_threadpool(row_of, request, key, viewer, str(error), 409)
    word = "proposed" if done.proposal else "pending" if done.pending else "decided"
    if partial(request):
        word = "proposed" if done.proposal else "signed"
        return await run_in_threadpool(row_of, request, key, viewer, word)
    return back("/queue" if wish.near else f"/conflicts/{key}", word)  # without its last record it is gone


@router.post("/decisions/{number}/undo")
def undo(request: Request, number: int, viewer: Viewing, reason: Words = "",
         key: Annotated[str, Form(pattern="^[0-9a-f]{32}$")] = "") -> Response:
    """Takes a decision back."""
    done = desk.undo(request.app.state.work, viewer, number, reason, wait=not partial(request))
    if partial(request):
        return row_of(request, key, viewer, "undone")
    return back(f"/conflicts/{key}", "pending" if done.pending else "undone")


def _signing(password: Annotated[str, Form(max_length=1000)] = "",
             meaning: Annotated[str, Form(max_length=400)] = "") -> tuple[str, str]:
    """What an electronic signature asks for."""
    return password, meaning


@router.post("/proposals/{number}")
def agree(request: Request, number: int, viewer: Viewing, answer: Annotated[str, Form(pattern="^(agree|refuse)$")],
          key: Annotated[str, Form(pattern="^[0-9a-f]{32}$")],
          signing: Annotated[tuple[str, str], Depends(_signing)]) -> Response:
    """A second person agrees or refuses."""
    done = desk.agree(request.app.state.work, viewer, number, refuse=answer == "refuse", signing=signing)
    word = "refused" if answer == "refuse" else "pending" if done.pending else "decided"
    return back(f"/conflicts/{key}", word)


@router.post("/conflicts/{key}/source")
def source(request: Request, key: str, viewer: Viewing) -> Response:
    """What the hospitals sent: each such look is an audit entry, so it is no GET."""
    found = desk.sources(request.app.state.work, key, viewer)
    return _shown(request, key, viewer, sources=found)


@router.post("/conflicts/{key}/remark")
def remark(request: Request, key: str, viewer: Viewing, words: Words = "") -> Response:
    """A comment."""
    desk.remark(request.app.state.work, viewer, key, words)
    return back(f"/conflicts/{key}", "remarked", "comments")


@router.post("/conflicts/{key}/query")
def ask(request: Request, key: str, viewer: Viewing, hospital: Annotated[str, Form(max_length=100)],
        question: Words = "") -> Response:
    """A query to a hospital."""
    desk.ask(request.app.state.work, viewer, key, hospital, question)
    return back(f"/conflicts/{key}", "asked", "queries")


@router.post("/queries/{number}")
def step(request: Request, number: int, viewer: Viewing,
         state: Annotated[str, Form(pattern="^(sent|answered|closed|re-queried)$")], words: Words = "") -> Response:
    """Moves a query on."""
    key = desk.step_query(request.app.state.work, viewer, number, state, words)
    return back(f"/conflicts/{key}", "stepped", "queries")


@router.get("/queries/{key}/print")
def printed(request: Request, key: str, viewer: Viewing) -> Response:
    """The queries of a conflict on paper, for the hospital."""
    found = desk.conflict(request.app.state.work, key, viewer)
    return page(request, "query_print.html", shown=found)
