"""`$export`: a kick-off, the status of a job, its manifest, its files, and its end (HL7 Bulk Data Access)."""

import re
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import msgspec

from fhir_adapter.sandbox.extract import Wanted, deletion_line, deletions, members, records
from fhir_adapter.sandbox.house import BASE, House
from fhir_adapter.sandbox.messages import Asked, Reply, http_date, outcome, refused, throttled
from fhir_adapter.sandbox.store import instant_of, written
from fhir_adapter.sandbox.view import View

STATUS, FILES = "bulkstatus", "bulkfiles"
NDJSON = "application/fhir+ndjson"
_KNOWN = {"_since", "_type", "_outputFormat", "allowPartialManifests", "includeAssociatedData"}
_FORMATS = {"application/fhir+ndjson", "application/ndjson", "ndjson"}
_COUNTED_WRONG = 639  # what a reference server said of an error file with one line (servers.md)


@dataclass
class Part:
    """One file: its kind in the manifest, its type, its lines, and the count that the manifest tells."""

    kind: str
    type: str
    name: str
    lines: list[bytes]
    count: int


@dataclass
class Job:
    """One export: what was asked, when its snapshot was taken, its files, and how often it was polled."""

    number: str
    wanted: Wanted
    time: datetime
    parts: list[Part]
    polls: int = 0
    done: datetime | None = None


