"""Mapped facts by domain, conformance by process, memory over a million observations, other people's flattening."""

import json
import os
import re
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

from benchmarks.copies import HOSPITALS, SHARED, dressed, lines, types
from benchmarks.in_memory import Folder, decode_all, map_all, timed
from benchmarks.rows import Row, interleaved, ratio
from fhir_adapter import kit, study
from fhir_adapter.core.origins import Origin
from fhir_adapter.core.study import Study
from fhir_adapter.domains import carriers
from fhir_adapter.domains.mapping import map_version
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.conformance import checked

DOMAINS = {
    "lab_result": ("Observation", rb'"referenceRange"'), "lesion_measurement": ("Observation", rb'"21889-1"'),
    "response_assessment": ("Observation", rb'"C96613"'), "performance_status": ("Observation", rb'"89247-1"'),
    "drug_administration": ("MedicationAdministration", b""), "adverse_event": ("AdverseEvent", b""),
    "radiotherapy": ("Procedure", rb"radiotherapy"), "lesion": ("BodyStructure", b""), "vital_status": ("Patient", b""),
}
"""Records by which each domain is measured: a type, and what stands in those that are its own."""

AT_LEAST = 2_000
MILLION = 1_000_000
PEERS = "BENCH_PEERS_PYTHON"
"""The Python of an environment with fhiry and fhir-pyrate; without it they are not measured."""


def measure(rounds: int, copies: int) -> list[Row]:
    """Everything that understanding costs."""
    asked = study.load(kit.kit_path())
    return [*_domains(asked, rounds), *_conformance(copies), _memory(asked), *_peers(asked, rounds)]


def _own(hospital: str, type: str, sign: bytes) -> list[bytes]:
    found = [dressed(line) for line in lines(hospital, type) if re.search(sign, line)]
    return (found * (AT_LEAST // len(found) + 1))[:AT_LEAST]


def _domains(asked: Study, rounds: int) -> list[Row]:
    """West's records of each kind: facts a second, and what share of reading them as dicts that is."""
    rows = []
    west = asked.hospitals["west"]
    for name, (type, sign) in DOMAINS.items():
        own = _own("west", type, sign)
        records = {type: own, **{one: lines("west", one) for one in SHARED if one in types("west") and one != type}}
        facts = map_all(asked, west, records)
        times = interleaved([timed(partial(decode_all, records)), timed(partial(map_all, asked, west, records))],
                            rounds)
        rows.append(Row(
            f"mapped facts/s, {name}", f"{facts / median(times[1]):,.0f}", "", None,
            f"{len(own) / median(times[1]):,.0f} records/s; msgspec to dicts {len(own) / median(times[0]):,.0f}/s, "
            f"share {ratio(times[0], times[1]):.2f}",
        ))
    return rows


def _conformance(copies: int) -> list[Row]:
    """Full models over the fixtures, wall time, workers warm."""
    work = [(type, line, {"west": "R4", "east": "R5", "south": "STU3"}[name])
            for name in HOSPITALS for type in types(name) for line in lines(name, type, max(1, copies // 2))]
    pieces = [work[start : start + 500] for start in range(0, len(work), 500)]
    rows = []
    for processes in (1, 2):
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            list(pool.map(checked, [work[:50]] * processes * 2))
            begun = perf_counter()
            broken = sum(1 for found in pool.map(checked, pieces) for one in found if one)
            seconds = perf_counter() - begun
        rows.append(Row(f"fhir.resources conformance/s, {processes} process{'es' * (processes > 1)}, wall",
                        f"{len(work) / seconds:,.0f}", "", None, f"{len(work):,} records, {broken} break a rule"))
    return rows


def _memory(asked: Study) -> Row:
    """A million observations, each other bytes, mapped and let go: how much more the process holds at the end."""
    west = asked.hospitals["west"]
    own = _own("west", "Observation", rb'"referenceRange"')[:500]
    carried = carriers.compiled(west)
    folder = Folder("west", {})
    held: list[int] = []
    begun = perf_counter()
    for number in range(MILLION):
        body = own[number % len(own)].replace(b'"id":"', b'"id":"n%d-' % number, 1)
        body = re.sub(rb'"value":\d', b'"value":%d.%d' % (number % 97, number % 89), body, count=1)
        reading = Reading(
            hospital=west, version="R4", protocol=asked.protocol, concepts=asked.concepts, units=asked.units,
            origin=Origin("west", "Observation", str(number), 1), subject="ATC-001", records=folder,
            carried=carried("Observation", body))
        map_version("Observation", body, reading)
        if number in (50_000, MILLION - 1):
            held.append(_resident())
    grown = (held[1] - held[0]) / 2**20
    return Row("memory over 1,000,000 observations streamed", f"{grown:+.0f} MB", "", None,
               f"resident after 50,000: {held[0] / 2**20:.0f} MB; {MILLION / (perf_counter() - begun):,.0f}/s, wall")


def _resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


_PEER = """
import json, os, sys, time
name, path = sys.argv[1:]
if name == "fhiry":
    from fhiry.fhirndjson import Fhirndjson
    reader = Fhirndjson()
    reader.folder = os.path.dirname(path)
    begun = time.process_time()
    reader.process_source()
    frame = reader.df
else:
    import pandas as pd
    from fhir_pyrate.util import FHIRObj
    from fhir_pyrate.util.bundle_processing_templates import flatten_data
    begun = time.process_time()
    entries = [{"resource": json.loads(line)} for line in open(path, encoding="utf-8")]
    frame = pd.DataFrame(flatten_data(FHIRObj(**{"entry": entries}))["Observation"])
print(json.dumps({"rows": len(frame), "columns": len(frame.columns), "seconds": time.process_time() - begun}))
"""


def _peers(asked: Study, rounds: int) -> list[Row]:
    """The same laboratory results as columns, by other people's programs, each in its own process."""
    python = os.environ.get(PEERS)
    if not python:
        return [Row("other people's flattening", "not measured", "", None, f"{PEERS} names no environment")]
    own = _own("west", "Observation", rb'"referenceRange"')
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "Observation.ndjson"
        path.write_bytes(b"".join(line + b"\n" for line in own))
        ours = timed(partial(map_all, asked, asked.hospitals["west"], {"Observation": own}))
        times = [ours() for _ in range(rounds)]
        rows.append(Row("laboratory results as facts/s, beside the next rows", f"{len(own) / median(times):,.0f}"))
        for name in ("fhiry", "fhir-pyrate"):
            rows.append(_peer(python, name, path, len(own)))
    return rows


def _peer(python: str, name: str, path: Path, count: int) -> Row:
    what = f"{name}: the same results flattened/s"
    done = subprocess.run([python, "-c", _PEER, name, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        return Row(what, "failed", "", None, done.stderr.strip().splitlines()[-1][:100] if done.stderr else "")
    said: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return Row(what, f"{count / said['seconds']:,.0f}", "", None,
               f"{said['rows']:,} rows of {said['columns']} columns as sent: no units, codes or dates understood")
