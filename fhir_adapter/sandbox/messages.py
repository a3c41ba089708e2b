"""A request and a response as the rehearsal hospital's rooms hand them on, without any socket."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import msgspec

from fhir_adapter.sandbox.persona import Fault
from fhir_adapter.sandbox.switches import Wait

Pairs = tuple[tuple[str, str], ...]
FHIR = "application/fhir+json; charset=utf-8"
_HTML = b"<!DOCTYPE html><html><head><title>Sign in</title></head><body><h1>Session expired</h1></body></html>"
_GATEWAY = b"<!DOCTYPE HTML><HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY>504</BODY>"


@dataclass(frozen=True)
class Asked:
    """A request: header names in lower case. `annex`: it came to the hospital's other origin."""

    method: str
    path: str
    query: Pairs
    headers: Mapping[str, str]
    body: bytes = b""
    annex: bool = False

    @property
    def strict(self) -> bool:
        """Whether the caller wants unknown parameters refused."""
        return "handling=strict" in self.headers.get("prefer", "").replace(" ", "")

    @property
    def authorization(self) -> str:
        """The header, or nothing."""
        return self.headers.get("authorization", "")


@dataclass(frozen=True)
class Reply:
    """A response; `unexpected` tells the log what was wrong with the request."""

    status: int
    body: bytes
    media: str = FHIR
    headers: Mapping[str, str] = field(default_factory=dict)
    unexpected: str = ""
    seconds: float = 0.0
    cut: bool = False


def outcome(severity: str, code: str, diagnostics: str) -> dict[str, Any]:
    """An OperationOutcome with one issue."""
    issue = {"severity": severity, "code": code, "diagnostics": diagnostics}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def refused(status: int, code: str, text: str, unexpected: str = "", severity: str = "error") -> Reply:
    """An OperationOutcome with that status."""
    return Reply(status, msgspec.json.encode(outcome(severity, code, text)), unexpected=unexpected)


def plain_json(status: int, data: Mapping[str, Any]) -> Reply:
    """JSON that is no FHIR."""
    return Reply(status, msgspec.json.encode(data), "application/json")


def http_date(instant: datetime) -> str:
    """An instant as HTTP headers write it."""
    return format_datetime(instant.astimezone(UTC), usegmt=True)


def throttled(form: Wait, wait: float, now: datetime, text: str = "too many requests") -> Reply:
    """429 with the time to wait in one of the forms that servers were seen to use."""
    until = now + timedelta(seconds=wait)
    if form == "text":
        # athena: 429 with the seconds in the body alone (apiserver-athenaFlex#359).
        return refused(429, "throttled", f"User Rate Limit Exceeded, Try in another {math.ceil(wait)} seconds")
    if form == "ms_header":
        # Azure, before it sent Retry-After too (microsoft/fhir-server PR#1639).
        return replace(refused(429, "throttled", text), headers={"x-ms-retry-after-ms": str(math.ceil(wait * 1000))})
    written = {
        "seconds": str(math.ceil(wait)),
        "date": http_date(until),
        "epoch": str(math.ceil(until.timestamp())),
        "epoch_ms": str(math.ceil(until.timestamp() * 1000)),
    }[form]
    return replace(refused(429, "throttled", text), headers={"Retry-After": written})


def fault_reply(fault: Fault, now: datetime) -> Reply:
    """The answer of a fault that strikes at once."""
    if fault.kind == "html":
        return Reply(200, _HTML, "text/html")
    if fault.kind == "gateway":
        return Reply(504, _GATEWAY, "text/html", seconds=fault.seconds)
    if fault.kind == "bare":
        return Reply(fault.status, b"", "text/plain")
    if fault.kind == "outcome_only":
        return replace(refused(200, fault.code, "something went wrong here"), seconds=fault.seconds)
    if fault.kind == "throttled" and fault.wait:
        return throttled(fault.wait_form, fault.wait, now)
    if fault.kind == "throttled":
        return replace(refused(429, "throttled", "too many requests"), headers={"Retry-After": fault.retry_after})
    if fault.kind == "expired":
        return refused(410, "expired", "this search does not exist or has expired")
    return replace(refused(fault.status, fault.code, "something went wrong here"), seconds=fault.seconds)


AT_ONCE = ("error", "bare", "html", "gateway", "outcome_only", "throttled", "expired")
"""Kinds of fault that need no page to strike."""


def marred(reply: Reply, fault: Fault | None) -> Reply:
    """A good answer after a fault of the line: truncated, cut off or late."""
    if fault is None:
        return reply
    body = reply.body[: len(reply.body) * 3 // 5] if fault.kind == "truncated" else reply.body
    return replace(reply, body=body, seconds=fault.seconds, cut=fault.kind == "cut_off")