@dataclass
class Exports:
    """The room that exports."""

    house: House
    view: View
    rooms: tuple[str, str] = (STATUS, FILES)
    jobs: dict[str, Job] = field(default_factory=dict)
    count: int = 0

    def kick_off(self, parts: list[str], asked: Asked) -> Reply:
        """202 with the address of the job's status, or a refusal."""
        if asked.method not in ("GET", "POST"):
            return refused(405, "not-supported", "kick off by GET or POST", f"{asked.method} $export is not offered")
        wanted = self._wanted(parts, asked)
        if isinstance(wanted, Reply):
            return wanted
        bulk, now = self.house.persona.bulk, self.house.clock()
        if bulk.one_job and self.jobs:
            return throttled(bulk.retry_form, bulk.one_job_wait, now, "another export is running; delete it first")
        self.count += 1
        number = f"{self.house.chance('job', self.count):012x}"
        self.jobs[number] = Job(number, wanted, now, self._parts(wanted))
        address = f"{self.house.base_url}/{STATUS}/{number}"
        reply = Reply(202, msgspec.json.encode(outcome("information", "informational", "the export has begun")))
        return replace(reply, headers={"Content-Location": address})

    def _wanted(self, parts: list[str], asked: Asked) -> Wanted | Reply:
        """What a kick-off asks for, or why it is refused."""
        if asked.headers.get("accept", "").split(";")[0].strip() != "application/fhir+json":
            return _bad("Accept must be application/fhir+json")
        if "respond-async" not in re.split(r"[,;\s]+", asked.headers.get("prefer", "")):
            return _bad("Prefer must be respond-async")
        level = "group" if len(parts) == 2 else "patient" if parts else "system"
        if parts and parts[0] != ("Group" if level == "group" else "Patient"):
            return refused(404, "not-found", "nothing is here", f"nothing is at {asked.path}")
        persona = self.house.persona
        if level not in persona.bulk.levels:
            return refused(404, "not-supported", f"no {level} export here")
        given = _given(asked)
        types = tuple(one for name, value in given for one in value.split(",") if name == "_type" and one)
        unknown = tuple(sorted({name for name, _ in given} - _KNOWN))
        if unknown and (asked.strict or self.house.place.strict):
            return _bad(f"unknown parameter of $export: {', '.join(unknown)}")
        values = dict(given)
        if values.get("_outputFormat", NDJSON).replace(" ", "+") not in _FORMATS:
            return _bad("_outputFormat must be application/fhir+ndjson")
        try:
            instant_of(values.get("_since", "2000-01-01T00:00:00Z"))
        except ValueError:
            return _bad("_since is no instant")
        for type_ in types:
            if type_ in persona.bulk.refused_types or type_ in persona.refused:
                return refused(400, "not-supported", f"{type_} is not exported here")
            if not persona.bulk.unscoped and not self.house.guard.covers(asked.authorization, type_):
                return refused(403, "forbidden", f"the scope does not cover {type_}")
        group = parts[1] if level == "group" else ""
        if group and members(group, self.view) is None and persona.bulk.unknown_group == "missing":
            return refused(404, "not-found", "no such group")
        request = f"{self.house.origin}{asked.path}" + (
            "?" + "&".join(f"{name}={value}" for name, value in given) if given else ""
        )
        return Wanted(level, group, values.get("_since"), types, unknown, asked.authorization, request)

    def _parts(self, wanted: Wanted) -> list[Part]:
        """The files of an export as it stands at this moment."""
        house, bulk = self.house, self.house.persona.bulk
        held = {type_: found for type_, found in records(wanted, house, self.view).items()
                if type_ not in house.persona.refused}  # fmt: skip
        failed = min(held, default="") if bulk.failed_type == "*" else bulk.failed_type
        made: list[Part] = []
        for type_, found in sorted(held.items()):
            lines = [one.body for one in found if one.body is not None and not house.is_poison(type_, one.id)]
            if type_ == failed:
                made.append(_error(type_, "error", f"the file of {type_} could not be made", _COUNTED_WRONG))
                continue
            if len(lines) < len(found):
                made.append(_error(type_, "error", f"records of {type_} could not be exported", 1))
            for number in range(0, len(lines), bulk.file_rows):
                piece = lines[number : number + bulk.file_rows]
                name = f"{number // bulk.file_rows + 1}.{type_}.ndjson"
                made.append(Part("output", type_, name, piece, len(piece)))
        gone = deletions(wanted, house, self.view) if bulk.deletes == "files" else []
        if gone:
            made.append(Part("deleted", "Bundle", "1.deleted.ndjson", [deletion_line(url) for url in gone], len(gone)))
        if wanted.ignored:
            made.append(_error("ignored", "warning", f"ignored: {', '.join(wanted.ignored)}", 1))
        if bulk.information:
            made.append(_error("information", "information", "the export is complete", 1))
        return made

    def status(self, parts: list[str]) -> Reply:
        """202 while a job runs, then its manifest."""
        job, bulk, now = self._job(parts), self.house.persona.bulk, self.house.clock()
        if job is None:
            return refused(404, "not-found", "no such export")
        page = int(parts[1]) if len(parts) > 1 and parts[1].isdigit() else 1
        job.polls += 1
        if job.polls <= bulk.transient_polls:
            return refused(500, "transient", "the status cannot be told at the moment")
        waited = job.polls - bulk.transient_polls
        if waited <= bulk.polls:
            headers = {"X-Progress": f"{100 * waited // (bulk.polls + 1)}% complete"}
            headers |= throttled(bulk.retry_form, bulk.retry_after, now).headers
            shown = [part for part in job.parts[:1] if part.kind == "output"]
            body = self._manifest(job, shown, 1, 1) if bulk.partial else b""
            return Reply(202, body, "application/json", headers)
        if bulk.fails:
            return refused(500, "exception", "the export has failed")
        job.done = job.done or now
        pages = [job.parts[:1], job.parts[1:]] if bulk.partial and len(job.parts) > 1 else [job.parts]
        if not 1 <= page <= len(pages):
            return refused(404, "not-found", "no such part of the manifest")
        expires = http_date(job.done + timedelta(seconds=bulk.file_lifetime or 3600))
        return Reply(200, self._manifest(job, pages[page - 1], page, len(pages)), "application/json",
                     {"Expires": expires})  # fmt: skip

    def _manifest(self, job: Job, parts: list[Part], page: int, pages: int) -> bytes:
        bulk = self.house.persona.bulk
        time = written(job.time)
        if bulk.time_form == "whole_seconds_offset":
            time = job.time.replace(microsecond=0).isoformat(timespec="seconds")
        base = self.house.place.annex + BASE if bulk.delivery == "presigned" else self.house.base_url
        listed: dict[str, list[dict[str, Any]]] = {"output": [], "deleted": [], "error": []}
        for number, part in enumerate(parts, start=2):
            signed = "?X-Amz-Signature=c2lnbmVk" if bulk.delivery == "presigned" else ""
            url = f"{base}/{FILES}/{job.number}/{part.name}{signed}"
            shown: dict[str, Any] = {"type": part.type, "url": url, "count": part.count}
            if bulk.continues_wrong and part.kind == "output":
                shown["continuesInFile"] = f"{base}/{FILES}/{job.number}/{number * 2 + 1}.{part.type}.ndjson"
            listed[part.kind].append(shown)
        manifest: dict[str, Any] = {
            "transactionTime": time,
            "request": job.wanted.request,
            "requiresAccessToken": bulk.delivery != "presigned" and bool(job.wanted.authorization),
            "output": listed["output"],
            "error": listed["error"],
        }
        if bulk.deletes != "absent":
            manifest["deleted"] = listed["deleted"]
        if page < pages:
            following = f"{self.house.base_url}/{STATUS}/{job.number}/{page + 1}"
            manifest["link"] = [{"relation": "next", "url": following}]
        return msgspec.json.encode(manifest)

    def file(self, parts: list[str], asked: Asked) -> Reply:
        """One file as NDJSON; a redirect where files lie at the other origin; 410 when it is too late."""
        job, bulk = self._job(parts), self.house.persona.bulk
        part = next((one for one in job.parts if one.name == parts[-1]), None) if job is not None else None
        if job is None or part is None:
            return refused(404, "not-found", "no such file")
        if bulk.files_expired or (
            bulk.file_lifetime
            and job.done is not None
            and self.house.clock() - job.done > timedelta(seconds=bulk.file_lifetime)
        ):
            return refused(410, "expired", "the file has expired")
        if bulk.delivery == "redirect" and not asked.annex:
            # Oracle: 307 to storage elsewhere; the credentials must stay behind (quirk Q22).
            there = f"{self.house.place.annex}{asked.path}?X-Amz-Signature=c2lnbmVk"
            return Reply(307, b"", "text/plain", {"Location": there})
        return Reply(200, b"".join(line + b"\n" for line in part.lines), NDJSON)

    def end(self, parts: list[str]) -> Reply:
        """DELETE of a job: 202, or 404 where jobs are deleted by the server alone (HAPI)."""
        job = self._job(parts)
        if job is None or self.house.persona.bulk.deleting == 404:
            return refused(404, "not-found", "no such export")
        del self.jobs[job.number]
        return Reply(202, msgspec.json.encode(outcome("information", "informational", "the export is deleted")))

    def forget(self) -> None:
        """Every job is gone, as after a restart of a careless server: its status answers 404."""
        self.jobs.clear()

    def _job(self, parts: list[str]) -> Job | None:
        return self.jobs.get(parts[0]) if parts else None


def _given(asked: Asked) -> list[tuple[str, str]]:
    """The parameters of a kick-off: of its address, or of the Parameters in its body."""
    if asked.method == "GET" or not asked.body:
        return list(asked.query)
    try:
        read = msgspec.json.decode(asked.body)
    except msgspec.DecodeError:
        return list(asked.query)
    found = []
    for one in read.get("parameter", ()) if isinstance(read, dict) else ():
        value = next((str(value) for name, value in one.items() if name.startswith("value")), "")
        found.append((str(one.get("name", "")), value))
    return [*asked.query, *found]


def _error(name: str, severity: str, text: str, count: int) -> Part:
    line = msgspec.json.encode(outcome(severity, "processing", text))
    return Part("error", "OperationOutcome", f"{name}.error.ndjson", [line], count)


def _bad(text: str) -> Reply:
    return refused(400, "invalid", text, text)
