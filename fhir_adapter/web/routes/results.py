"""Results as of now, beside what they rest on; cuts: created, signed, locked, verified."""

from typing import Annotated

from fastapi import APIRouter, Form, HTTPException, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from fhir_adapter import cuts
from fhir_adapter.desk import whole
from fhir_adapter.web.guard import Viewing
from fhir_adapter.web.pages import allowed, back, page

router = APIRouter()

FIGURES = (("pfs", "Progression-free survival"), ("os", "Overall survival"), ("waterfall", "Best change of the sum"),
           ("swimmer", "Course of each subject"))


NOTHING = (b'<svg xmlns="http://www.w3.org/2000/svg" width="480" height="120"><text x="240" y="64" fill="#55616f" '
           b'font-family="sans-serif" font-size="15" text-anchor="middle">Nothing to draw yet</text></svg>')


@router.get("/results")
def results(request: Request, viewer: Viewing) -> Response:
    """Headline numbers, tables, figures, cuts; with `cut` in the address as that cut froze them."""
    return _page(request, viewer)


def _page(request: Request, viewer: Viewing, proof: "list[str] | None" = None, name: str = "") -> Response:
    work, cut = request.app.state.work, request.query_params.get("cut", "")[:100]
    return page(request, "results.html", results=whole.results(work, cut), cuts=whole.cut_list(work), figures=FIGURES,
                signs=allowed(viewer, "POST", "/results/cuts"), proof=proof, proved=name, cut=cut)


@router.get("/results/figures/{name}")
def figure(request: Request, name: str) -> Response:
    """A figure, as a picture: nothing in it runs. Opened by itself it is a file to keep, not a page."""
    if name not in dict(FIGURES):
        raise HTTPException(404, "There is no such figure.")
    cut = request.query_params.get("cut", "")[:100]
    found = whole.figure(request.app.state.work, name, cut)
    return Response(found or NOTHING, media_type="image/svg+xml", headers={
        "content-disposition": f'attachment; filename="{name}.svg"'})


class NewCut(BaseModel):
    """The form of a cut."""

    model_config = ConfigDict(hide_input_in_errors=True)

    cutoff: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
    name: Annotated[str, Field(max_length=100)]
    reason: Annotated[str, Field(max_length=1000)]
    password: Annotated[str, Field(max_length=1000)]
    meaning: Annotated[str, Field(max_length=400)]
    waive: str = ""


@router.post("/results/cuts")
def lock(request: Request, viewer: Viewing, form: Annotated[NewCut, Form()]) -> Response:
    """Creates, signs and locks a cut."""
    wanted = cuts.NewCut(cutoff=form.cutoff, name=form.name, reason=form.reason, by=viewer.name,
                         with_open_conflicts=bool(form.waive))
    whole.lock_cut(request.app.state.work, viewer, wanted, form.password, form.meaning)
    return back("/results", "locked", "cuts")


@router.post("/results/cuts/verify")
def verify(request: Request, viewer: Viewing, name: Annotated[str, Form(max_length=100)]) -> Response:
    """Computes a cut anew and says whether it is the same."""
    from fhir_adapter.core.errors import DatabaseError

    try:
        cuts.verify(request.app.state.work, name)
    except DatabaseError as error:
        return _page(request, viewer, str(error).splitlines(), name)
    return _page(request, viewer, [], name)
