"""A small rehearsal hospital and a study that asks it, for whole pulls under a clock that is moved by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fhir_adapter import flow, kit, study
from fhir_adapter.core.runs import HospitalOutcome
from fhir_adapter.core.study import Cohort, Hospital, Pull
from fhir_adapter.core.study import Databases as Places
from fhir_adapter.sandbox.persona import PLAIN, Persona
from fhir_adapter.sandbox.server import Rehearsal, Stage, serve
from fhir_adapter.steps.workspace import Means, Workspace, opened
from tests.databases import Databases, sqlite_databases
from tests.sandbox.build import NOON, Clock, hospital, observation, patient

SECRET = b"a secret of the tests, the same in all of them"
GROUP = {"resourceType": "Group", "id": "g1", "type": "person", "actual": True,
         "member": [{"entity": {"reference": "Patient/p1"}}, {"entity": {"reference": "Patient/p2"}}]}
SAID = "2026-06-01T00:00:00Z"


class Place:
    """A small hospital and a study that asks it; time stands still unless somebody sleeps or moves it."""

    def __init__(self, server: Rehearsal, folder: Path, clock: Clock, databases: Databases | None = None) -> None:
        self.server, self.folder, self.clock = server, folder, clock
        self.databases = databases or sqlite_databases(folder)
        self.names: tuple[str, ...] = ("west",)
        """The ids under which the study knows the hospital; more than one: as if there were so many."""
        self.ahead = timedelta(0)
        """So much is our clock ahead of the hospital's."""

    @contextmanager
    def at_work(self, cohort: Cohort | None = None, transport: httpx.BaseTransport | None = None, **pull: Any
                ) -> Iterator[Workspace]:
        """The study at work, as a new process would open it."""
        hospitals = {
            name: Hospital(id=name, name=f"{name.title()} hospital", base_url=self.server.base_url,
                           cohort=cohort or Cohort(group="Group/g1"), pull=Pull(**{"rate": "1000/s", **pull}))
            for name in self.names
        }
        shipped = study.load(kit.kit_path())
        places = Places(vault="env:PLACE_VAULT_URL", trial="env:PLACE_TRIAL_URL")
        settings = shipped.settings.model_copy(update={"databases": places})
        asked = shipped.model_copy(update={"hospitals": hospitals, "settings": settings})
        means = Means(clock=lambda: self.clock() + self.ahead, sleep=self.clock.forward)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PLACE_VAULT_URL", self.databases.vault)
            patch.setenv("PLACE_TRIAL_URL", self.databases.trial)
            with opened(asked, self.folder, secret=SECRET, means=means) as work:
                yield msgspec.structs.replace(work, transport=transport)

    def pull(self, cohort: Cohort | None = None, **pull: Any) -> HospitalOutcome:
        """One pull by a process of its own."""
        with self.at_work(cohort, **pull) as work:
            return flow.pull(work, []).hospitals[0]

    def kept(self, type: str) -> dict[str, str]:
        """The records of a type that the vault holds, with what their newest versions say they are."""
        with self.at_work() as work:
            ids = work.vault.ids("west", type)
            return {id_: head.kind for id_, head in work.vault.heads("west", type, ids).items()}

    def asked(self, word: str) -> list[str]:
        """What was asked whose path ends so."""
        return [seen.path for seen in self.server.requests if seen.path.endswith(word)]


@contextmanager
def small_hospital(tmp_path: Path, *more: dict[str, Any], persona: Persona = PLAIN, databases: Databases | None = None
                   ) -> Iterator[Place]:
    """Three patients, two of them members of a Group, and nine Observations; and `more` records."""
    people = [patient(f"p{number}", meta={"versionId": "1", "lastUpdated": SAID}) for number in (1, 2, 3)]
    rows = [observation(f"o{number}", f"p{number % 3 + 1}", f"2026-06-01T0{number}:00:00Z", status="final",
                        code={"text": "x"})
            for number in range(9)]
    folder = hospital(tmp_path / "records", [*people, *rows, {**GROUP, "meta": {"versionId": "1", "lastUpdated": SAID}},
                                             *more])
    clock = Clock(NOON)
    with serve(folder, persona=persona, stage=Stage(clock=clock)) as server:
        yield Place(server, tmp_path, clock, databases)
