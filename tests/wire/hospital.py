"""A strict hospital for tests: it answers what was expected, once, and anything else fails the test."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import unquote

import httpx

from fhir_adapter.core.study import Hospital, Pull
from fhir_adapter.wire.connection import Connection, connect

BASE = "https://fhir.west.example/r4"
NOON = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


class Script:
    """Expected requests and their answers. The clock stands still unless somebody sleeps; sleeps are kept."""

    def __init__(self) -> None:
        """Expects nothing yet."""
        self.answers: dict[str, list[httpx.Response | Exception]] = {}
        self.requests: list[httpx.Request] = []
        self.slept: list[float] = []
        self.now = NOON

    def expect(self, address: str, *answers: Any, **options: Any) -> None:
        """Expects `GET`s of an address (below the base URL, unquoted), answered in turn.

        A dict is sent as FHIR JSON, bytes as they are; an exception is raised.
        """
        made = [answer if isinstance(answer, httpx.Response | Exception) else _response(answer, **options)
                for answer in answers]
        self.answers.setdefault(address, []).extend(made)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answers one request."""
        self.requests.append(request)
        address = unquote(str(request.url)).removeprefix(BASE + "/")
        waiting = self.answers.get(address)
        assert waiting, f"unexpected request: {request.method} {address}"
        answer = waiting.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def sleep(self, seconds: float) -> None:
        """Moves the clock."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)

    @property
    def waits(self) -> list[float]:
        """The waits before another try; those for the rate (a millisecond) are left out."""
        return [seconds for seconds in self.slept if seconds > 0.01]

    @property
    def asked(self) -> list[str]:
        """The addresses asked, below the base URL, /metadata left out."""
        found = [unquote(str(request.url)).removeprefix(BASE + "/") for request in self.requests]
        return [address for address in found if address != "metadata"]


def _response(answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> httpx.Response:
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    every = {"content-type": "application/fhir+json", **(headers or {})}
    return httpx.Response(status, content=iter([body]), headers=every)


def hospital(**changes: Any) -> Hospital:
    """A hospital that needs no credentials and allows any pace."""
    pull = Pull(**{"rate": "1000/s", "page_size": 50, **changes.pop("pull", {})})
    return Hospital(**{"id": "west", "name": "West hospital", "base_url": BASE, "pull": pull, **changes})


def capability(*parameters: str, version: str = "4.0.1", **types: str) -> dict[str, Any]:
    """A CapabilityStatement: parameters listed for every type, and per type its interactions (words)."""
    names = [{"name": name, "type": "token"} for name in parameters]
    rows = [{"type": kind, "searchParam": names, "interaction": [{"code": code} for code in words.split()]}
            for kind, words in (types or {"Observation": "read search-type"}).items()]
    rest = [{"mode": "server", "resource": rows}]
    return {"resourceType": "CapabilityStatement", "fhirVersion": version, "rest": rest}


def record(kind: str, record_id: str, patient: str = "p1", **elements: Any) -> dict[str, Any]:
    """A resource about a patient."""
    return {"resourceType": kind, "id": record_id, "subject": {"reference": f"Patient/{patient}"}, **elements}


def bundle(*resources: dict[str, Any], next_link: str | None = None, self_link: str | None = None,
           total: int | None = None) -> dict[str, Any]:
    """A searchset."""
    links = [{"relation": name, "url": url} for name, url in (("self", self_link), ("next", next_link)) if url]
    whole: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    if resources:
        whole["entry"] = [{"fullUrl": f"{BASE}/{found['resourceType']}/{found.get('id')}", "resource": found}
                          for found in resources]
    return whole if total is None else {**whole, "total": total}


def outcome(code: str, severity: str = "error", **issue: Any) -> dict[str, Any]:
    """An OperationOutcome."""
    return {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "code": code, **issue}]}


@contextmanager
def asking(script: Script, settings: Hospital | None = None, statement: dict[str, Any] | None = None,
           folder: Path = Path()) -> Iterator[Connection]:
    """A connection to the scripted hospital; at the end every expected request must have been made."""
    script.expect("metadata", statement or capability("patient", "_id"))
    with connect(settings or hospital(), folder=folder, clock=lambda: script.now, sleep=script.sleep, random=Random(7),
                 transport=httpx.MockTransport(script.handle)) as connection:
        yield connection
    left = {address: len(answers) for address, answers in script.answers.items() if answers}
    assert left == {}, f"expected, but never asked: {left}"
