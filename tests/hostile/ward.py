"""A small hospital of made-up people on loopback, asked by the real flow; everything in it is a canary."""

import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from fhir_adapter import flow, kit, study
from fhir_adapter.core.runs import HospitalOutcome
from fhir_adapter.core.study import Cohort, Hospital, Pull, Study
from fhir_adapter.core.study import Databases as Places
from fhir_adapter.core.windows import WindowState
from fhir_adapter.sandbox import PLAIN, Persona, Rehearsal, serve
from fhir_adapter.steps.workspace import Means, Workspace, opened
from tests.databases import Databases

SECRET = b"a secret of the hostile tests"
STUDY = "https://trial.example/atc-pd1/study"
SUBJECT = "https://trial.example/atc-pd1/subject"
CANARY = "zz"
"""Stands in every id, name and text of a ward: no message may hold it."""

_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # made once; nothing here speaks TLS
_numbers = count(1)

Trick = Callable[[httpx.Request, bytes], "bytes | httpx.Response | None"]
"""What happens to an answer on its way: other bytes, another answer, or None: nothing."""


class Between(httpx.BaseTransport):
    """Real HTTP, with somebody between who may change what comes back."""

    def __init__(self) -> None:
        self._real = httpx.HTTPTransport(verify=_NO_TLS)
        self.tricks: list[Trick] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Asks the hospital, then lets every trick look at its answer."""
        answer = self._real.handle_request(request)
        body = answer.read()
        answer.close()
        kept = ("content-type", "retry-after")
        headers = {name: answer.headers[name] for name in kept if name in answer.headers}
        for trick in self.tricks:
            changed = trick(request, body)
            if isinstance(changed, httpx.Response):
                return changed
            body = body if changed is None else changed
        return httpx.Response(answer.status_code, headers=headers, content=body)

    def close(self) -> None:
        """Ends the connections of one run; the next run opens others."""
        self._real.close()


def on_search(type: str, change: Callable[[bytes], "bytes | httpx.Response"]) -> Trick:
    """The trick that changes every page of one type's search."""

    def trick(request: httpx.Request, body: bytes) -> "bytes | httpx.Response | None":
        return change(body) if request.url.path == f"/fhir/{type}" else None

    return trick


class Ward:
    """One hospital, the study that asks it, and what that study knows."""

    def __init__(self, name: str, people: int, rehearsal: Rehearsal, work: Workspace, slept: list[float]) -> None:
        self.name, self.rehearsal, self.slept = name, rehearsal, slept
        self.between = Between()
        self.work = msgspec.structs.replace(work, transport=self.between)
        self.good = neighbours(name, people)

    def sync(self, told: Any = None) -> HospitalOutcome:
        """One run; whatever it met, its counts add up and no message tells of a person."""
        (outcome,) = flow.sync(self.work, []).hospitals
        assert outcome.counts.pull_adds_up, outcome
        assert outcome.counts.map_adds_up, outcome
        self.assert_discreet(outcome.messages)
        return outcome

    def assert_discreet(self, messages: Iterable[str]) -> None:
        """Neither these messages nor problems nor conflicts hold a canary."""
        shown = [*messages, *(f"{one.where} {one.message}" for one in flow.problems(self.work))]
        shown += self.work.trial.frames(("conflict",))["conflict"].message.tolist()
        assert [text for text in shown if CANARY in text.lower()] == []

    def landed(self, *ids: str) -> set[str]:
        """Of these `Type/id` the records that facts stand on now."""
        keys = {self.work.vault.key(self.name, *one.split("/", 1)): one for one in ids}
        frames = self.work.trial.frames(self.work.trial.tables.facts, standings=("current", "held"))
        found = {key for frame in frames.values() for key in frame[frame.hospital == self.name].resource}
        return {one for key, one in keys.items() if key in found}

    def quarantine(self) -> dict[str, str]:
        """Code by `Type/id` of refused records; damages stand under `damage <number>`."""
        found = {}
        for number, one in enumerate(self.work.vault.quarantined(self.name)):
            head = self.work.vault.head_of(one.resource) if one.resource is not None else None
            found[f"{head.type}/{head.fhir_id}" if head is not None else f"damage {number}"] = one.code
        return found

    def damages(self) -> list[str]:
        """The codes of what could not be opened."""
        return sorted(one.code for one in self.work.vault.quarantined(self.name) if one.resource is None)

    def conflicts(self) -> set[str]:
        """The kinds of open conflicts of this hospital."""
        return {one.kind for one in flow.conflicts(self.work) if self.name in one.hospitals}

    def open_types(self) -> set[str]:
        """The types of which something is missing."""
        return {row.type for row in flow.status(self.work).completeness
                if row.hospital == self.name and row.open_since is not None}

    def issues(self) -> set[str]:
        """The codes of what is wrong with windows that are open."""
        return {issue for window in self.work.vault.windows(self.name, WindowState.OPEN) for issue in window.issues}

    def acknowledge(self) -> None:
        """Somebody has seen everything in quarantine."""
        flow.acknowledge(self.work, [], by="dm1", reason="seen in a test")

    def person(self, number: int = 1) -> str:
        """The id of a patient."""
        return person(self.name, number)

    def plant(self, *bodies: bytes | dict[str, Any]) -> None:
        """Records exactly as these bytes."""
        for body in bodies:
            self.rehearsal.plant(body if isinstance(body, bytes) else msgspec.json.encode(body))


