"""A study of three subjects at two hospitals with one conflict each, for tests that need thousands of decisions.

Its hospitals are folders of files: what a record says is changed by writing a folder anew and reading it again.
"""

import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import pytest
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from fhir_adapter import flow, kit, study
from fhir_adapter.core.study import Databases as Places
from fhir_adapter.core.study import Hospital
from fhir_adapter.steps.workspace import Workspace, opened
from fhir_adapter.store.records import Signature
from tests.databases import Databases, postgres_databases, sqlite_databases
from tests.web.conftest import ACCOUNTS, PASSWORD

PATIENTS = {"unit_implausible": ("west", "zzw-p-82f9cc08"), "grades_disagree": ("east", "zze-p-cc760cbc"),
            "readers_disagree": ("east", "zze-p-c4bdd4f5")}
"""fixtures/decisions.csv: where, and the patient whose records raise each kind of conflict."""
VERSIONS = {"east": "R5", "west": "R4"}
CHANGED = ('"C41340","display":"Grade 3"', '"C41337","display":"Grade 4"')
"""The event with two grades (fixtures: zze-ae-0029), as it is sent, and as it is corrected."""
QUICK = PasswordHash((Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1),))
"""argon2 as in the product, as quick as it can be: hundreds of signatures ask for the password."""


def deliver(folder: Path) -> None:
    """Writes what the hospitals say about the three patients."""
    for path in sorted((kit.fixtures_path() / "hospitals").glob("*/*.ndjson")):
        hospital, kind = path.parent.name, path.stem
        patients = [patient for name, patient in PATIENTS.values() if name == hospital]
        if patients and kind != "history":
            (folder / hospital).mkdir(parents=True, exist_ok=True)
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            mine = [line for line in lines if kind in ("ResearchStudy", "Medication")
                    or any(one in line for one in patients)]
            (folder / hospital / path.name).write_text("".join(mine), encoding="utf-8")


def correct(folder: Path) -> None:
    """East corrects the event's grade: a new version of one record."""
    path = folder / "east" / "AdverseEvent.ndjson"
    lines = path.read_text(encoding="utf-8").splitlines()
    for place, line in enumerate(lines):
        if json.loads(line)["id"] == "zze-ae-0029":
            record = json.loads(line.replace(*CHANGED))
            record["meta"] = {"versionId": "2", "lastUpdated": "2024-06-06T06:00:00.000Z"}
            lines[place] = json.dumps(record, ensure_ascii=False, separators=(",", ":"))
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


class Small:
    """The study, synced once; each test, or sequence of steps, takes a copy of its databases and files."""

    def __init__(self, backend: str, server: str, folder: Path, stack: ExitStack) -> None:
        self.backend, self.server, self.folder = backend, server, folder
        self._copies = 0
        deliver(folder / "delivery")
        self._made = (sqlite_databases(folder) if backend == "sqlite"
                      else stack.enter_context(postgres_databases(server)))
        with self._opened(self._made, folder) as work:
            flow.sync(work, [])
            by = Signature(by="test", system_user="test", at=work.clock())
            for account in ACCOUNTS:
                own = tuple(one for one in account.hospitals if one in VERSIONS)
                work.vault.add_account(msgspec.structs.replace(account, hospitals=own), QUICK.hash(PASSWORD), by)

    @contextmanager
    def copy(self) -> Iterator[Workspace]:
        """The study as it was synced, for whoever changes it."""
        self._copies += 1
        home = self.folder / f"copy{self._copies}"
        shutil.copytree(self.folder / "delivery", home / "delivery")
        with ExitStack() as stack:
            if self.backend == "sqlite":
                copied = sqlite_databases(home)
                for before, after in ((self._made.vault, copied.vault), (self._made.trial, copied.trial)):
                    shutil.copy(before.removeprefix("sqlite:///"), after.removeprefix("sqlite:///"))
            else:
                name = urlsplit(self._made.vault).path.lstrip("/")
                copied = stack.enter_context(postgres_databases(self.server, template=name))
            try:
                yield stack.enter_context(self._opened(copied, home))
            finally:
                stack.close()
                shutil.rmtree(home)

    @contextmanager
    def _opened(self, databases: Databases, home: Path) -> Iterator[Workspace]:
        shipped = study.load(kit.kit_path())
        asked = {name: Hospital.model_validate({
            "id": name, "name": f"{name.title()} hospital", "fhir_version": version, "cohort": {"all": True},
            "pull": {"mode": "files", "path": str(home / "delivery" / name)}}) for name, version in VERSIONS.items()}
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TEST_VAULT_URL", databases.vault)
            patch.setenv("TEST_TRIAL_URL", databases.trial)
            places = Places(vault="env:TEST_VAULT_URL", trial="env:TEST_TRIAL_URL")
            settings = shipped.settings.model_copy(update={"databases": places})
            small = shipped.model_copy(update={"settings": settings, "hospitals": asked})
            with opened(small, home, secret=b"a secret of the tests") as work:
                yield work
