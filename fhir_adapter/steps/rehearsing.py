"""Rehearsing: the demonstration, the rehearsal hospitals of a study, and a new study's folder."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fhir_adapter import kit, study
from fhir_adapter.core.errors import UsageError
from fhir_adapter.core.study import Study
from fhir_adapter.sandbox.rehearse import rehearse
from fhir_adapter.steps.workspace import Workspace, opened

DEMO_SECRET = b"demo: not a secret, so that every demonstration gives the same keys"
DEMO_MARK = "demo"
DEMO_NOTICE = "Rehearsal data: every person on this page is invented."


@contextmanager
def demo_workspace(folder: Path) -> Iterator[Workspace]:
    """The shipped study over `folder`/data, with its rehearsal hospitals open on free loopback ports.

    Raises UsageError when `folder` already has a vault that the demonstration did not make.
    """
    shipped = study.load(kit.kit_path())
    hospitals = kit.fixtures_path() / "hospitals"
    with rehearse(shipped, hospitals, work=folder) as rehearsed, _marked(rehearsed.study, folder) as work:
        yield work


@contextmanager
def _marked(shipped: Study, folder: Path) -> Iterator[Workspace]:
    refused = UsageError("data/ here has a vault that the demonstration did not make; run it in another folder.")
    try:
        context = opened(shipped, folder, secret=DEMO_SECRET, mark=DEMO_MARK)
        work = context.__enter__()
    except UsageError:
        raise refused from None
    try:
        if work.vault.mark != DEMO_MARK:
            raise refused
        yield work
    finally:
        context.__exit__(None, None, None)


@contextmanager
def rehearsal(folder: Path) -> Iterator[dict[str, str]]:
    """The rehearsal hospitals of a study on the ports that its files name; their base URLs by name."""
    with rehearse(study.load(folder), kit.fixtures_path() / "hospitals", ports="fixed") as rehearsed:
        yield rehearsed.base_urls


def init(folder: Path) -> list[str]:
    """Copies mappings/ and sync/ into a new folder, with a sample hospital and no other; what to do next.

    Raises UsageError when the folder is not empty.
    """
    if folder.exists() and any(folder.iterdir()):
        raise UsageError(f"{folder} is not empty; name a new folder.")
    shutil.copytree(kit.mappings_path(), folder / "mappings")
    sync = folder / "sync"
    (sync / "hospitals").mkdir(parents=True)
    (sync / "supplements").mkdir()
    shutil.copy(kit.sync_path() / "settings.toml", sync / "settings.toml")
    sample = "example.toml.sample"
    shutil.copy(kit.sync_path() / "hospitals" / sample, sync / "hospitals" / sample)
    if (kit.sync_path() / "deploy").is_dir():
        shutil.copytree(kit.sync_path() / "deploy", sync / "deploy")
    study.load(folder)
    return [
        f"{folder} is a study now. What to do next:",
        f"1. Write {folder}/sync/hospitals/NAME.toml; {sample} beside it shows the ten lines.",
        f"2. Read {folder}/mappings/trial.toml: it holds what the trial asks.",
        f"3. fhir-adapter sync --study {folder}",
    ]
