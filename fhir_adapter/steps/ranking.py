"""What is worth settling first: how much each open conflict can move.

Measured, once `derive --sensitivity` has tried every choice (docs/sensitivity.md); else guessed from what rests on it.
"""

import json
from collections.abc import Collection, Iterable

from fhir_adapter.steps.workspace import Workspace

BLOCKING, ENDPOINT, MOST = 1_000_000, 10_000, 9_999


def place_of(*, blocking: bool, endpoints: int, occurrences: int, moves: int | None = None) -> int:
    """Order in the queue, smaller first: blocking ones, then by endpoints that rest on it, then by records.

    With `moves` (values that it was found to move): whatever moves something as if it blocked, by how many.
    """
    if moves is not None:
        blocking, endpoints = blocking or moves > 0, moves
    return -(BLOCKING * blocking + ENDPOINT * min(endpoints, 99) + min(occurrences, MOST))


def impacts(work: Workspace) -> dict[tuple[str, str], int]:
    """How many values each conflict can move, by key and fingerprint, as far as it has been tried."""
    rows = work.trial.all_rows("impact")
    return {(row["conflict_key"], row["fingerprint"]): row["subject_values"] + row["study_values"] for row in rows}


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
