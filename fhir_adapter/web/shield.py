"""What every request passes before a route sees it, and every answer before it leaves.

Host names (against DNS rebinding), the size of a body, and the headers that let a browser do nothing but show our
own pages: no inline script or style, no frame, no other origin.
"""

from collections.abc import Awaitable, Callable, Collection
from typing import Any
from urllib.parse import urlsplit

from starlette.responses import JSONResponse, PlainTextResponse, Response

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

MOST_BYTES = 2_000_000
"""Of a request's body; an imported code list is the largest thing that anybody sends."""

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
                               "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "cache-control": "no-store",
}

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")


class Shield:
    """ASGI: refuses other hosts and large bodies, adds the headers."""

    def __init__(self, app: Any, hosts: Collection[str], forms: Collection[str] = ()) -> None:
        """`forms`: where a form may lead besides here, which is the identity provider (its origin is named)."""
        self.app = app
        self.hosts = frozenset((*LOOPBACK, *hosts))
        origins = "".join(f" {parts.scheme}://{parts.netloc}" for parts in map(urlsplit, forms))
        policy = HEADERS["content-security-policy"].replace("form-action 'self'", f"form-action 'self'{origins}")
        self.headers = {**HEADERS, "content-security-policy": policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def guarded(message: Any) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(
                    (name.encode(), value.encode()) for name, value in self.headers.items()
                    if name.encode() not in known)]
            await send(message)

        refused = self._refused(scope)
        if refused is None:
            await self.app(scope, _limited(receive), guarded)
        else:
            await _answer(scope, *refused)(scope, receive, guarded)

    def _refused(self, scope: Scope) -> tuple[int, str] | None:
        """Status and words for a request that goes no further."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length", "0")
        if _name(headers.get("host", "")) not in self.hosts:
            return 421, "This desk does not answer to that host name."
        if not length.isdecimal() or len(length) > 18 or int(length) > MOST_BYTES:
            return 413, "That is too large."
        if "\x00" in scope["path"] or b"%00" in scope["query_string"]:
            return 400, "An address holds no NUL."
        return None


def _name(host: str) -> str:
    return host if host.endswith("]") else host.rpartition(":")[0] if ":" in host else host


def _limited(receive: Receive) -> Receive:
    """A body without a stated length ends where it becomes too large: the route then sees it as disconnected."""
    seen = 0

    async def limited() -> Any:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        return message if seen <= MOST_BYTES else {"type": "http.disconnect"}

    return limited


def _answer(scope: Scope, status: int, words: str) -> Response:
    """In the shape that the address promises: JSON to programs, else text."""
    if scope["path"].startswith("/api/"):
        return JSONResponse({"detail": words}, status)
    return PlainTextResponse(words, status)
