"""What is worth settling first: how much each open conflict can move.

One function, so that a better measure (which endpoints really change under each choice) can take its place.
"""

import json
from collections.abc import Collection, Iterable

from fhir_adapter.steps.workspace import Workspace

BLOCKING, ENDPOINT, MOST = 1_000_000, 10_000, 9_999


def place_of(*, blocking: bool, endpoints: int, occurrences: int) -> int:
    """Order in the queue, smaller first: blocking ones, then by endpoints that rest on it, then by records."""
    return -(BLOCKING * blocking + ENDPOINT * min(endpoints, 99) + min(occurrences, MOST))


def endpoints_held(work: Workspace, subjects: Collection[str] | None = None) -> dict[tuple[str, str], int]:
    """How many endpoints of a subject rest on an open conflict of a kind: by (subject, kind)."""
    found: dict[tuple[str, str], set[str]] = {}
    frames = work.trial.frames(("time_to_event", "best_response"), subjects)
    times, best = frames["time_to_event"], frames["best_response"]
    rows: Iterable[tuple[str, str, str]] = [
        *zip(times.subject, times.endpoint, times.held_kinds, strict=True),
        *((subject, "BOR", kinds) for subject, kinds in zip(best.subject, best.held_kinds, strict=True))]
    for subject, endpoint, kinds in rows:
        for kind in json.loads(kinds or "[]"):
            found.setdefault((subject, kind), set()).add(endpoint)
    return {key: len(named) for key, named in found.items()}
