"""Keeps us, and above all our credentials, at the hospital's own origin.

Whatever address a server hands us (next link, redirect, token endpoint) must have the scheme, host and port of the
configured base URL and, for links, a path under it (quirks Q11, Q12; ecosystem.md S3). smart-fetch sends its token to
any host a next link names.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

from fhir_adapter.core.errors import UsageError
from fhir_adapter.wire.faults import OffOrigin

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f\\]|[^\x00-\x7f]")
MAX_LINK = 32_000
_PORTS = {"http": 80, "https": 443}


class Pin:
    """The hospital's base URL, and the test that an address belongs to it."""

    def __init__(self, base_url: str, aliases: Iterable[str] = (), file_origins: Iterable[str] = ()) -> None:
        """Takes the configured base URL, the server's other names for it, and where export files may lie besides.

        Raises:
            UsageError: one is no http(s) URL, holds user information, a query or a fragment; or the base URL or a file
                origin is http off loopback.
        """
        parts = _plain(base_url, "base_url")
        require_tls(base_url, "base_url")
        self.base = base_url.rstrip("/")
        self._origin = _origin(parts)
        self._path = _normal_path(parts.path).rstrip("/")
        names = [_plain(alias, "pull.aliases") for alias in aliases]
        self._aliases = tuple((_origin(name), name.path.rstrip("/")) for name in names)
        for place in file_origins:
            require_tls(place, "pull.file_origins")
        self._file_origins = frozenset(_origin(_plain(place, "pull.file_origins")) for place in file_origins)

    def resolve(self, link: str, against: str) -> str:
        """The absolute address of a link, its bytes unchanged, if it stays under the base URL.

        Raises:
            OffOrigin: it leads anywhere else. The text names the kind of trouble, never the address.
        """
        parts = self._own_name(_joined(link, against))
        if _origin(parts) != self._origin:
            raise OffOrigin("a link leads to another origin (scheme, host or port)")
        path = _normal_path(parts.path)
        if path != self._path and not path.startswith(self._path + "/"):
            raise OffOrigin("a link leads out of the path of base_url")
        return parts._replace(fragment="").geturl()

    def place(self, link: str, against: str) -> tuple[str, bool]:
        """The address of an export's status or file, and whether it lies at the hospital's own origin.

        Exports lie beside the base URL at many servers, so the path may differ. An address at another origin counts
        only if the hospital's file lists that origin; credentials never go there.

        Raises:
            OffOrigin: it leads anywhere else.
        """
        parts = self._own_name(_joined(link, against))
        is_own = _origin(parts) == self._origin
        if not is_own and _origin(parts) not in self._file_origins:
            raise OffOrigin("an export lies at another origin; if that is right, list it in pull.file_origins")
        return parts._replace(fragment="").geturl(), is_own

    def _own_name(self, parts: SplitResult) -> SplitResult:
        """An address under another name of the base URL, as the same one under the base URL itself (Q12)."""
        for origin, path in self._aliases:
            if _origin(parts) == origin and (parts.path == path or parts.path.startswith(path + "/")):
                found = urlsplit(self.base + parts.path[len(path):])
                return found._replace(query=parts.query, fragment=parts.fragment)
        return parts

    def same_origin(self, address: str) -> bool:
        """Whether an absolute address has the hospital's scheme, host and port (its path may differ: token URLs)."""
        parts = None if _FORBIDDEN.search(address) else _split(address)
        return parts is not None and _origin(parts) == self._origin


def require_tls(address: str, what: str) -> None:
    """Refuses an address that would carry credentials in the clear off loopback.

    Raises:
        UsageError: `what` (such as `token_url`) is no plain URL, or http off loopback.
    """
    parts = _split(address)
    if parts is None:
        raise UsageError(f"{what} is not a plain http(s) URL")
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        raise UsageError(f"{what} uses http off loopback; TLS is required: write https")


def is_loopback(host: str) -> bool:
    """Whether a host name is this machine: localhost, 127.0.0.0/8, ::1."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _plain(address: str, what: str) -> SplitResult:
    parts = _split(address)
    if parts is None or parts.query or parts.fragment:
        raise UsageError(f"{what} is not a plain http(s) URL (no user information, query or fragment)")
    return parts


def _joined(link: str, against: str) -> SplitResult:
    """A link joined to the address of the answer that held it, in which nothing can be misread."""
    if len(link) > MAX_LINK:
        raise OffOrigin("a link is longer than 32,000 characters")
    if _FORBIDDEN.search(link):
        raise OffOrigin("a link holds blanks, backslashes, control characters or letters outside ASCII")
    try:
        parts = _split(urljoin(against, link))
    except ValueError:
        raise OffOrigin("a link is not a URL") from None
    if parts is None:
        raise OffOrigin("a link is not a plain http(s) URL")
    return parts


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        port_is_legal = parts.port is None or parts.port > 0
    except ValueError:
        return None
    plain = parts.scheme in _PORTS and parts.hostname and "@" not in parts.netloc and not parts.netloc.endswith(":")
    return parts if plain and port_is_legal else None


def _origin(parts: SplitResult) -> tuple[str, str, int]:
    return parts.scheme, parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _normal_path(path: str) -> str:
    """The path as a server may understand it at worst: decoded until it stands still, dot segments resolved."""
    decoded = unquote(path)
    while decoded != path:
        path, decoded = decoded, unquote(decoded)
    kept: list[str] = []
    for segment in path.replace("\\", "/").split("/")[1:]:
        name = segment.split(";")[0]
        if name == "..":
            if kept:
                kept.pop()
        elif name != ".":
            kept.append(segment)
    return "/" + "/".join(kept)
