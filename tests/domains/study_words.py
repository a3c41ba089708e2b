"""The reference study's own mappings, as its folder loads them, and the way from a resource to what it says."""

import shutil
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fhir_adapter.core.concepts import ConceptList, Concepts
from fhir_adapter.core.facts import Fact
from fhir_adapter.core.study import FhirVersion, Study
from fhir_adapter.domains.mapping import Mapped, map_version
from fhir_adapter.domains.reading import Reading
from fhir_adapter.study import load
from tests import build
from tests.house.house import ROOT

LOINC = "http://loinc.org"
SCT = "http://snomed.info/sct"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
MEDDRA = "https://www.meddra.org"


@cache
def study() -> Study:
    """mappings/ of this repository beside an empty sync/: no hospital is needed to know what codes mean."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(ROOT / "mappings", Path(folder) / "mappings")
        (Path(folder) / "sync").mkdir()
        (Path(folder) / "sync" / "settings.toml").write_text("")
        return load(Path(folder))


@cache
def concepts() -> Concepts:
    """The study's lists, and of the builders' those that they add (drugs and procedures of the tests)."""
    known, added = study().concepts, build.concepts()
    lists = {**added.lists, **_together(known.lists, added.lists)}
    return Concepts(lists, {**added.terms, **known.terms})


def _together(mine: dict[str, ConceptList], theirs: dict[str, ConceptList]) -> dict[str, ConceptList]:
    """The study's own version of each list, with the builders' rows behind it where both have one."""
    return {
        name: ConceptList(name, (*theirs[name].rows, *rows.rows)) if name in theirs else rows
        for name, rows in mine.items()
    }


def reading(version: FhirVersion = "R4", **parts: Any) -> Reading:
    """The context of one resource in the words of the study's own mappings; parts may be replaced."""
    return build.reading(version, **{"concepts": concepts(), "units": study().units, **parts})


def says(resource: Mapping[str, Any], version: FhirVersion = "R4", **parts: Any) -> Mapped:
    """What a resource says to all domains."""
    return map_version(str(resource["resourceType"]), build.body(resource), reading(version, **parts))


def facts(mapped: Mapped, domain: str) -> list[Any]:
    """The facts of one domain."""
    return [fact for name, fact in mapped.facts if name == domain]


def only(mapped: Mapped, domain: str) -> Any:
    """The one fact of one domain."""
    (fact,) = facts(mapped, domain)
    assert isinstance(fact, Fact)
    return fact


def kinds(mapped: Mapped) -> list[str]:
    """The kinds of doubts that were raised, in order."""
    return [doubt.kind for doubt in mapped.doubts]


def coded(code: str, system: str = LOINC, **parts: Any) -> dict[str, Any]:
    """A CodeableConcept with one coding."""
    return {"coding": [{"system": system, "code": code, **parts}]}


def observation(code: dict[str, Any], **elements: Any) -> dict[str, Any]:
    """A final Observation of 2 January 2023."""
    whole = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": code,
        "subject": {"reference": "Patient/p1"},
        "effectiveDateTime": "2023-01-02",
        **elements,
    }
    return {name: value for name, value in whole.items() if value is not None}


def quantity(value: float | str, unit: str | None = None, **elements: Any) -> dict[str, Any]:
    """A Quantity with a UCUM code, or with none."""
    base: dict[str, Any] = {"value": value} if unit is None else {"value": value, "unit": unit, "code": unit}
    return {**base, **elements}