@contextmanager
def ward(databases: Databases, folder: Path, *, people: int = 2, persona: Persona = PLAIN,
         pull: dict[str, Any] | None = None, cohort: dict[str, Any] | None = None) -> Iterator[Ward]:
    """A hospital of its own name with that many enrolled people, over databases that other wards share."""
    name = f"w{next(_numbers)}"
    place = folder / name
    place.mkdir()
    for type, records in sound(name, people).items():
        (place / f"{type}.ndjson").write_bytes(b"\n".join(map(msgspec.json.encode, records)))
    patch = pytest.MonkeyPatch()
    patch.setenv("TEST_VAULT_URL", databases.vault)
    patch.setenv("TEST_TRIAL_URL", databases.trial)
    slept: list[float] = []
    with serve(place, persona=persona) as rehearsal:
        hospital = Hospital(
            id=name, name=f"Hospital {name}", base_url=rehearsal.base_url, fhir_version="R4",
            cohort=Cohort.model_validate(cohort or {"research_study": f"{STUDY}|ATC-PD1"}),
            pull=Pull.model_validate({"rate": "10000/s", **(pull or {})}),
        )
        asked = shipped().model_copy(update={"hospitals": {name: hospital}})
        try:
            with opened(asked, folder, secret=SECRET, means=Means(sleep=slept.append)) as work:
                yield Ward(name, people, rehearsal, work, slept)
        finally:
            patch.undo()


@cache
def shipped() -> Study:
    """The shipped study over the databases that the environment names."""
    found = study.load(kit.kit_path())
    places = Places(vault="env:TEST_VAULT_URL", trial="env:TEST_TRIAL_URL")
    return found.model_copy(update={"settings": found.settings.model_copy(update={"databases": places})})


def person(name: str, number: int) -> str:
    """A patient's id."""
    return f"{CANARY}-{name}-p{number}"


def sound(name: str, people: int) -> dict[str, list[dict[str, Any]]]:
    """The good records of a ward: the neighbours that must land whatever stands beside them."""
    found: dict[str, list[dict[str, Any]]] = {
        "ResearchStudy": [{"resourceType": "ResearchStudy", "id": f"{CANARY}-study", "status": "active",
                           "meta": meta(), "identifier": [{"system": STUDY, "value": "ATC-PD1"}]}],
    }
    for number in range(1, people + 1):
        one = person(name, number)
        records = (patient(one), subject(one, f"{name.upper()}-{number}"), infusion(one, "i1"), event(one, "e1"),
                   *(lab(one, f"l{day}", day=day) for day in (1, 2, 3)))
        for record in records:
            found.setdefault(record["resourceType"], []).append(record)
    return found


def neighbours(name: str, people: int) -> set[str]:
    """`Type/id` of the good clinical records of a ward."""
    return {f"{type}/{record['id']}" for type, records in sound(name, people).items() for record in records
            if type in ("Observation", "AdverseEvent", "MedicationAdministration")}


def meta(minute: int = 0) -> dict[str, str]:
    """A first version, last updated on that minute."""
    return {"versionId": "1", "lastUpdated": f"2024-01-01T10:{minute:02d}:00.000Z"}


def patient(id: str, **elements: Any) -> dict[str, Any]:
    """A Patient with everything that identifies a person."""
    return {"resourceType": "Patient", "id": id, "meta": meta(), "gender": "female", "birthDate": "1961-02-03",
            "name": [{"family": "ZZ-FAMILY", "given": ["ZZ-GIVEN"]}],
            "identifier": [{"system": "https://ward.example/mrn", "value": f"ZZ-MRN-{id}"}], **elements}


def subject(of: str, number: str, **elements: Any) -> dict[str, Any]:
    """The ResearchSubject of a patient under a trial number."""
    return {"resourceType": "ResearchSubject", "id": f"{of}-rs", "meta": meta(), "status": "on-study",
            "identifier": [{"system": SUBJECT, "value": number}], "period": {"start": "2023-01-01"},
            "study": {"reference": f"ResearchStudy/{CANARY}-study"}, "individual": {"reference": f"Patient/{of}"},
            **elements}


def lab(of: str, id: str, *, day: int = 1, **elements: Any) -> dict[str, Any]:
    """A haemoglobin; an element given as None is left out."""
    whole = {"resourceType": "Observation", "id": f"{of}-{id}", "meta": meta(), "status": "final",
             "code": {"coding": [{"system": "http://loinc.org", "code": "718-7"}]},
             "subject": {"reference": f"Patient/{of}"}, "effectiveDateTime": f"2023-02-{day:02d}",
             "valueQuantity": {"value": 13.25, "unit": "g/dL", "system": "http://unitsofmeasure.org", "code": "g/dL"},
             **elements}
    return {name: value for name, value in whole.items() if value is not None}


def infusion(of: str, id: str, **elements: Any) -> dict[str, Any]:
    """A tislelizumab infusion."""
    return {"resourceType": "MedicationAdministration", "id": f"{of}-{id}", "meta": meta(), "status": "completed",
            "medicationCodeableConcept": {"coding": [{"system": "http://www.whocc.no/atc", "code": "L01FF09"}]},
            "subject": {"reference": f"Patient/{of}"}, "effectiveDateTime": "2023-01-02T10:00:00+08:00",
            "dosage": {"dose": {"value": 200, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}},
            **elements}


def event(of: str, id: str, **elements: Any) -> dict[str, Any]:
    """An adverse event: anaemia of grade 2."""
    grade = {"url": "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/ae-grade",
             "valueCodeableConcept": {"coding": [{"system": "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl",
                                                  "code": "C41339"}]}}
    return {"resourceType": "AdverseEvent", "id": f"{of}-{id}", "meta": meta(), "actuality": "actual",
            "extension": [grade], "subject": {"reference": f"Patient/{of}"}, "date": "2023-02-10",
            "event": {"coding": [{"system": "https://www.meddra.org", "code": "10002272"}]}, **elements}
