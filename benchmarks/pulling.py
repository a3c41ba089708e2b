"""What asking costs: pages a second by search and by export, memory as a hospital grows, a sync with nothing new, and
the same cohort pulled by two other programs."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from benchmarks.client import Done, Order
from benchmarks.copies import lines, types
from benchmarks.places import Place, places
from benchmarks.rows import Row, ratio
from benchmarks.volume import EACH

PEERS = Path(os.environ.get("PEERS", ".venv-peers"))
"""Where each peer has an environment of its own (`make peers`)."""

SHARED = ("Patient", "Condition", "Observation", "Procedure")
"""Types that all three programs can pull; smart-fetch knows neither MedicationAdministration nor AdverseEvent."""

QUIET_COPIES, SIZES, LIMIT, FLAT = 18, (125, 250, 500), 400, 1.25
_STAMP = {"meta": {"versionId": "1", "lastUpdated": "2024-01-01T00:00:00Z"}}


class Served:
    """A server of the benchmarks as a process of its own."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen([sys.executable, "-m", *command], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE)
        self.url = self._line()

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def order(self, word: str) -> dict[str, int]:
        """What it says to `count`, `break` or `mend`."""
        assert self.process.stdin is not None
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        found: dict[str, int] = json.loads(self._line())
        return found

    def close(self) -> None:
        """Ends it."""
        self.process.communicate()


@contextmanager
def hospital(copies: int) -> Iterator[tuple[Served, list[str]]]:
    """West with so many times its patients and a Group of them all; the server, and the patients' ids."""
    with TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        for type in types("west"):
            (folder / f"{type}.ndjson").write_bytes(b"".join(one + b"\n" for one in lines("west", type, copies)))
        ids = [json.loads(one)["id"] for one in lines("west", "Patient", copies)]
        group = {"resourceType": "Group", "id": "all", "type": "person", "actual": True, **_STAMP,
                 "member": [{"entity": {"reference": f"Patient/{one}"}} for one in ids]}
        (folder / "Group.ndjson").write_text(json.dumps(group) + "\n", encoding="utf-8")
        server = Served("benchmarks.served", name)
        try:
            yield server, ids
        finally:
            server.close()


def pulled(folder: Path, url: str, command: str = "pull", **more: Any) -> Done:
    """One run of the adapter over the databases in a folder, as a process of its own."""
    pull, database = {"rate": "100000/s", **more.pop("pull", {})}, more.pop("database", "")
    order = Order(hospital={"base_url": url, "cohort": {"group": "Group/all"}, "pull": pull, **more}, command=command,
                  database=database)
    command = [sys.executable, "-m", "benchmarks.client", str(folder), msgspec.json.encode(order).decode()]
    ended = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(ended.stdout.splitlines()[-1], type=Done)


def measure(rounds: int, copies: int) -> list[Row]:
    """Every row."""
    with hospital(copies) as (server, ids):
        with places() as found:
            rows = [row for place in found for row in _modes(server, rounds, place)]
        rows += _compared(server, ids, rounds)
    return [*rows, *_quiet(), *_growth()]


