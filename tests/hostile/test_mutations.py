"""Whatever a record holds, mapping it, writing it and concluding from it stops nothing: mutated fixtures."""

import hashlib
from collections.abc import Iterator
from copy import deepcopy
from itertools import count, islice
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fhir_adapter import flow, kit
from fhir_adapter.steps.leases import trial_lease
from fhir_adapter.steps.mapping import Mapper
from fhir_adapter.steps.workspace import Workspace
from fhir_adapter.store.records import Version
from tests.databases import Databases
from tests.hostile.ward import Ward, ward

VERSIONS = {"west": "R4", "east": "R5", "south": "STU3"}
EACH = 12
"""Records of each type and hospital to begin with, each of another code."""

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 2**31, 10**19, 10**30, 1e-30, 0.1, "", " ", "\x00", "zz", "#", "#zz", "urn:uuid:1", "/",
    "Patient/", "a/b/c/d", "2024-13", "2023-02-30", "0001-01-01", "0001", "9999-12-31", "9999",
    "2024-03-31T23:30:00+14:00", "NaN", "z" * 10_000, "<div>", "\u202e", "\U0001f9ea",
    [], {}, [None], [[]], [{}], {"value": {}}, {"coding": [{}]},
    {"reference": "Patient/zz"}, {"start": "2024", "end": "2023"}, {"extension": [{"url": "zz", "valueCode": "zz"}]},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place inside a resource."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inner:
        yield (*path, key)
        yield from places(item, (*path, key))


def resources() -> list[tuple[str, dict[str, Any]]]:
    """Resources of every type, hospital and code of the fixtures, with the FHIR version of each."""
    found = []
    for hospital, version in VERSIONS.items():
        for path in sorted((kit.fixtures_path() / "hospitals" / hospital).glob("[A-Z]*.ndjson")):
            records = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line.strip()]
            by_code = {str(record.get("code") or record.get("event") or number % 3): record
                       for number, record in enumerate(records)}
            found += [(version, record) for record in islice(by_code.values(), EACH)]
    return found


RESOURCES = resources()


@st.composite
def mutated(draw: st.DrawFn) -> tuple[str, dict[str, Any]]:
    """A resource with one to four of its places replaced, removed or doubled."""
    version, whole = draw(st.sampled_from(RESOURCES))
    resource = deepcopy(whole)
    for _ in range(draw(st.integers(1, 4))):
        place = draw(st.sampled_from(sorted(places(resource), key=str)))
        holder = resource
        for key in place[:-1]:
            holder = holder[key]
        what = draw(st.sampled_from(("replace", "replace", "remove", "double")))
        if what == "replace":
            holder[place[-1]] = deepcopy(draw(st.sampled_from(ODD)))
        elif what == "remove":
            del holder[place[-1]]
        else:
            holder[place[-1]] = [holder[place[-1]], deepcopy(holder[place[-1]])]
        if not resource:
            break
    return version, resource


class Bench:
    """A ward whose mapper takes records that no hospital sent."""

    def __init__(self, ward: Ward) -> None:
        self.ward, self.numbers = ward, count(1)
        self.mappers = {version: Mapper(self.speaking(version)) for version in VERSIONS.values()}

    def speaking(self, version: str) -> Workspace:
        """The study with its hospital in another FHIR version."""
        hospital = self.ward.work.study.hospitals[self.ward.name].model_copy(update={"fhir_version": version})
        study = self.ward.work.study.model_copy(update={"hospitals": {self.ward.name: hospital}})
        return msgspec.structs.replace(self.ward.work, study=study)

    def version(self, type: str, body: bytes) -> Version:
        """Those bytes, as a new record of the ward's first patient."""
        number = next(self.numbers)
        return Version(
            key=f"{number:032x}", ordinal=1, hospital=self.ward.name, seq=number, type=type, fhir_id=f"zz-{number}",
            patient=self.ward.person(), kind="content", version_id="1", last_updated="", body=body, url="", run=1,
            sha256=hashlib.sha256(body).hexdigest(), encoding="identity", received_at="", head=1, was_head=True,
        )


@pytest.fixture(scope="module")
def bench(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One ward for all examples, synced once."""
    folder: Path = tmp_path_factory.mktemp("mutations")
    with ward(databases, folder, people=1) as opened:
        opened.sync()
        yield Bench(opened)


@given(mutated())
@settings(max_examples=250, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture, HealthCheck.data_too_large])
def test_a_mutated_record_is_accounted_for_and_can_be_written(bench: Bench, case: tuple[str, dict[str, Any]]) -> None:
    """It becomes facts, a problem, a doubt or a reason; both databases take what it became."""
    version, resource = case
    type = resource.get("resourceType")
    row = bench.version(type if isinstance(type, str) and type else "Observation", msgspec.json.encode(resource))
    record = bench.mappers[version].map(row)
    assert record.facts or record.reason
    assert not any("understood" in problem.message for problem in record.problems), record.problems
    with trial_lease(bench.ward.work) as lease:
        bench.ward.work.trial.write_mapping(lease, bench.ward.name, [record], None)


def test_all_of_it_together_can_be_concluded(bench: Bench) -> None:
    """One subject who has all the mutated records at once: settling and deriving come to an end."""
    assert flow.conclude(bench.ward.work, everyone=True) > 0
    assert {one.subject for one in flow.subjects(bench.ward.work)} >= {f"{bench.ward.name.upper()}-1"}
