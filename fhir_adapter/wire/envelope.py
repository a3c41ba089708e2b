"""Opens what a hospital sends: a Bundle or a bare resource becomes a Page.

A page is split with `msgspec.Raw`, so that each record keeps its exact bytes and a bad one does not spoil its
neighbours. When the decoder refuses the whole page (deep nesting, lone surrogate, NUL, malformed number, truncation),
`scan` cuts it apart by brackets; good entries land, bad bytes become Damage.
"""

import hashlib
from typing import Any

import msgspec

from fhir_adapter.core.windows import Damage, Entry, Gap, Outcome, Page
from fhir_adapter.wire import scan
from fhir_adapter.wire.faults import safe_code
from fhir_adapter.wire.heads import HeadError, has_control, read_entry

MAX_PAGE = 64 * 1024 * 1024
"""The largest page that is taken, decompressed."""


class _Link(msgspec.Struct, gc=False):
    relation: str | None = None
    url: str | None = None


class _Search(msgspec.Struct, gc=False):
    mode: str | None = None


class _Request(msgspec.Struct, gc=False):
    method: str | None = None
    url: str | None = None


class _Response(msgspec.Struct, rename="camel", gc=False):
    status: str | None = None
    etag: str | None = None
    last_modified: str | None = None


class _Entry(msgspec.Struct, rename="camel", gc=False):
    full_url: str | None = None
    resource: msgspec.Raw = msgspec.Raw()
    search: _Search | None = None
    request: _Request | None = None
    response: _Response | None = None


class _Kind(msgspec.Struct, rename="camel"):
    resource_type: str = ""


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    type: str | None = None
    total: int | None = None
    link: list[_Link] | None = None
    entry: list[_Entry] | None = None


class _Issue(msgspec.Struct):
    severity: str | None = None
    code: str | None = None


