"""The program with its imports already done: forks it for each order, kills it in time, and says how it ended.

`python -m tests.promises.warmed` reads one order a line as JSON, `{"words": [...], "env": {...}, "said": FILE, "after":
SECONDS or null}`, and answers each with the exit code (negative: the signal) and the seconds that it ran. A child runs
`fhir_adapter.cli.app.main`, as the command does; only the second and a half that its imports take is saved.
"""

import importlib
import json
import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import fhir_adapter

STEP = 0.002


class Warmed:
    """A running forker."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def run(self, words: list[str], env: dict[str, str], said: Path, after: float | None = None) -> tuple[int, float]:
        """Runs the program, at most for `after` seconds: exit code and seconds."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {"words": words, "env": env, "said": str(said), "after": after}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        code, seconds = json.loads(self._process.stdout.readline())
        return int(code), float(seconds)


@contextmanager
def warmed(folder: Path) -> Iterator[Warmed]:
    """A forker that works in this folder until the block ends."""
    root = str(Path(__file__).parents[2])
    with subprocess.Popen([sys.executable, "-m", "tests.promises.warmed"], stdin=subprocess.PIPE, text=True, cwd=folder,
                          stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": root}) as process:
        yield Warmed(process)
        assert process.stdin is not None
        process.stdin.close()


def _serve() -> None:
    for found in pkgutil.walk_packages(fhir_adapter.__path__, "fhir_adapter."):
        if ".migrations." not in found.name and not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for line in sys.stdin:
        order = json.loads(line)
        begun = time.monotonic()
        child = os.fork()
        if not child:
            _become(order)
        sys.stdout.write(json.dumps([_ended(child, begun, order["after"]), time.monotonic() - begun]) + "\n")
        sys.stdout.flush()


def _become(order: dict[str, Any]) -> NoReturn:
    from fhir_adapter.cli.app import main

    code: Any = 1
    try:
        os.environ.update(order["env"])
        out = os.open(order["said"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        os.dup2(out, 1)
        os.dup2(out, 2)
        sys.argv = ["fhir-adapter", *order["words"]]
        main()
        code = 0
    except SystemExit as ended:
        code = ended.code or 0
    finally:
        sys.stdout.flush()
        os._exit(code if isinstance(code, int) else 1)


def _ended(child: int, begun: float, after: float | None) -> int:
    while True:
        done, status = os.waitpid(child, 0 if after is None else os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if after is not None and time.monotonic() - begun >= after:
            os.kill(child, signal.SIGKILL)
            after = None
        else:
            time.sleep(STEP)


if __name__ == "__main__":
    _serve()
