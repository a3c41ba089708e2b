"""A hospital that lives, a network that breaks, and a program that asks it until it is stopped."""

import math
import shutil
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import pytest

from fhir_adapter import flow, kit, study
from fhir_adapter.core.errors import LEASE_HELD
from fhir_adapter.core.runs import HospitalOutcome
from fhir_adapter.core.study import Databases as Places
from fhir_adapter.core.study import Hospital, Study
from fhir_adapter.sandbox import PERSONAS, Persona, Rehearsal
from fhir_adapter.sandbox.faultproxy import FaultProxy, behind_faults, listed
from fhir_adapter.sandbox.quirks import quirked, switched
from fhir_adapter.sandbox.server import Stage, start
from fhir_adapter.steps.workspace import Means, Workspace, opened
from fhir_adapter.store.engine import Database
from tests.databases import Databases
from tests.hostile.ward import STUDY
from tests.sandbox.build import NOON, Clock
from tests.schedules import records
from tests.schedules.events import Events
from tests.schedules.plans import Plan, Stop, Visit

SECRET = b"a secret of the seeded schedules"
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once; nothing here speaks TLS
DAY = 86_400.0
UNASKED = ("MedicationStatement", "BodyStructure", "Encounter")
ADDRESS = "SCHEDULE_VAULT", "SCHEDULE_TRIAL"
"""The environment variables that name the two databases."""


class Stopped(BaseException):
    """The program ends here, as by a signal: nobody catches it."""


class Moments:
    """Counts requests and transactions, lets things happen before their time comes, and ends the program at its."""

    def __init__(self, events: Callable[[int], None], stop: Stop | None) -> None:
        self._events, self._stop = events, stop
        self._counts = {"request": 0, "write": 0, "written": 0}
        self.is_over = False

    def come(self, what: str) -> None:
        """One more of them."""
        if self.is_over and self._stop is not None and self._stop.lost:
            raise Stopped
        self._counts[what] += 1
        if what == "request":
            self._events(self._counts[what])
        if not self.is_over and self._stop is not None and (what, self._counts[what]) == (
                self._stop.where, self._stop.at):
            self.is_over = True
            raise Stopped


class Between:
    """Somebody on the way who may look at requests, and change answers; this one lets all pass."""

    def ask(self, request: httpx.Request) -> None:
        """A request is about to be sent."""

    def answer(self, request: httpx.Request, response: httpx.Response) -> httpx.Response:
        """What comes back instead."""
        return response


