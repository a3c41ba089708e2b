"""Small hospitals for the sandbox's own tests: a few made-up records, a clock that is moved by hand."""

import json
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

PLAIN_HTTP = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once: httpx would read all certificates for each request
NOON = datetime(2026, 7, 1, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = field(default=NOON)

    def __call__(self) -> datetime:
        """The time."""
        return self.now

    def forward(self, seconds: float) -> None:
        """Time passes."""
        self.now += timedelta(seconds=seconds)


def patient(id_: str = "p1", **more: Any) -> dict[str, Any]:
    """A Patient."""
    return {"resourceType": "Patient", "id": id_, **more}


def observation(id_: str, subject: str = "p1", at: str = "2026-01-01T00:00:00Z", **more: Any) -> dict[str, Any]:
    """An Observation of a patient, last updated at that instant."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "meta": {"versionId": "1", "lastUpdated": at},
        "subject": {"reference": f"Patient/{subject}"},
        **more,
    }


def hospital(folder: Path, resources: Iterable[dict[str, Any]], history: Iterable[dict[str, Any]] = ()) -> Path:
    """The folder with these records as NDJSON per type."""
    folder.mkdir(exist_ok=True)
    for resource in resources:
        with (folder / f"{resource['resourceType']}.ndjson").open("a") as file:
            file.write(json.dumps(resource) + "\n")
    for line in history:
        with (folder / "history.ndjson").open("a") as file:
            file.write(json.dumps(line) + "\n")
    return folder


def get(url: str, **headers: str) -> httpx.Response:
    """One GET on a connection of its own."""
    return httpx.get(url, headers=headers, verify=PLAIN_HTTP)


def ids(bundle: dict[str, Any]) -> list[str]:
    """The ids of a bundle's records, in order."""
    return [entry["resource"]["id"] for entry in bundle.get("entry", ()) if "id" in entry.get("resource", {})]


def link(bundle: dict[str, Any], relation: str = "next") -> str | None:
    """The address of a bundle's link; None when it has none."""
    return next((str(one["url"]) for one in bundle["link"] if one["relation"] == relation), None)


def pages(url: str) -> list[dict[str, Any]]:
    """Every page from this address on, by the next links as they come."""
    found = []
    following: str | None = url
    while following is not None:
        bundle: dict[str, Any] = get(following).json()
        found.append(bundle)
        following = link(bundle)
    return found


def search_ids(url: str) -> set[str]:
    """The ids that a search finds, over all its pages."""
    return {id_ for page in pages(url) for id_ in ids(page)}
