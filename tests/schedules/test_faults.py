"""The fault matrix: every fault, at every type, on both databases: never silently partial (issue 3).

A fault strikes each request for one type, for as long as it lasts. The sync that meets it has everything all the same,
or ends with 3 or 5, names the type in `status` (or what could not be opened, in quarantine), and claims nothing that is
not so (books.py); the neighbour is not held up. Once the fault is gone, a sync has everything.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fhir_adapter.core.errors import INCOMPLETE, UNAVAILABLE, WHOLE
from fhir_adapter.sandbox import Fault
from fhir_adapter.sandbox.faultproxy import NetFault
from fhir_adapter.sandbox.persona import FaultKind
from fhir_adapter.sandbox.quirks import switched
from tests.databases import BACKENDS
from tests.schedules import records
from tests.schedules.books import Books
from tests.schedules.conftest import Templates
from tests.schedules.place import Between, World, named_by_environment, opened_world
from tests.schedules.plans import Plan, Visit

TYPES = ("Patient", "MedicationAdministration", "Procedure", "Observation", "AdverseEvent")
NEIGHBOUR = "Condition"
Change = Callable[[httpx.Response], httpx.Response]


@dataclass(frozen=True)
class Trouble:
    """One fault: of the hospital (`kind`, `status`, or a switch of its persona), of the network, or on the way."""

    kind: FaultKind | None = None
    status: int = 500
    code: str = "exception"
    page: int = 0
    ignores: bool = False
    repeats: bool = False
    network: NetFault | None = None
    change: Change | None = None
    timeout: str = "2s"


def _bundle(edit: Callable[[dict[str, Any]], Any]) -> Change:
    """Every Bundle on its way is changed so."""

    def change(response: httpx.Response) -> httpx.Response:
        body = response.read()
        found = msgspec.json.decode(body)
        if found.get("resourceType") == "Bundle":
            edit(found)
        return httpx.Response(response.status_code, content=msgspec.json.encode(found), headers=FHIR)

    return change


def _instead(body: bytes, **headers: str) -> Change:
    """Something else comes back, with status 200."""
    return lambda response: httpx.Response(200, content=iter([body]), headers={**FHIR, **headers})


def _elsewhere(bundle: dict[str, Any]) -> None:
    for link in bundle.get("link", ()):
        if link["relation"] == "next":
            link["url"] = "https://elsewhere.example/fhir/page2"


def _other_type(bundle: dict[str, Any]) -> None:
    for entry in bundle.get("entry", ()):
        entry["resource"] = {**entry["resource"], "resourceType": "Basic"}


def _without_records(bundle: dict[str, Any]) -> None:
    for entry in bundle.get("entry", ()):
        entry.pop("resource", None)


def _shrinking(bundle: dict[str, Any]) -> None:
    if "next" not in {link["relation"] for link in bundle.get("link", ())} and "total" in bundle:
        bundle["total"] -= 1


def _lost_entries(bundle: dict[str, Any]) -> None:
    bundle.pop("entry", None)


def _one_lost(bundle: dict[str, Any]) -> None:
    bundle["entry"] = bundle.get("entry", [])[1:]


FHIR = {"content-type": "application/fhir+json"}
HTTP = {f"HTTP {status}": Trouble("error", status=status, code=code) for status, code in (
    (400, "invalid"), (401, "login"), (403, "forbidden"), (404, "not-found"), (408, "timeout"), (410, "deleted"),
    (422, "too-costly"), (429, "throttled"), (500, "exception"), (502, "transient"), (503, "transient"),
    (504, "timeout"))}
TROUBLES = {
    **HTTP,
    "connection refused": Trouble(network=NetFault(kind="refuse")),
    "reset amid the answer": Trouble(network=NetFault(kind="reset", after=300)),
    "closed amid the answer": Trouble(network=NetFault(kind="truncate", after=300)),
    "silence": Trouble(network=NetFault(kind="stall", after=50, seconds=0.3), timeout="PT0.1S"),
    "drips past the time-out": Trouble(network=NetFault(kind="drip", seconds=2.5), timeout="PT0.1S"),
    "a TLS alert": Trouble(network=NetFault(kind="tls")),
    "HTML with 200": Trouble("html"),
    "a gateway's HTML": Trouble("gateway"),
    "an empty body": Trouble("bare", status=200),
    "malformed JSON": Trouble("truncated"),
    "shorter than announced": Trouble("cut_off"),
    "an OperationOutcome instead": Trouble("outcome_only"),
    "records left out, an entry says so": Trouble("outcome", code="suppressed"),
    "an entry nested too deep": Trouble("deep"),
    "the next link lost": Trouble("no_next"),
    "the next link looping": Trouble("same_next"),
    "the next page expired": Trouble("expired", page=2),
    "the next link off-origin": Trouble(change=_bundle(_elsewhere)),
    "the filter ignored": Trouble(ignores=True),
    "rows that come again": Trouble(repeats=True),
    "a shrinking total": Trouble(change=_bundle(_shrinking)),
    "a total too high": Trouble(change=_bundle(lambda bundle: bundle.update(total=99))),
    "records of another type": Trouble(change=_bundle(_other_type)),
    "entries without records": Trouble(change=_bundle(_without_records)),
    "no entries": Trouble(change=_bundle(_lost_entries)),
    "one record of each page lost": Trouble(change=_bundle(_one_lost)),
    "broken gzip": Trouble(change=_instead(b"\x1f\x8b\x08 no gzip", **{"content-encoding": "gzip"})),
    "XML": Trouble(change=_instead(b'<Bundle xmlns="http://hl7.org/fhir"/>', **{"content-type": "application/xml"})),
    "bytes that are no text": Trouble(change=_instead(b'{"resourceType":"Bundle","type":"\xff\xfe')),
    "a list": Trouble(change=_instead(b"[]")),
    "null": Trouble(change=_instead(b"null")),
}


class Meddler(Between):
    """Finds the requests for one type, breaks the network for them, or changes what comes back."""

    def __init__(self, type: str, trouble: Trouble) -> None:
        self._path, self._trouble = f"/fhir/{type}", trouble
        self.armed = False
        self.struck = 0

    def ask(self, request: httpx.Request) -> None:
        """The network breaks for this request, or it does not."""
        path = request.url.path
        self.armed = (path == self._path or path.startswith(f"{self._path}/")) and not path.endswith("/_history")

    def answer(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """Changed, if it is one of those."""
        if not self.armed or self._trouble.change is None:
            return response
        self.struck += 1
        changed = self._trouble.change(response)
        response.close()
        return changed

    def fault(self, exchange: int) -> NetFault | None:
        """What the network does with the request that was just asked."""
        return self._trouble.network if self.armed else None


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A member and somebody else, with two records of each type: every answer has two pages of one."""
    return records.write(tmp_path_factory.mktemp("two") / "west", ("p1",), ("p1", "p5"), records.few)


