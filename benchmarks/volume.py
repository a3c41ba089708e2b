"""A FHIR server of any size that remembers nothing: records are made from a fixtures' patient when they are asked for.

The rehearsal hospital keeps all it serves in memory; to see whether the client's memory grows with what it pulls, the
server must be able to go on. `python -m benchmarks.volume PATIENTS` prints its base URL and serves until stdin ends.
"""

import json
import re
import sys
import threading
from collections.abc import Iterator
from datetime import date, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from benchmarks.copies import lines

TYPES = ("MedicationAdministration", "Procedure", "Observation", "AdverseEvent", "Condition", "BodyStructure")
LABS = re.compile(rb'"code":"(1742-6|777-3|718-7|751-8|2160-0)"')
DAY = re.compile(rb'"effectiveDateTime":"(\d{4}-\d{2}-\d{2})"')
EACH = 400
"""Resources a patient, laboratory values for the most part."""

SERVED = ("metadata", "Group", "Patient", *TYPES, "MedicationStatement", "Encounter")


class Ward:
    """So many patients with the same history."""

    def __init__(self, patients: int) -> None:
        self.patients = [f"v{number:05}" for number in range(patients)]
        found = {name: lines("west", name) for name in ("Patient", *TYPES)}
        mine = {
            json.loads(line)["id"]: [other for name in TYPES for other in found[name]
                                     if json.loads(line)["id"].encode() in other and b"Medication/" not in other]
            for line in found["Patient"]
        }
        chosen = max(mine, key=lambda one: len(mine[one]))
        person = next(line for line in found["Patient"] if chosen.encode() in line)
        self.person = self._template(person, chosen)
        self.templates: dict[str, list[bytes]] = {name: [] for name in TYPES}
        for line in mine[chosen]:
            self.templates[json.loads(line)["resourceType"]].append(self._template(line, chosen))
        labs = [one for one in self.templates["Observation"] if LABS.search(one)]
        more = EACH - 1 - sum(map(len, self.templates.values()))
        self.templates["Observation"] += [_again(labs[number % len(labs)], number // len(labs) + 1)
                                          for number in range(more)]

    @staticmethod
    def _template(line: bytes, patient: str) -> bytes:
        """A record whose ids carry `@P@` for the patient."""
        line = line.replace(b"ZZCANARY", b"ZZCANARY@P@").replace(patient.encode(), b"@P@")
        return re.sub(rb'"zzw-(?!study|pr-reader)', rb'"@P@-', re.sub(rb"/zzw-(?!study|pr-reader)", rb"/@P@-", line))

    def records(self, name: str, patient: str) -> Iterator[bytes]:
        """A patient's records of a type."""
        templates = [self.person] if name == "Patient" else self.templates.get(name, [])
        return (one.replace(b"@P@", patient.encode()) for one in templates)


def _again(lab: bytes, number: int) -> bytes:
    """The same laboratory value once more, some days later."""
    written = DAY.search(lab)
    later = date.fromisoformat(written[1].decode() if written else "2024-01-01") + timedelta(days=number)
    lab = DAY.sub(b'"effectiveDateTime":"%s"' % later.isoformat().encode(), lab)
    return re.sub(rb'"id":"@P@-', rb'"id":"@P@-%d-' % number, lab, count=1)


class Answers:
    """What is answered to which question."""

    def __init__(self, ward: Ward) -> None:
        self.ward, self.base = ward, ""

    def to(self, path: str, query: dict[str, list[str]]) -> bytes | None:
        """The body of an answer; None: 404."""
        name, _, id = path.removeprefix("/fhir/").partition("/")
        if name == "metadata":
            return json.dumps(self._metadata()).encode()
        if name == "Group":
            member = [{"entity": {"reference": f"Patient/{one}"}} for one in self.ward.patients]
            return json.dumps({"resourceType": "Group", "id": "all", "type": "person", "actual": True,
                               "member": member}).encode()
        if name not in SERVED or id:
            return None
        parameter = "_id" if name == "Patient" else "subject" if name == "AdverseEvent" else "patient"
        wanted = query.get(parameter, [",".join(self.ward.patients)])[0].split(",")
        found = [one for patient in wanted for one in self.ward.records(name, patient)]
        start, size = int(query.get("_offset", ["0"])[0]), int(query.get("_count", ["50"])[0])
        more = start + size < len(found)
        words = "&".join(f"{key}={one[0]}" for key, one in query.items() if key != "_offset")
        link = f',{{"relation":"next","url":"{self.base}/{name}?{words}&_offset={start + size}"}}' if more else ""
        head = (f'{{"resourceType":"Bundle","type":"searchset","total":{len(found)},"link":[{{"relation":"self",'
                f'"url":"{self.base}/{name}?{words}"}}{link}],"entry":[')
        entries = b",".join(b'{"resource":' + one + b',"search":{"mode":"match"}}' for one in found[start:start + size])
        return head.encode() + entries + b"]}"

    @staticmethod
    def _metadata() -> dict[str, Any]:
        known = [{"name": name} for name in ("_id", "_lastUpdated", "patient", "subject")]
        resources = [{"type": name, "interaction": [{"code": "read"}, {"code": "search-type"}], "searchParam": known}
                     for name in SERVED[1:]]
        return {"resourceType": "CapabilityStatement", "status": "active", "fhirVersion": "4.0.1",
                "rest": [{"mode": "server", "resource": resources}]}


def main(patients: int) -> None:
    """Serves until the input ends."""
    answers = Answers(Ward(patients))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            body = answers.to(parts.path, parse_qs(parts.query))
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "application/fhir+json")
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        answers.base = f"http://127.0.0.1:{server.server_address[1]}/fhir"
        print(answers.base, flush=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sys.stdin.read()
        server.shutdown()


if __name__ == "__main__":
    main(int(sys.argv[1]))
