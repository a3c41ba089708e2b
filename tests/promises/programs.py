"""The program itself, as cron would start it, on a study folder of its own that asks the open rehearsal hospitals."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from fhir_adapter import kit, study
from fhir_adapter.sandbox.rehearse import Rehearsed, rehearse
from tests.databases import Databases
from tests.flow.conftest import SECRET


class StudyFolder:
    """A copied study: its hospitals answer on free ports, its databases are named by the environment."""

    def __init__(self, folder: Path, rehearsed: Rehearsed) -> None:
        self.folder, self.rehearsed = folder, rehearsed

    @staticmethod
    def environment(databases: Databases) -> dict[str, str]:
        """What names the databases to the program."""
        return {name: url.replace("postgresql+psycopg://", "postgresql://")
                for name, url in (("TEST_VAULT_URL", databases.vault), ("TEST_TRIAL_URL", databases.trial))}

    def start(self, databases: Databases, *words: str) -> "subprocess.Popen[str]":
        """`fhir-adapter WORDS --study FOLDER`, begun."""
        return subprocess.Popen(
            [sys.executable, "-m", "fhir_adapter", *words, "--study", str(self.folder)], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=self.folder,
            env={**os.environ, **self.environment(databases)},
        )

    def say(self, databases: Databases, *words: str) -> tuple[int, str]:
        """The same within this process, which is quicker: exit code, and all that was printed."""
        from fhir_adapter.cli.app import main

        said = io.StringIO()
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(said), redirect_stderr(said):
            patch.setenv("TEST_VAULT_URL", databases.vault)
            patch.setenv("TEST_TRIAL_URL", databases.trial)
            patch.setattr(sys, "argv", ["fhir-adapter", *words, "--study", str(self.folder)])
            patch.setattr(signal, "signal", lambda number, handler: None)
            try:
                main()
            except SystemExit as ended:
                return int(ended.code or 0), said.getvalue()
        return 0, said.getvalue()

    def run(self, databases: Databases, *words: str) -> "subprocess.CompletedProcess[str]":
        """The same, to its end."""
        with self.start(databases, *words) as process:
            out, err = process.communicate(timeout=300)
            return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextmanager
def study_folder(folder: Path) -> Iterator[StudyFolder]:
    """A copy of the shipped study in this folder, with its rehearsal hospitals open and the tests' own vault secret."""
    for name in ("mappings", "sync"):
        shutil.copytree(kit.kit_path() / name, folder / name)
    key = folder / "data" / "vault.key"
    key.parent.mkdir()
    key.write_bytes(SECRET)
    key.chmod(0o600)
    settings = folder / "sync" / "settings.toml"
    text = settings.read_text(encoding="utf-8")
    for name in ("vault", "trial"):
        text, count = re.subn(rf'^{name} = "sqlite:[^"]*"', f'{name} = "env:TEST_{name.upper()}_URL"', text, flags=re.M)
        assert count == 1
    settings.write_text(text, encoding="utf-8")
    with rehearse(study.load(folder), kit.fixtures_path() / "hospitals", work=folder) as rehearsed:
        for hospital, url in rehearsed.base_urls.items():
            path = folder / "sync" / "hospitals" / f"{hospital}.toml"
            moved = re.sub(r'base_url = "[^"]*"', f'base_url = "{url}"', path.read_text(encoding="utf-8"))
            path.write_text(moved, encoding="utf-8")
        yield StudyFolder(folder, rehearsed)