@pytest.mark.hard
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("type", TYPES)
@pytest.mark.parametrize("name", TROUBLES)
def test_never_silently_partial(
    name: str, type: str, backend: str, templates: Templates, two: Path, tmp_path: Path
) -> None:
    """Everything, or 3 or 5 with a name; afterwards everything."""
    plan = Plan(seed=0, page_size=1, types=(type, NEIGHBOUR) if type != "Patient" else (NEIGHBOUR,),
                cohort="all" if type == "Patient" else "research_study")
    home = tmp_path / "home"
    with (templates.fresh(backend, home) as databases, named_by_environment(databases),
          opened_world(plan, home, two, proxied=True) as world):
        struck = _while_it_lasts(world, type, TROUBLES[name])
        assert struck > 0
        world.clock.forward(7200)
        began = world.clock()
        outcome = world.visit(Visit())
        assert outcome is not None
        assert outcome.code == WHOLE, world.told
        with world.at_work() as work:
            books = Books(world, work)
        assert books.faults(began) == []
        assert books.differences(world.clock(), deletions=True, weekly=False) == []


def _while_it_lasts(world: World, type: str, trouble: Trouble) -> int:
    """One sync under the fault; what may not be, is asserted. How often it struck."""
    plain, meddler = world.persona, Meddler(type, trouble)
    if trouble.ignores:
        ignored = {"_id"} if type == "Patient" else {"patient", "subject"}
        world.persona = switched(plain, "ignored", frozenset(f"{type}.{one}" for one in ignored))
    if trouble.repeats:
        world.persona = switched(plain, "paging.repeats", True)
    if trouble.kind is not None:
        world.persona = switched(plain, "faults", tuple(
            Fault(kind=trouble.kind, on=on, type=type, page=trouble.page, times=None, status=trouble.status,
                  code=trouble.code) for on in ("page", "read")))  # fmt: skip
    world.between, world.timeout = meddler, trouble.timeout
    assert world.proxy is not None
    world.proxy.schedule = meddler.fault
    began = world.clock()
    outcome = world.visit(Visit(), keep_network=True)
    world.proxy.schedule = lambda exchange: None
    assert outcome is not None
    with world.at_work() as work:
        books, waiting = Books(world, work), work.vault.quarantined(unacknowledged=True)
    code = outcome.code or (INCOMPLETE if waiting else WHOLE)
    missing = {one for one, _ in books.differences(world.clock(), deletions=True, weekly=False)}
    assert code in (WHOLE, INCOMPLETE, UNAVAILABLE), world.told
    assert code != WHOLE or not missing, world.told
    if not waiting:
        assert books.faults(began if code == WHOLE else None) == [], world.told
        assert all(books.names(one) for one in missing), (missing, books.open, world.told)
    if code == INCOMPLETE and type != "Patient":
        assert NEIGHBOUR not in missing | books.open, world.told
    met = sum(world.server.house.faults.met.values()) + len(world.proxy.struck) + meddler.struck
    world.persona, world.between, world.timeout = plain, Between(), "2s"
    return met or int(trouble.ignores or trouble.repeats)