class Line(httpx.BaseTransport):
    """Real HTTP, each request of which is a moment."""

    def __init__(self, moments: Moments, between: Between) -> None:
        self._real, self._moments, self._between = httpx.HTTPTransport(verify=NO_TLS), moments, between

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Asks the hospital."""
        self._moments.come("request")
        self._between.ask(request)
        return self._between.answer(request, self._real.handle_request(request))

    def close(self) -> None:
        """Ends the connections of one run."""
        self._real.close()


def mortal(database: Database, moments: Moments) -> None:
    """The program may end before each transaction of this database, and after it."""
    real = database.writing

    @contextmanager
    def writing() -> Iterator[Any]:
        moments.come("write")
        with real() as transaction:
            yield transaction
        moments.come("written")

    setattr(database, "writing", writing)  # noqa: B010 - mypy: a method is not assigned to


@dataclass
class World:
    """One hospital and the study that asks it; time stands still but for what moves it."""

    plan: Plan
    persona: Persona
    server: Rehearsal
    clock: Clock
    folder: Path
    base_url: str
    events: Events
    proxy: FaultProxy | None = None
    between: Between = field(default_factory=Between)
    timeout: str = "2s"
    told: list[str] = field(default_factory=list)
    """What happened, in order."""

    @contextmanager
    def at_work(self, moments: Moments | None = None) -> Iterator[Workspace]:
        """The study at work, as a new process would open it."""
        moments = moments or Moments(lambda number: None, None)
        asked = shipped().model_copy(update={"hospitals": {"west": hospital(self)}})
        means = Means(clock=lambda: self.clock() + self.events.ahead, sleep=self._sleep,
                      random=Random(self.plan.seed))
        with opened(asked, self.folder, secret=SECRET, means=means) as work:
            mortal(work.vault.database, moments)
            yield msgspec.structs.replace(work, transport=Line(moments, self.between))

    def visit(self, visit: Visit, *, keep_network: bool = False) -> HospitalOutcome | None:
        """What happens, then one pull; None if the program was stopped before its end.

        `keep_network`: whoever opened the proxy says what it breaks, and the hospital's faults can still be counted.
        """
        for one in visit.before:
            self.told.append(f"  {self.events.happen(one)}")
        self.clock.forward(visit.passed)
        self.server.play(replace(self.persona, faults=(*self.persona.faults, *visit.faults)))
        due = {at: [one for one in visit.during if one.at == at] for at in {one.at for one in visit.during}}

        def events(number: int) -> None:
            self.clock.forward(0.001)
            for one in due.get(number, ()):
                self.told.append(f"  before request {number}: {self.events.happen(one)}")

        outcome = None
        with nullcontext() if keep_network else self._network(visit), ExitStack() as stack:
            try:
                work = stack.enter_context(self.at_work(Moments(events, visit.stop)))
                outcome = flow.pull(work, []).hospitals[0]
            except Stopped:
                self.told.append(f"stopped {visit.stop}")
        if not keep_network:
            self.server.play(self.persona)
        if outcome is not None:
            self.told.append(f"exit {outcome.code} {outcome.counts.new} new {outcome.messages}")
        if outcome is None or outcome.code == LEASE_HELD:
            self.clock.forward(660)  # a lease that nobody gave back is over then
        return outcome

    def _sleep(self, seconds: float) -> None:
        """Waits for a rate as they are; all others to the next power of two, since their jitter is by chance."""
        self.clock.forward(seconds if seconds < 0.01 else 2.0 ** math.ceil(math.log2(max(1.0, seconds))))

    @contextmanager
    def _network(self, visit: Visit) -> Iterator[None]:
        if self.proxy is None:
            yield
            return
        self.proxy.exchanges, self.proxy.schedule = 0, listed(visit.network)
        try:
            if visit.down:
                with self.proxy.down():
                    yield
            else:
                yield
        finally:
            self.proxy.schedule = listed(())


def hospital(world: World) -> Hospital:
    """The hospital's file, as a coordinator who knows this vendor writes it."""
    plan, persona = world.plan, world.persona
    gap = {"unavailable": {"since": "2026-01-05", "reason": "not in this study", "signed_by": "dm1"}}
    types: dict[str, Any] = {name: gap for name in UNASKED}
    types |= {name: gap for name in records.TYPES if name not in plan.types or name in persona.missing}
    if plan.persona == "epic":
        types["AdverseEvent"] = {"parameters": {"study": records.STUDY_ID}}
        types["Observation"] = {"categories": ["laboratory", "vital-signs"], "codes": []}
    bulk: dict[str, Any] = {"since": not persona.bulk.since_drops_children}
    if plan.persona == "oracle":
        bulk["types"] = [name for name in records.TYPES if name not in ("AdverseEvent", "MedicationAdministration")]
    cohort: dict[str, Any] = {"all": True}
    if plan.cohort == "group":
        cohort = {"group": f"Group/{records.GROUP_ID}"}
    elif plan.cohort == "research_study":
        cohort = {"research_study": f"{STUDY}|ATC-PD1"}
    estimates = persona.paging.total in ("estimated", "exact_at_end")
    return Hospital.model_validate({
        "id": "west", "name": "West hospital", "base_url": world.base_url, "cohort": cohort, "types": types,
        "auth": {"headers": {"Epic-Client-ID": "adapter"} if persona.door.header else {}},
        "pull": {"mode": plan.mode, "page_size": plan.page_size, "patients_per_question": plan.patients, "bulk": bulk,
                 "rate": "100000/s", "timeout": world.timeout, "totals": "ignore" if estimates else "check",
                 "file_origins": [world.server.annex_url]},
    })


@contextmanager
def named_by_environment(databases: Databases) -> Iterator[None]:
    """These databases are the study's until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ADDRESS[0], databases.vault)
        patch.setenv(ADDRESS[1], databases.trial)
        yield


@cache
def shipped() -> Study:
    """The shipped study over the databases that the environment names."""
    found = study.load(kit.kit_path())
    places = Places(vault=f"env:{ADDRESS[0]}", trial=f"env:{ADDRESS[1]}")
    return found.model_copy(update={"settings": found.settings.model_copy(update={"databases": places})})


@contextmanager
def opened_world(plan: Plan, home: Path, data: Path, *, proxied: bool = False) -> Iterator[World]:
    """The world of a plan in a fresh folder, its hospital open; its databases are those of the environment.

    `proxied`: asked through a network that can break, also where the plan does not say how.
    """
    persona = quirked(PERSONAS[plan.persona], *plan.quirks)
    # Pages of two make tokens too long for a history, which cannot be halved; with pages of 200 they stay short.
    persona = switched(persona, "paging.token_growth", min(persona.paging.token_growth, 20))
    clock = Clock(NOON)
    server = start(data, persona=persona, stage=Stage(clock=clock, seed=plan.seed))
    try:
        events = Events(server, clock, plan.ahead)
        world = World(plan, persona, server, clock, home, server.base_url, events)
        with ExitStack() as stack:
            if plan.proxied or proxied:
                world.proxy = stack.enter_context(behind_faults(server, listed(())))
                world.base_url = server.base_url
            yield world
    finally:
        server.stop()


def empty(template: Path, home: Path) -> Databases:
    """Databases of a world on SQLite: copies of empty ones, which is quicker than to make them."""
    home.mkdir(parents=True, exist_ok=True)
    for name in ("vault", "trial"):
        shutil.copy(template / f"{name}.sqlite", home / f"{name}.sqlite")
    return Databases(f"sqlite:///{home}/vault.sqlite", f"sqlite:///{home}/trial.sqlite", "sqlite")