class _OperationOutcome(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    issue: list[_Issue] = []


_bundles = msgspec.json.Decoder(_Bundle)
_kinds = msgspec.json.Decoder(_Kind)
_entries = msgspec.json.Decoder(_Entry)
_outcomes = msgspec.json.Decoder(_OperationOutcome)
_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Opening(msgspec.Struct, frozen=True, kw_only=True):
    """How to open a page.

    `keep_damaged`: keep the bytes of what cannot be read; only where the patient filter was honoured, for else they
    may be about anybody. `content_ids`: a record without id gets a hash of its bytes as id, and an Outcome says so.
    `base` is the server's base URL, for absolute references; empty for files. `bundle_only`: anything but a Bundle is
    no answer to what was asked.
    """

    url: str = ""
    base: str = ""
    bundle_only: bool = False
    keep_damaged: bool = False
    content_ids: bool = False


class _Harvest:
    """What has been found on a page so far."""

    def __init__(self, opening: Opening) -> None:
        self.opening = opening
        self.entries: list[Entry] = []
        self.damages: list[Damage] = []
        self.outcomes: list[Outcome] = []
        self.gaps: list[Gap] = []
        self.names: dict[str, str] = {}

    def page(self, bundle: _Bundle) -> Page:
        links = {link.relation: link.url for link in bundle.link or [] if link.url}
        return Page(url=self.opening.url, entries=tuple(self.entries), damages=tuple(self.damages),
                    outcomes=tuple(self.outcomes), next=links.get("next"), total=bundle.total,
                    self_link=links.get("self"), honoured=self.opening.keep_damaged, gaps=tuple(self.gaps))

    def damage(self, code: str, message: str, position: int, body: bytes) -> None:
        self.damages.append(damage(code, message, position, body, keep=self.opening.keep_damaged))

    def outcome(self, body: bytes) -> None:
        found = outcomes_of(body) or (Outcome(severity="warning", code="other"),)
        self.outcomes.extend(found)
        if any(outcome.code == "suppressed" for outcome in found):
            self.gaps.append(Gap(code="suppressed", message="the server says that it left records out"))


def damage(code: str, message: str, position: int, body: bytes, *, keep: bool) -> Damage:
    """Bytes that are no readable entry, with their digest; the bytes themselves only if they may be kept."""
    return Damage(code=code, message=message, position=position, length=len(body),
                  sha256=hashlib.sha256(body).hexdigest(), body=body if keep else b"")


def outcomes_of(body: bytes) -> tuple[Outcome, ...]:
    """The issues of an OperationOutcome; nothing for anything else. Texts are not kept: they may name patients."""
    try:
        found = _outcomes.decode(body)
    except _REFUSALS:
        return ()
    if found.resource_type != "OperationOutcome":
        return ()
    return tuple(Outcome(severity=safe_code(issue.severity), code=safe_code(issue.code)) for issue in found.issue)


def open_page(body: bytes, opening: Opening) -> Page:
    """The page in a response body: a Bundle of any type, or one bare resource.

    Never raises for what stands in the body: an answer that is no FHIR, or ends too early, is a Page with a Gap.
    """
    harvest = _Harvest(opening)
    if len(body) > MAX_PAGE:
        harvest.gaps.append(Gap(code="not_fhir", message="an answer is larger than 64 MB"))
        return harvest.page(_Bundle())
    body = body.removeprefix(b"\xef\xbb\xbf")
    try:
        bundle = _bundles.decode(body)
        is_sound = body.count(b'"entry"') <= 1 or not _repeats_entry(body)
    except _REFUSALS:
        is_sound = False
    if not is_sound:
        kind = _kind(body)
        return _salvage(body, harvest) if kind in (None, "Bundle") else _bare(body, kind, harvest)
    if bundle.resource_type != "Bundle":
        return _bare(body, bundle.resource_type, harvest)
    _take_all(harvest, [(0, b"", entry) for entry in bundle.entry or []])
    # Where things stand matters only for damage, so it is found out only then.
    return _salvage(body, _Harvest(opening)) if harvest.damages else harvest.page(bundle)


def _repeats_entry(body: bytes) -> bool:
    """Whether the Bundle itself has `entry` twice: the decoder would keep the last one only."""
    top = scan.cut(body)
    decoded = _bundles.decode(body)
    return len(top.elements) != len(decoded.entry or [])


def _kind(body: bytes) -> str | None:
    """The resourceType of sound JSON; None for JSON that the decoder refuses."""
    try:
        return _kinds.decode(body).resource_type
    except msgspec.ValidationError:
        return ""
    except _REFUSALS:
        return None


def _bare(body: bytes, kind: str | None, harvest: _Harvest) -> Page:
    if not kind:
        harvest.gaps.append(Gap(code="not_fhir", message="an answer is JSON, but no FHIR resource"))
    elif harvest.opening.bundle_only:
        harvest.outcomes.extend(outcomes_of(body))
        word = "an OperationOutcome" if kind == "OperationOutcome" else "a single resource"
        harvest.gaps.append(Gap(code="unexpected_answer", message=f"{word} came instead of a Bundle"))
    elif kind == "OperationOutcome":
        harvest.outcome(body)
    elif scan.too_deep(body):
        harvest.damage(*_malformed(body), 0, body)
    else:
        _take_resource(harvest, 0, body.strip(), "")
    return harvest.page(_Bundle())


def _salvage(body: bytes, harvest: _Harvest) -> Page:
    """Opens a page that the decoder refused: cut by brackets, then each piece by itself."""
    top = scan.cut(body)
    if not top.members and not top.elements:
        harvest.gaps.append(Gap(code="not_fhir", message="an answer is not JSON"))
        return harvest.page(_Bundle())
    if _member(body, top, "resourceType", str) != "Bundle" and not top.elements:
        harvest.damage("malformed_json", "a record is not JSON, or nested deeper than 200", 0, body)
        return harvest.page(_Bundle())
    pieces: list[tuple[int, bytes]] = []
    for piece in top.elements:
        whole = body[piece.start : piece.end]
        parts = [piece] if _decodes(whole) else scan.split_again(body, piece)
        pieces.extend((part.start, body[part.start : part.end]) for part in parts)
    _take_all(harvest, [(position, piece, _open_entry(piece)) for position, piece in pieces])
    if not top.complete:
        harvest.gaps.append(Gap(code="truncated", message="a page ends before its Bundle does"))
    if "entry" in top.members and _member(body, top, "entry", object) is not None:
        harvest.gaps.append(Gap(code="truncated", message="the entries of a page are no list"))
    bundle = _Bundle(resource_type="Bundle", total=_member(body, top, "total", int))
    bundle.link = _member(body, top, "link", list[_Link])
    if bundle.link is None and "link" in top.members:
        harvest.gaps.append(Gap(code="truncated", message="the links of a page cannot be read"))
    return harvest.page(bundle)


def _member(body: bytes, top: scan.Cut, key: str, shape: Any) -> Any:
    piece = top.members.get(key)
    if piece is None:
        return None
    try:
        return msgspec.json.decode(body[piece.start : piece.end], type=shape)
    except _REFUSALS:
        return None


def _decodes(piece: bytes) -> bool:
    try:
        _entries.decode(piece)
    except msgspec.ValidationError:
        return True
    except _REFUSALS:
        return False
    return True


def _take_all(harvest: _Harvest, opened: list[tuple[int, bytes, _Entry | None]]) -> None:
    """Takes every entry of a Bundle: position, bytes, and what they decode to (None: nothing).

    The names come first, so that a `urn:uuid` subject finds its patient.
    """
    is_file = not harvest.opening.base
    for _, _, entry in opened:
        if entry is not None and entry.full_url and (is_file or entry.full_url.startswith("urn:")):
            _learn_name(harvest, entry)
    for position, piece, entry in opened:
        if entry is None:
            harvest.damage(*_malformed(piece), position, piece)
            continue
        resource = bytes(entry.resource)
        url = "" if entry.full_url is None or has_control(entry.full_url) else entry.full_url
        if len(resource) <= 4:  # nothing, or null
            _take_empty(harvest, position, piece, entry)
        elif scan.too_deep(resource):
            harvest.damage(*_malformed(resource), position, piece)
        else:
            _take_resource(harvest, position + piece.find(resource), resource, url)


def _open_entry(piece: bytes) -> _Entry | None:
    try:
        return _entries.decode(piece)
    except msgspec.ValidationError:
        return _resource_alone(piece)
    except _REFUSALS:
        return None


def _malformed(piece: bytes) -> tuple[str, str]:
    deep = "nested deeper than 200" if scan.too_deep(piece) else "not JSON"
    return "malformed_json", f"a record is {deep}"


def _resource_alone(piece: bytes) -> _Entry | None:
    """An entry whose wrapping has a wrong shape still gives its resource."""
    resource = scan.cut(piece).members.get("resource")
    return _Entry(resource=msgspec.Raw(piece[resource.start : resource.end])) if resource is not None else None


def _learn_name(harvest: _Harvest, entry: _Entry) -> None:
    try:
        named = read_entry(bytes(entry.resource))
    except HeadError:
        return
    identity = named.id or (content_id(named.body) if harvest.opening.content_ids else "")
    if identity and entry.full_url:
        harvest.names[entry.full_url] = f"{named.type}/{identity}"


def _take_resource(harvest: _Harvest, position: int, resource: bytes, url: str) -> None:
    try:
        entry = read_entry(resource, url, harvest.names, harvest.opening.base)
    except HeadError as error:
        harvest.damage("malformed_json" if error.malformed else "unreadable_head", str(error), position, resource)
        return
    if entry.type == "OperationOutcome":
        harvest.outcome(resource)
        return
    if not entry.id:
        if not harvest.opening.content_ids:
            harvest.damage("unreadable_head", "a record has no id", position, resource)
            return
        entry = msgspec.structs.replace(entry, id=content_id(resource))
        harvest.outcomes.append(Outcome(severity="information", code="id-from-content"))
    harvest.entries.append(entry)


def content_id(resource: bytes) -> str:
    """The id of a record that has none: the SHA-256 of its bytes, 64 hex digits (the longest id that FHIR allows)."""
    return hashlib.sha256(resource.strip()).hexdigest()


def _take_empty(harvest: _Harvest, position: int, piece: bytes, entry: _Entry) -> None:
    """An entry without resource: a delete in a history or a bulk `deleted` file; anything else is damage."""
    request = entry.request or _Request()
    response = entry.response or _Response()
    is_delete = request.method == "DELETE" or (response.status or "").startswith(("204", "410"))
    parts = (request.url or entry.full_url or "").split("?")[0].split("/_history/")[0].rstrip("/").split("/")
    version = (response.etag or "").removeprefix("W/").strip('"')
    texts = (*parts[-2:], version, response.last_modified or "")
    if not is_delete or len(parts) < 2 or not parts[-2] or not parts[-1] or has_control("".join(texts)):
        harvest.damage("unreadable_head", "an entry has no resource and deletes nothing", position, piece)
        return
    harvest.entries.append(Entry(type=parts[-2], id=parts[-1], version_id=version,
                                 last_updated=response.last_modified or "", deleted=True))
