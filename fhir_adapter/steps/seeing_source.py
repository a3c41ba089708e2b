"""Raw source: what hospitals sent, with identifiers, for those alone who may see it. Every look is an audit entry."""

import difflib
import json
import re

import msgspec

from fhir_adapter.core.desk import Account
from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps.accounts import by_account
from fhir_adapter.steps.showing import find, items_of
from fhir_adapter.steps.workspace import Workspace


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a record as the hospital sent it: for those alone who may see it."""

    resource: str
    element: str
    hospital: str
    type: str
    fhir_id: str
    version_id: str
    last_updated: str
    received_at: str
    run: int
    url: str
    sha256: str
    at_element: str
    body: str
    changes: tuple[str, ...]


def sources(work: Workspace, key: str, viewer: Account) -> list[Source]:
    """The records behind a conflict as their hospitals sent them; the look is an audit entry."""
    row = find(work, key, viewer)
    items = [one for one in items_of(work, key) if viewer.scope is None or one["hospital"] in viewer.scope]
    found = _versions(work, [(one["resource"], one["element"]) for one in items], key)
    work.vault.note(by_account(work, viewer.name), "raw source seen", f"conflict {row.conflict_key}",
                    {"records": sorted({one.resource for one in found})})
    return found


def source_of(work: Workspace, resource: str, viewer: Account) -> list[Source]:
    """One record as its hospital sent it; the look is an audit entry."""
    found = _versions(work, [(resource, "")], "")
    if viewer.scope is not None:
        found = [one for one in found if one.hospital in viewer.scope]
    if not found:
        raise UsageError("There is no such record.")
    work.vault.note(by_account(work, viewer.name), "raw source seen", f"record {resource}", None)
    return found


def _versions(work: Workspace, wanted: list[tuple[str, str]], key: str) -> list[Source]:
    decided = [one.decided_at for one in work.vault.decisions_about(key)] if key else []
    found = []
    versions = work.vault.versions_of(sorted({resource for resource, _ in wanted if resource}))
    for resource, element in dict.fromkeys(wanted):
        mine = [one for one in versions if one.key == resource]
        if not mine:
            continue
        head = next(one for one in mine if one.is_head)
        text = pretty(head.body)
        before = [one for one in mine if one.ordinal < head.ordinal and (not decided or one.received_at <= decided[-1])]
        changes = difflib.unified_diff(pretty(before[-1].body).splitlines(), text.splitlines(), lineterm="", n=1,
                                       fromfile=f"version {before[-1].ordinal}",
                                       tofile=f"version {head.ordinal}") if before else ()
        found.append(Source(
            resource=resource, element=element, hospital=head.hospital, type=head.type, fhir_id=head.fhir_id,
            version_id=head.version_id, last_updated=head.last_updated, received_at=head.received_at, run=head.run,
            url=head.url, sha256=head.sha256, at_element=at_path(head.body, element), body=text,
            changes=tuple(changes)))
    return found


MOST_SHOWN = 60_000
"""Characters of a record's text that a page shows."""


def pretty(body: bytes) -> str:
    """A record's JSON, indented; as it came where it is none."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body.decode("utf-8", "replace")
    return text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "\n… cut here"


def at_path(body: bytes, path: str) -> str:
    """The JSON at an element path (`component[0].value`; a choice such as `value` stands for `valueQuantity`).

    Empty where the path leads nowhere.
    """
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    if not path:
        return ""
    for name, place in re.findall(r"([A-Za-z0-9_-]+)(?:\[([^\]]+)\])?", path):
        if isinstance(value, dict):
            chosen = name if name in value else next(
                (one for one in value if one.startswith(name) and one[len(name):][:1].isupper()), "")
            value = value.get(chosen)
        if place.isdigit() and isinstance(value, list) and int(place) < len(value):
            value = value[int(place)]
        if value is None:
            return ""
    return json.dumps(value, indent=2, ensure_ascii=False)[:MOST_SHOWN]
