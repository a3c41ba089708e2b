"""Rehearsing: the demonstration, the rehearsal hospitals of a study, and a new study's folder."""

import csv
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fhir_adapter import kit, study
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Hospital, Person, Settings, Study
from fhir_adapter.sandbox.rehearse import is_rehearsal, persona_of, rehearse
from fhir_adapter.steps.workspace import Workspace, opened

SAMPLE = "hospitals/example.toml.sample"
DEMO_SECRET = b"demo: not a secret, so that every demonstration gives the same keys"
DEMO_MARK = "demo"
DEMO_NOTICE = "Rehearsal data: every person on this page is invented."


KEY = Path("data") / "vault.key"
"""Where the demonstration leaves its secret, so that other commands can open its vault afterwards."""


@contextmanager
def demo_workspace(folder: Path) -> Iterator[Workspace]:
    """The shipped study over `folder`/data, with its rehearsal hospitals open on free loopback ports.

    Raises UsageError when `folder` already has a vault that the demonstration did not make.
    """
    with rehearse(demo_study(), _fixtures(), work=folder) as rehearsed, _marked(rehearsed.study, folder) as work:
        yield work


def demo_study() -> Study:
    """The shipped study with its rehearsal hospitals and sheets alone, over databases of its own.

    In a checkout the kit is the repository, where people may have added real hospitals and databases: those are
    never touched by a demonstration.
    """
    shipped = study.load(kit.kit_path())
    people = {**shipped.settings.people, "demo": Person(name="The demo", role="data manager")}
    hospitals = {name: one for name, one in shipped.hospitals.items() if _is_invented(one)}
    return shipped.model_copy(update={"settings": Settings(people=people), "hospitals": hospitals})


def study_at(folder: Path) -> Study:
    """The study of a folder; the demonstration's where nothing but the demonstration has been."""
    return demo_study() if only_demo(folder) else study.load(folder)


def only_demo(folder: Path) -> bool:
    """Whether a folder is no study, but has what the demonstration left."""
    is_study = (folder / "mappings").is_dir() or (folder / "sync").is_dir()
    return not is_study and _secret_at(folder) == DEMO_SECRET


@contextmanager
def _marked(shipped: Study, folder: Path) -> Iterator[Workspace]:
    refused = UsageError("data/ here has a vault that the demonstration did not make; run it in another folder.")
    if _secret_at(folder) not in (None, DEMO_SECRET):
        raise refused
    try:
        context = opened(shipped, folder, secret=DEMO_SECRET, mark=DEMO_MARK)
        work = context.__enter__()
    except UsageError:
        raise refused from None
    try:
        if work.vault.mark != DEMO_MARK:
            raise refused
        if _secret_at(folder) is None:
            _leave_secret(folder / KEY)
        yield work
    finally:
        context.__exit__(None, None, None)


def _secret_at(folder: Path) -> bytes | None:
    path = folder / KEY
    return path.read_bytes().strip() if path.is_file() else None


def _leave_secret(path: Path) -> None:
    path.touch(mode=0o600)
    path.write_bytes(DEMO_SECRET)


def _fixtures() -> Path:
    return kit.fixtures_path() / "hospitals"


def _is_invented(hospital: Hospital) -> bool:
    return hospital.pull.mode == "sheet" or is_rehearsal(hospital, _fixtures())


@contextmanager
def rehearsal(folder: Path, persona: str = "plain", quirks: tuple[str, ...] = ()) -> Iterator[dict[str, str]]:
    """The rehearsal hospitals of a study on the ports that its files name; their base URLs by name.

    Raises UsageError when there is no such persona or quirk.
    """
    habits = persona_of(persona, quirks)
    with rehearse(study_at(folder), _fixtures(), ports="fixed", work=folder, persona=habits) as rehearsed:
        yield rehearsed.base_urls


def init(folder: Path, *, rehearsal: bool = False) -> list[str]:
    """Copies mappings/ and sync/ into a new folder, with a sample hospital; what to do next.

    No other hospital is copied, unless it shall be a `rehearsal`: then the rehearsal hospitals and their sheets are,
    and what their own codes mean.
    Raises UsageError when the folder is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not empty; name a new folder.")
    shutil.copytree(kit.mappings_path(), folder / "mappings")
    sync, shipped = folder / "sync", kit.sync_path()
    (sync / "hospitals").mkdir(parents=True)
    (sync / "supplements").mkdir()
    for name in ("settings.toml", SAMPLE):
        shutil.copy(shipped / name, sync / name)
    if (shipped / "deploy").is_dir():
        shutil.copytree(shipped / "deploy", sync / "deploy")
    if not rehearsal:
        for path in (folder / "mappings" / "concepts").glob("*.csv"):
            _without_hospitals(path)
    for hospital in demo_study().hospitals.values() if rehearsal else ():
        name = f"hospitals/{hospital.id}.toml"
        shutil.copy(shipped / name, sync / name)
        if hospital.pull.path is not None:
            shutil.copytree(shipped / hospital.pull.path, sync / hospital.pull.path)
    study.load(folder)
    if rehearsal:
        return [f"{folder} is a study now, with rehearsal hospitals. What to do next:",
                f"1. In one terminal:  fhir-adapter sandbox --study {folder}",
                f"2. In another one:   fhir-adapter sync --study {folder}"]
    return [
        f"{folder} is a study now. What to do next:",
        f"1. Copy {folder}/sync/{SAMPLE} to NAME.toml beside it and fill in its ten lines.",
        f"2. Read {folder}/mappings/trial.toml: it holds what the trial asks.",
        f"3. Name in {folder}/sync/settings.toml who may decide.",
        f"4. fhir-adapter sync --study {folder}",
    ]


def _without_hospitals(path: Path) -> None:
    """Leaves the rows of a concept list that hold for every hospital."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    place = header.index("hospital")
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *(row for row in rows if not row[place])])


def wait_until_stopped() -> None:
    """Sleep until somebody stops the program."""
    while True:
        time.sleep(3600)
