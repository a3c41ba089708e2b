"""A small hospital's records: three people of the trial, one who may join it, one who never does."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.ward import STUDY, event, infusion, lab, meta, patient, subject

MEMBERS = ("p1", "p2", "p3")
NEWCOMER, OUTSIDER = "p4", "p5"
PEOPLE = (*MEMBERS, NEWCOMER, OUTSIDER)
STUDY_ID = "zz-study"
GROUP_ID = "g1"
TYPES = ("MedicationAdministration", "Procedure", "Observation", "AdverseEvent", "Condition")
"""The clinical types that are asked here; the hospital's file declares the others as gaps."""


def enrolment(person: str, status: str = "on-study") -> dict[str, Any]:
    """The ResearchSubject of a person."""
    return subject(person, f"ATC-{person[1:]}", status=status)


def group(*people: str) -> dict[str, Any]:
    """The Group of the trial's people."""
    return {"resourceType": "Group", "id": GROUP_ID, "type": "person", "actual": True, "meta": meta(),
            "member": [{"entity": {"reference": f"Patient/{person}"}} for person in people]}


def clinical(person: str) -> list[dict[str, Any]]:
    """What stands in a person's file: four laboratory values, two infusions, an operation, an event, a diagnosis."""
    of = {"reference": f"Patient/{person}"}
    labs = [lab(person, f"l{day}", day=day, meta=meta(day),
                category=[{"coding": [{"code": "laboratory" if day % 2 else "vital-signs"}]}]) for day in (1, 2, 3, 4)]
    return [
        *labs, infusion(person, "i1"), infusion(person, "i2", meta=meta(7)),
        event(person, "e1", study=[{"reference": f"ResearchStudy/{STUDY_ID}"}]),
        {"resourceType": "Procedure", "id": f"{person}-t1", "meta": meta(8), "status": "completed", "subject": of,
         "code": {"coding": [{"system": "http://snomed.info/sct", "code": "13619001"}]},
         "performedDateTime": "2022-12-01"},
        {"resourceType": "Condition", "id": f"{person}-c1", "meta": meta(9), "subject": of,
         "code": {"text": "carcinoma"}, "recordedDate": "2022-11-01"},
    ]


def few(person: str) -> list[dict[str, Any]]:
    """Two records of each type that is asked."""
    found: list[dict[str, Any]] = []
    for type in TYPES:
        first = next(record for record in clinical(person) if record["resourceType"] == type)
        found += [first, {**first, "id": f"{first['id']}b"}]
    return found


def write(folder: Path, members: tuple[str, ...] = MEMBERS, people: tuple[str, ...] = PEOPLE,
          of: Callable[[str], list[dict[str, Any]]] = clinical) -> Path:
    """The whole hospital as NDJSON."""
    study = {"resourceType": "ResearchStudy", "id": STUDY_ID, "status": "active", "meta": meta(),
             "identifier": [{"system": STUDY, "value": "ATC-PD1"}]}
    rows = [study, group(*members), *(patient(person) for person in people), *map(enrolment, members)]
    rows += [record for person in people for record in of(person)]
    folder.mkdir(parents=True)
    for row in rows:
        with (folder / f"{row['resourceType']}.ndjson").open("a") as file:
            file.write(json.dumps(row) + "\n")
    return folder
