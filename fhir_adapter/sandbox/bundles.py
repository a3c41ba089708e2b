"""FHIR envelopes as bytes: searchset and history bundles around untouched records, and outcomes among them."""

from typing import Any

import msgspec

from fhir_adapter.sandbox.messages import outcome
from fhir_adapter.sandbox.paging import Answer
from fhir_adapter.sandbox.store import Version, written

DEPTH = 100_000
"""How deep the planted record of the `deep` fault is nested."""


def bundle(answer: Answer, base_url: str, next_link: str | None, extra: tuple[Any, ...], total: int | None) -> bytes:
    """One page of an answer; `extra` are entries put before the rows. Without entries there is no `entry`."""
    links = [{"relation": "self", "url": answer.self_link}]
    if next_link is not None:
        links.append({"relation": "next", "url": next_link})
    show = _match if answer.kind == "searchset" else _event
    notes = [note_entry("warning", "not-supported", note) for note in answer.notes]
    entries = [*extra, *notes, *(show(version, base_url) for version in answer.shown)]
    body: dict[str, Any] = {"resourceType": "Bundle", "type": answer.kind}
    if total is not None:
        body["total"] = total
    body["link"] = links
    if entries:
        body["entry"] = entries
    return msgspec.json.encode(body)


def note_entry(severity: str, code: str, text: str, detail: str = "") -> dict[str, Any]:
    """An OperationOutcome among the entries of a searchset; `detail` is a code of the vendor's own."""
    noted = outcome(severity, code, text)
    if detail:
        # Epic's arc of error codes (onc-healthit/inferno-program#229).
        coding = {"system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369", "code": detail}
        noted["issue"][0]["details"] = {"coding": [coding], "text": text}
    return {"resource": noted, "search": {"mode": "outcome"}}


def deep_entry(type_: str, reference: str) -> dict[str, Any]:
    """An entry whose record is nested deeper than any reader should follow."""
    head = f'{{"resourceType":"{type_}","id":"deep","subject":{{"reference":"{reference}"}},"extension":'
    return {"resource": msgspec.Raw(head.encode() + b"[" * DEPTH + b"]" * DEPTH + b"}")}


def _match(version: Version, base_url: str) -> dict[str, Any]:
    return {
        "fullUrl": f"{base_url}/{version.type}/{version.id}",
        "resource": msgspec.Raw(version.body or b"null"),
        "search": {"mode": "match"},
    }


def _event(version: Version, base_url: str) -> dict[str, Any]:
    """A history entry; a deletion has no `resource`."""
    entry: dict[str, Any] = {"fullUrl": f"{base_url}/{version.type}/{version.id}"}
    if version.body is not None:
        entry["resource"] = msgspec.Raw(version.body)
    method, status = ("DELETE", "204 No Content") if version.deleted else ("PUT", "200 OK")
    if not version.deleted and version.version_id == "1":
        status = "201 Created"
    entry["request"] = {"method": method, "url": f"{version.type}/{version.id}"}
    entry["response"] = {
        "status": status,
        "etag": f'W/"{version.version_id}"',
        "lastModified": written(version.last_updated),
    }
    return entry
