"""Promise 6, everything traces: from each value to an element path that stands in the raw record (DESIGN §5.6)."""

import json
import re
from typing import Any

import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps.tracing import CONCLUSIONS
from fhir_adapter.steps.workspace import Workspace
from tests.promises.conftest import Synced

PLACE = re.compile(
    r"    at (?P<element>.+) of (?P<type>\w+)/(?P<id>.+), (?P<hospital>\w+), version .+, received \d{4}-.+")
STEP = re.compile(r"(?P<name>[A-Za-z_]\w*)(?:\[(?P<slice>[a-z][\w-]*)\])?(?:\[(?P<index>\d+)\])?")


def test_every_value_ends_in_a_url_and_an_element(synced: Synced) -> None:
    """Each endpoint of each subject: every fact has its record's URL and a path that the record has."""
    work = synced.work
    before = len(work.vault.audit_entries())
    looks, places, wrong = 0, set[tuple[str, str, str, str]](), list[str]()
    for one in _some(flow.subjects(work), synced.databases.backend):
        for endpoint in CONCLUSIONS:
            try:
                lines = flow.trace(work, endpoint, one.subject)
            except UsageError:
                continue  # this subject has no such value
            looks += 1
            wrong += [f"{one.subject} {endpoint}: a value without why" for at, line in enumerate(lines)
                      if line == "" and not any(after.startswith("  why: ") for after in lines[at + 1 : at + 3])]
            for line, following in zip(lines, [*lines[1:], ""], strict=True):
                if line.startswith("    at "):
                    place = PLACE.fullmatch(line)
                    if place is None or not re.match(r"    (https?://|file:|sheet:|.*\.csv)", following):
                        wrong.append(f"{one.subject} {endpoint}: {line} / {following}")
                    else:
                        places.add((place["hospital"], place["type"], place["id"], place["element"]))
    assert wrong == []
    assert looks > 10
    assert len(places) > 50
    assert [place for place in sorted(places) if not _stands(work, *place)] == []
    noted = work.vault.audit_entries()[before:]
    assert len(noted) == looks
    assert {one.action for one in noted} == {"trace"}
    assert work.vault.verify_audit() == []


@pytest.mark.parametrize("endpoint", sorted(CONCLUSIONS))
def test_every_endpoint_has_somebody_to_trace(synced: Synced, endpoint: str) -> None:
    """No endpoint of the list is traceable in name only."""
    table, wanted = CONCLUSIONS[endpoint]
    frame = synced.work.trial.frames((table,))[table]
    for column, value in wanted.items():
        frame = frame[frame[column] == value]
    assert len(frame) > 0


def _some(subjects: list[Any], backend: str) -> list[Any]:
    """Every second on SQLite; on PostgreSQL, which answers each of the many questions later, every eighth."""
    return subjects[::2] if backend == "sqlite" else subjects[1::8]


def _stands(work: Workspace, hospital: str, type: str, id: str, element: str) -> bool:
    """Whether the head or any version of a record has this element."""
    versions = work.vault.versions_of([work.vault.key(hospital, type, id)])
    bodies = [json.loads(version.body) for version in versions if version.body]
    if element == type:
        return bool(bodies)  # the record as a whole
    return any(_has(body, element) or _has(body.get("row"), element) for body in bodies)  # of a sheet, the column


def _has(value: Any, path: str) -> bool:
    if path == "the record":
        return True
    for step in path.split("."):
        found = STEP.fullmatch(step)
        assert found is not None, f"{path} is no element path"
        names = [name for name in value if name == found["name"] or re.match(found["name"] + "[A-Z]", name)] \
            if isinstance(value, dict) else []  # FHIRPath calls valueQuantity `value`
        if not names:
            return False
        value = value[min(names, key=len)]
        if found["slice"] is not None:
            named = [one for one in value if one.get("url", "").endswith(found["slice"])]
            if not named:
                return False
            value = named if found["index"] is not None else named[0]
        if found["index"] is not None:
            if not isinstance(value, list) or int(found["index"]) >= len(value):
                return False
            value = value[int(found["index"])]
    return True
