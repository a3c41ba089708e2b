"""The command line at work: a rehearsal study, its hospitals served by the real `sandbox` command, and a first sync."""

import io
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter.cli.app import main

PROGRAM = [sys.executable, "-m", "fhir_adapter"]
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The answer as a value."""
        return json.loads(self.out)

    @property
    def rows(self) -> list[list[str]]:
        """The answer as the cells of a table, its header left out."""
        return [line.split("\t") for line in self.out.splitlines()[1:]]


def run(*words: str | Path, study: Path | None = None) -> Ended:
    """A command in this process, through the front door: argument parsing, errors and exit codes included."""
    command = ["fhir-adapter", *(str(word) for word in words), *(("--study", str(study)) if study is not None else ())]
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    out, err = io.StringIO(), io.StringIO()
    patch = pytest.MonkeyPatch()
    patch.setattr(sys, "argv", command)
    try:
        with redirect_stdout(out), redirect_stderr(err):
            main()
        code = 0
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    finally:
        patch.undo()
        for number, handler in before.items():
            signal.signal(number, handler)
    assert "Traceback" not in err.getvalue()
    return Ended(code, out.getvalue(), err.getvalue())


def program(*words: str, folder: Path) -> Ended:
    """A command as its own process, in a folder."""
    done = subprocess.run([*PROGRAM, *words], cwd=folder, env=environment(), capture_output=True, text=True,
                          check=False, timeout=600)
    return Ended(done.returncode, done.stdout, done.stderr)


def environment() -> dict[str, str]:
    """Nothing but what a program needs, and this checkout."""
    return {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}


def conflict_of(study: Path, kind: str) -> str:
    """The beginning of the key of the one open conflict of a kind."""
    return run("conflicts", "list", "--kind", kind, study=study).rows[0][0]


@dataclass(frozen=True)
class Rehearsing:
    """A study folder whose hospitals are open, and how its first sync ended."""

    folder: Path
    first: Ended


def _free_ports(count: int) -> Sequence[int]:
    taken = [socket.socket() for _ in range(count)]
    try:
        for one in taken:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in taken]
    finally:
        for one in taken:
            one.close()


@pytest.fixture(scope="session")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rehearsing]:
    """What the README says: `init --rehearsal`, `sandbox` in another terminal, `sync`."""
    folder = tmp_path_factory.mktemp("rehearsal") / "study"
    assert run("init", folder, "--rehearsal").code == 0
    for name, port in zip(("west", "east", "south"), _free_ports(3), strict=True):
        path = folder / "sync" / "hospitals" / f"{name}.toml"
        path.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", path.read_text()))
    with subprocess.Popen([*PROGRAM, "sandbox", "--study", str(folder)], env=environment(), text=True,
                          stdout=subprocess.PIPE) as sandbox:
        assert sandbox.stdout is not None
        try:
            while "another terminal" not in (line := sandbox.stdout.readline()):
                assert line, "the sandbox ended"
            yield Rehearsing(folder, run("sync", study=folder))
        finally:
            sandbox.terminate()
            assert sandbox.wait(timeout=30) == 0


@pytest.fixture
def study(rehearsed: Rehearsing, tmp_path: Path) -> Path:
    """A copy of the synced study, to be changed freely."""
    return Path(shutil.copytree(rehearsed.folder, tmp_path / "study"))
