"""Which right each route asks for, in one table; a route that is not in it does not start (docs/authorisation.md)."""

from collections.abc import Iterable, Iterator
from typing import Any

from fhir_adapter.core.desk import Right

_R = Right
ROUTES: dict[tuple[str, str], Right] = {
    ("GET", "/sign-in"): _R.ANYONE,
    ("POST", "/sign-in"): _R.ANYONE,
    ("POST", "/sign-in/oidc"): _R.ANYONE,
    ("GET", "/sign-in/oidc/back"): _R.ANYONE,
    ("POST", "/sign-in/oidc/finish"): _R.ANYONE,
    ("POST", "/sign-out"): _R.SIGNED_IN,
    ("GET", "/"): _R.SIGNED_IN,
    ("GET", "/help"): _R.SIGNED_IN,
    ("GET", "/queue"): _R.READ,
    ("POST", "/queue/views"): _R.READ,
    ("POST", "/queue/assign"): _R.MANAGE,
    ("GET", "/queue/file"): _R.READ,
    ("POST", "/queue/file"): _R.DECIDE,
    ("POST", "/queue/file/sign"): _R.DECIDE,
    ("GET", "/queue/bulk"): _R.DECIDE,
    ("POST", "/queue/bulk"): _R.DECIDE,
    ("GET", "/conflicts/{key}"): _R.READ,
    ("GET", "/conflicts/{key}/row"): _R.READ,
    ("GET", "/conflicts/{key}/quick"): _R.DECIDE,
    ("POST", "/conflicts/{key}/decide"): _R.DECIDE,
    ("POST", "/conflicts/{key}/source"): _R.RAW,
    ("POST", "/conflicts/{key}/remark"): _R.COMMENT,
    ("POST", "/conflicts/{key}/query"): _R.MANAGE,
    ("POST", "/decisions/{number}/undo"): _R.DECIDE,
    ("POST", "/proposals/{number}"): _R.DECIDE,
    ("POST", "/queries/{number}"): _R.ANSWER,
    ("GET", "/queries/{key}/print"): _R.READ,
    ("GET", "/subjects"): _R.READ,
    ("GET", "/subjects/{subject:path}"): _R.READ,
    ("POST", "/subjects/{subject:path}/endorse"): _R.ENDORSE,
    ("POST", "/subjects/{subject:path}/freeze"): _R.SIGN,
    ("POST", "/subjects/{subject:path}/thaw"): _R.SIGN,
    ("GET", "/records/{resource}"): _R.READ,
    ("POST", "/records/{resource}/source"): _R.RAW,
    ("GET", "/mappings"): _R.READ,
    ("GET", "/mappings/file"): _R.READ,
    ("POST", "/mappings/file"): _R.MAP,
    ("POST", "/mappings/file/write"): _R.MAP,
    ("GET", "/mappings/approve"): _R.MAP,
    ("POST", "/mappings/approve"): _R.MAP,
    ("GET", "/mappings/{name}"): _R.READ,
    ("GET", "/runs"): _R.READ,
    ("POST", "/runs"): _R.RERUN,
    ("GET", "/results"): _R.RESULTS,
    ("GET", "/results/figures/{name}"): _R.RESULTS,
    ("POST", "/results/cuts"): _R.LOCK,
    ("POST", "/results/cuts/verify"): _R.LOCK,
    ("GET", "/audit"): _R.AUDIT,
    ("GET", "/audit/file"): _R.AUDIT,
    ("GET", "/administration"): _R.ADMINISTER,
    ("POST", "/administration/users"): _R.ADMINISTER,
    ("POST", "/administration/users/{name}"): _R.ADMINISTER,
    ("POST", "/administration/sessions"): _R.ADMINISTER,
    ("POST", "/administration/tokens"): _R.ADMINISTER,
    ("POST", "/administration/tokens/{number}"): _R.ADMINISTER,
    ("GET", "/api/v1/health"): _R.ANYONE,
    ("GET", "/api/v1/openapi.json"): _R.SIGNED_IN,
    ("GET", "/api/v1/conflicts"): _R.API,
    ("GET", "/api/v1/conflicts/{key}"): _R.API,
    ("POST", "/api/v1/conflicts/{key}/decisions"): _R.DECIDE,
    ("POST", "/api/v1/decisions/{number}/undo"): _R.DECIDE,
    ("GET", "/api/v1/runs"): _R.API,
    ("GET", "/api/v1/results"): _R.RESULTS,
}
"""(method, path) -> right. Under /api/ a program's token counts, and no cookie.

RAW is granted to single accounts; everything else comes with the role."""


def right_of(method: str, path: str) -> Right:
    """The right that a route asks for; HEAD asks as GET does."""
    return ROUTES["GET" if method == "HEAD" else method, path]


API = "/api/"
DESCRIPTION = "/api/v1/openapi.json"
"""Open to people with a session too."""


def served(routes: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """(method, path) of every route of an application that a person or program can call; static files are open."""
    for route in routes:
        for method in sorted(getattr(route, "methods", None) or ()):
            if method != "HEAD":
                yield method, route.path
