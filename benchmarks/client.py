"""The adapter as a process of its own, so that its memory and processor time are nobody else's.

`python -m benchmarks.client FOLDER ORDER` does what ORDER (JSON) says over the databases in FOLDER and prints JSON.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter import flow, kit, study
from fhir_adapter.core.study import Databases, Hospital
from fhir_adapter.steps.workspace import opened

SECRET = b"a secret of the benchmarks, the same in every run"


class Order(msgspec.Struct, frozen=True):
    """What to do: the hospital as its file would say it, and `pull` or `sync`."""

    hospital: dict[str, Any]
    command: str = "sync"
    database: str = ""
    """The address of one database for both; without it SQLite in the folder."""


class Done(msgspec.Struct, frozen=True):
    """How it ended: exit code, records fetched and new, seconds (wall and processor), peak memory in MB."""

    code: int
    fetched: int
    new: int
    wall: float
    cpu: float
    peak: float
    phases: dict[str, float] = {}
    """Peak memory so far when each phase ended: asking, mapping, settling."""
    messages: tuple[str, ...] = ()


def done(folder: Path, order: Order) -> Done:
    """Does it, in this process."""
    shipped = study.load(kit.kit_path())
    asked = Hospital.model_validate({"id": "west", "name": "West", **order.hospital})
    os.environ["BENCH_VAULT"] = order.database or f"sqlite:///{folder / 'vault.sqlite'}"
    os.environ["BENCH_TRIAL"] = order.database or f"sqlite:///{folder / 'trial.sqlite'}"
    settings = shipped.settings.model_copy(update={"databases": Databases(vault="env:BENCH_VAULT",
                                                                          trial="env:BENCH_TRIAL")})
    chosen = shipped.model_copy(update={"hospitals": {"west": asked}, "settings": settings})
    phases: dict[str, float] = {}

    def told(what: str, done: int, total: int) -> None:
        phases[what.rpartition(": ")[2]] = _peak()

    wall, cpu = time.perf_counter(), time.process_time()
    with opened(chosen, folder, secret=SECRET) as work:
        outcome = (flow.pull if order.command == "pull" else flow.sync)(work, [], told).hospitals[0]
    return Done(outcome.code, outcome.counts.fetched, outcome.counts.new, time.perf_counter() - wall,
                time.process_time() - cpu, _peak(), phases, outcome.messages)


def _peak() -> float:
    """The most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    sys.stdout.write(json.dumps(msgspec.to_builtins(
        done(Path(sys.argv[1]), msgspec.json.decode(sys.argv[2], type=Order)))) + "\n")
