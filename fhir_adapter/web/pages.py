"""How a page is made: templates that escape everything, and what all of them know."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from fhir_adapter import __version__
from fhir_adapter.core.desk import Account, Right
from fhir_adapter.web.rights import right_of

TEMPLATES = Path(__file__).parent / "templates"

TABS = (("/queue", "Queue"), ("/subjects", "Subjects"), ("/mappings", "Codes"), ("/results", "Results"),
        ("/runs", "Runs"), ("/audit", "Audit"), ("/administration", "Administration"))
"""The pages of the navigation, shown to whoever may see them."""

SAID = {
    "decided": "Signed.",
    "pending": "Signed. What follows from it is being worked out; load the page again in a moment.",
    "proposed": "Proposed. It counts once a second person agrees.",
    "undone": "Taken back by another decision.",
    "refused": "The proposal is refused.",
    "remarked": "Comment kept.",
    "assigned": "Assigned.",
    "asked": "Query kept. Print or send it, then mark it as sent.",
    "stepped": "Query moved on.",
    "saved": "View saved.",
    "endorsed": "Signed. The signature holds as long as these data stay as they are.",
    "frozen": "Frozen: nobody decides about this subject until it is thawed, or its data change.",
    "thawed": "Thawed.",
    "changed": "Account changed; its sessions have ended.",
    "locked": "Locked and signed.",
    "ended": "Session ended.",
    "revoked": "Token revoked.",
    "written": "Written into mappings/concepts. It counts from the next sync on; start the desk again to see it here.",
    "rerun": "Asked for; the run shows below when it begins.",
}
"""What a page says after something was done, by the word in its address."""


@cache
def environment() -> Environment:
    """Jinja2 with everything escaped; a name that a template does not know is an error."""
    made = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined,
                       trim_blocks=True, lstrip_blocks=True)
    made.filters |= {"words": words, "moment": moment, "segment": segment, "pairs": pairs, "tallied": tallied,
                     "with_counts": with_counts}
    made.globals |= {"Right": Right, "version": __version__}
    return made


def page(request: Request, template: str, code: int = 200, **values: Any) -> HTMLResponse:
    """A page, or a part of one, for whoever asks."""
    visitor = getattr(request.state, "visitor", None)
    viewer = visitor.account if visitor else None
    text = environment().get_template(template).render(
        viewer=viewer, token=visitor.token if visitor else "", path=request.url.path,
        tabs=[tab for tab in TABS if viewer and viewer.may(right_of("GET", tab[0]))],
        said=SAID.get(request.query_params.get("done", ""), ""),
        trial=request.app.state.work.study.protocol.trial, **values)
    return HTMLResponse(text, code)


def failed(request: Request, status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """What went wrong, as a page, as a fragment for htmx, or as JSON for programs."""
    if request.url.path.startswith("/api/"):
        from fastapi.responses import JSONResponse

        return JSONResponse({"detail": message}, status, headers)
    template = "fragment_error.html" if "hx-request" in request.headers else "error.html"
    answer = page(request, template, status, status=status, message=message)
    answer.headers.update(headers or {})
    return answer


def back(path: str, done: str = "", anchor: str = "") -> RedirectResponse:
    """To a page of ours, after something was done there."""
    query = "?" + urlencode({"done": done}) if done else ""
    return RedirectResponse(f"{path}{query}{'#' + anchor if anchor else ''}", 303)


def partial(request: Request) -> bool:
    """Whether only a part of the page is asked for."""
    return "hx-request" in request.headers


def words(name: str) -> str:
    """A name of code as words."""
    return name.replace("_", " ")


def pairs(values: Iterable[str]) -> list[tuple[str, str]]:
    """Options of a choice that show what they are."""
    return [(one, one) for one in values]


def tallied(counts: Mapping[str, int], chosen: str = "") -> list[tuple[str, str]]:
    """Options with how many conflicts they would show, the most first; the chosen one also when it shows none."""
    found = dict(counts) if chosen in ("", "me", *counts) else {**counts, chosen: 0}
    ordered = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return [(one, f"{words(one)} ({number:,})") for one, number in ordered]


def with_counts(values: Iterable[str], counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Options in their own order, with counts where there are any."""
    return [(one, f"{one} ({counts[one]:,})" if one in counts else one) for one in values]


def moment(instant: str) -> str:
    """An instant (UTC) to the minute."""
    return instant[:16].replace("T", " ")


def segment(text: str) -> str:
    """A text as one piece of an address."""
    return quote(text, safe="")


def allowed(viewer: Account, method: str, path: str) -> bool:
    """Whether an account may call a route."""
    return viewer.may(right_of(method, path))
