"""Small ways to make what jobs are tested on: hospitals, past runs, and a study of three patients on loopback."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fhir_adapter import flow, kit, study
from fhir_adapter.core.study import Hospital
from fhir_adapter.jobs.due import Asked
from fhir_adapter.sandbox.rehearse import rehearse
from fhir_adapter.sandbox.server import Rehearsal
from tests.databases import Databases

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
"""A Monday."""

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PATIENTS = 3
FIRST = 9
"""The three patients of South hospital with whom nothing is wrong: after them a sync is whole."""

ROOT = Path(__file__).resolve().parents[2]


def hospital(name: str = "west", **pull: Any) -> Hospital:
    """A hospital with these settings of [pull]."""
    return Hospital.model_validate({"id": name, "name": name, "base_url": "https://west.example", "pull": pull})


def asked(ago: timedelta, *, whole: bool = True, lasted: timedelta = MINUTE, name: str = "west") -> Asked:
    """A run that began so long before NOW."""
    return Asked(hospital=name, started=NOW - ago, ended=NOW - ago + lasted, whole=whole)


class Job:
    """The program as a scheduler starts it, on a study folder whose one hospital answers on a free port."""

    def __init__(self, folder: Path, databases: Databases | None = None, server: Rehearsal | None = None) -> None:
        self.folder, self.databases, self.server = folder, databases, server
        urls = databases or Databases(f"sqlite:///{folder / 'data' / 'vault.sqlite'}",
                                      f"sqlite:///{folder / 'data' / 'trial.sqlite'}", "sqlite")
        self.urls = urls
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "JOBS_VAULT_URL": urls.vault,
                            "JOBS_TRIAL_URL": urls.trial}

    def start(self, *words: str, program: tuple[str, ...] = ("-m", "fhir_adapter")) -> "subprocess.Popen[str]":
        """`fhir-adapter WORDS --study FOLDER`, begun."""
        return subprocess.Popen([sys.executable, *program, *words, "--study", str(self.folder)], text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment, cwd=self.folder)

    def run(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """The same, to its end."""
        with self.start(*words) as process:
            out, err = process.communicate(timeout=240)
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def configure(self, text: str) -> None:
        """Adds to sync/settings.toml."""
        with (self.folder / "sync" / "settings.toml").open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")

    def pull(self, text: str) -> None:
        """Adds to [pull] of the hospital."""
        path = self.folder / "sync" / "hospitals" / "south.toml"
        path.write_text(path.read_text(encoding="utf-8").replace("[pull]\n", f"[pull]\n{text}\n"), encoding="utf-8")

    def runs(self) -> list[tuple[int | None, tuple[str, ...]]]:
        """Exit code and hospitals of the runs so far, newest first."""
        with self.work() as work:
            return [(run.exit_code, tuple(run.counts)) for run in work.vault.runs(50)]

    @contextmanager
    def work(self) -> Iterator[flow.Workspace]:
        """The study, opened in this process."""
        before = {name: os.environ.get(name) for name in ("JOBS_VAULT_URL", "JOBS_TRIAL_URL")}
        os.environ.update({name: self.environment[name] for name in before})
        try:
            with flow.open_workspace(self.folder) as work:
                yield work
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


@contextmanager
def job(folder: Path, databases: Databases | None = None) -> Iterator[Job]:
    """A study of three patients of one hospital (STU3), which is open until the block ends."""
    flow.init(folder / "study", rehearsal=True)
    hospitals = folder / "study" / "sync" / "hospitals"
    for path in hospitals.glob("*.toml"):
        if path.stem != "south":
            path.unlink()
    _few(kit.fixtures_path() / "hospitals" / "south", folder / "fixtures" / "south")
    settings = folder / "study" / "sync" / "settings.toml"
    text = settings.read_text(encoding="utf-8")
    for name in ("vault", "trial"):
        text, count = re.subn(rf'^{name} = "sqlite:[^"]*"', f'{name} = "env:JOBS_{name.upper()}_URL"', text, flags=re.M)
        assert count == 1
    settings.write_text(text, encoding="utf-8")
    (folder / "study" / "data").mkdir()
    with rehearse(study.load(folder / "study"), folder / "fixtures", work=folder / "study") as rehearsed:
        path = hospitals / "south.toml"
        moved = re.sub(r'base_url = "[^"]*"', f'base_url = "{rehearsed.base_urls["south"]}"',
                       path.read_text(encoding="utf-8"))
        path.write_text(moved, encoding="utf-8")
        yield Job(folder / "study", databases, rehearsed.hospitals["south"])


def _few(source: Path, target: Path) -> None:
    """The fixtures of these patients: their records, the study, and what belongs to nobody."""
    target.mkdir(parents=True)
    people = [json.loads(line)["id"] for line in _lines(source / "Patient.ndjson")[FIRST:FIRST + PATIENTS]]
    for path in source.glob("*.ndjson"):
        if path.name == "history.ndjson":
            continue
        kept = [line for line in _lines(path) if _is_of(json.loads(line), line, people)]
        (target / path.name).write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def _is_of(record: dict[str, Any], line: str, people: list[str]) -> bool:
    if record["resourceType"] == "Patient":
        return record["id"] in people
    others = re.findall(r'"Patient/([^"]+)"', line)
    return all(one in people for one in others)


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()