def _modes(server: Served, rounds: int, place: Place) -> list[Row]:
    found = []
    for name, pull in (("search", {}), ("bulk", {"mode": "bulk", "bulk": {"level": "patient"}})):
        ended, asked = [], 0
        for _ in range(rounds):
            with TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
                database = "" if place.name == "SQLite" else place.fresh(stack).vault
                server.order("count")
                ended.append(pulled(Path(folder), server.url, pull=pull, database=database))
                asked = server.order("count")["requests"]
        cpu, wall, new = median(one.cpu for one in ended), median(one.wall for one in ended), ended[0].new
        pages = -(-new // 200)
        found.append(Row(f"pull to the vault by {name}, {place.name}", f"{new / cpu:,.0f} resources/s", "", None,
                         f"of the client's processor time, {1000 * cpu / pages:.1f} ms for 200 resources; "
                         f"{new / wall:,.0f}/s wall, the server's time included; {new:,} resources, {asked} requests"))
    return found


def _quiet() -> list[Row]:
    with hospital(QUIET_COPIES) as (server, ids), TemporaryDirectory(prefix="bench-") as folder:
        for _ in range(2):
            pulled(Path(folder), server.url, "sync")
        server.order("count")
        ended = pulled(Path(folder), server.url, "sync")
        asked = server.order("count")["requests"]
    return [Row(f"a sync with nothing new, {len(ids)} patients", f"{asked} requests", "", None,
                f"{ended.fetched:,} records fetched ({len(ids)} Patients are read by id each time), {ended.new} new; "
                f"{ended.wall:.1f} s wall, {ended.cpu:.1f} s of the client's processor time; "
                f"at a hospital's 10 requests/s {asked / 10:.0f} s")]


def _growth() -> list[Row]:
    """The first sync of ever larger hospitals: the same client, each in a process of its own."""
    peaks = []
    for patients in SIZES:
        server = Served("benchmarks.volume", str(patients))
        try:
            with TemporaryDirectory(prefix="bench-") as folder:
                peaks.append((patients * EACH, pulled(Path(folder), server.url, "sync")))
        finally:
            server.close()
    first, last = peaks[0][1], peaks[-1][1]
    grown = last.peak / first.peak
    said = "; ".join(f"{size:,}: {done.peak:.0f} MB in {done.wall:.0f} s" for size, done in peaks)
    phases = ", ".join(f"{phase} {peak:.0f}" for phase, peak in last.phases.items())
    return [Row(f"peak memory of a first sync of {peaks[-1][0]:,} resources", f"{last.peak:.0f} MB", f"< {LIMIT} MB",
                last.peak < LIMIT, f"{said}; by phase: {phases}"),
            Row(f"the same over that of {peaks[0][0]:,} resources", f"{grown:.2f} x", f"< {FLAT} x", grown < FLAT,
                "whether a client's memory is flat: four times the hospital")]


# --- others on the same server and records -------------------------------------------------------------------------


def _compared(server: Served, ids: list[str], rounds: int) -> list[Row]:
    programs = {"FHIR Adapter": _ours, "FHIR-PYrate 0.2.6": _pyrate, "smart-fetch 1.0.3": _smart_fetch}
    times: dict[str, list[float]] = {name: [] for name in programs}
    told: dict[str, str] = {}
    for name in list(programs):
        if name != "FHIR Adapter" and not (PEERS / name.partition(" ")[0].lower()).is_dir():
            print(f"not measured: {name} is not in {PEERS}; say `make peers`")
            del programs[name], times[name]
    for turn in range(rounds + 1):  # in the last one, page 2 of every answer about Observations fails
        server.order("break" if turn == rounds else "mend")
        for name, program in programs.items():
            with TemporaryDirectory(prefix="bench-") as folder:
                started = time.perf_counter()
                code, count = program(Path(folder), server.url, ids)
                took, asked = time.perf_counter() - started, server.order("count")["requests"]
            if turn < rounds:
                times[name].append(took)
                told[name] = f"{count:,} resources, {asked} requests, exit {code}"
            else:
                told[name] += f"; when page 2 fails: {count:,} resources, exit {code}"
    server.order("mend")
    rows = []
    for name, took in times.items():
        faster = ratio(took, times["FHIR Adapter"])
        rows.append(Row(f"{', '.join(SHARED)} of {len(ids)} patients: {name}", f"{median(took):.1f} s", "", None,
                        f"{faster:.1f} x our time (start of the program included); {told[name]}"))
    return rows


def _ours(folder: Path, url: str, ids: list[str]) -> tuple[int, int]:
    gap = {"unavailable": {"since": "2026-01-01", "reason": "not compared", "signed_by": "bench"}}
    others = ("MedicationAdministration", "MedicationStatement", "AdverseEvent", "BodyStructure", "Encounter")
    done = pulled(folder, url, pull={"page_size": 20}, types={name: gap for name in others})
    return done.code, done.new - 1  # without the Group


def _pyrate(folder: Path, url: str, ids: list[str]) -> tuple[int, int]:
    script = Path(__file__).parent / "peers" / "pyrate.py"
    ended = subprocess.run([PEERS / "fhir-pyrate" / "bin" / "python", script, url, ",".join(SHARED)], text=True,
                           input="\n".join(ids), capture_output=True, check=False)
    found = json.loads(ended.stdout.splitlines()[-1]) if ended.returncode == 0 else {}
    return ended.returncode, sum(found.values())


def _smart_fetch(folder: Path, url: str, ids: list[str]) -> tuple[int, int]:
    command = [PEERS / "smart-fetch" / "bin" / "smart-fetch", "export", folder / "out", "--fhir-url", url, "--group",
               "all", "--export-mode", "crawl", "--type", ",".join(SHARED), "--no-default-filters", "--no-compression",
               "--hydration-tasks", "none"]
    ended = subprocess.run(command, capture_output=True, check=False)
    found = {(json.loads(line)["resourceType"], json.loads(line)["id"])
             for name in SHARED for path in (folder / "out").glob(f"*/{name}.*ndjson")
             for line in path.read_bytes().splitlines()}
    return ended.returncode, len(found)
