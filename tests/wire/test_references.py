"""What a drug record leans on, through a whole sync: the four forms of a reference, asked in lists, once, and named
when it is missing."""

import json
from pathlib import Path
from typing import Any

from fhir_adapter import flow
from tests.databases import Databases
from tests.wire.place import SAID, small_hospital

META = {"meta": {"versionId": "1", "lastUpdated": SAID}}
ANLOTINIB = {"coding": [{"system": "http://www.whocc.no/atc", "code": "L01EX"}], "text": "Anlotinib 12 mg"}


def _drug(id_: str) -> dict[str, Any]:
    return {"resourceType": "Medication", "id": id_, "code": ANLOTINIB, **META}


def _given(id_: str, reference: str, **more: Any) -> dict[str, Any]:
    return {"resourceType": "MedicationAdministration", "id": id_, "status": "completed", **META,
            "effectiveDateTime": "2026-05-01", "subject": {"reference": "Patient/p1"},
            "medicationReference": {"reference": reference}, **more}


def test_the_four_forms_of_a_reference(tmp_path: Path, database_urls: Databases) -> None:
    """Contained, relative and absolute are followed; `urn:uuid` leads nowhere at a server; a missing one is said.

    Source: hl7.org/fhir/R4/references.html (contained `#id`, relative, absolute, `urn:uuid` within one Bundle only).
    """
    rows = [_drug("m1"), _drug("m2"), _drug("m3"), _drug("nobody-asks"),
            _given("a-relative", "Medication/m1"), _given("a-again", "Medication/m1"),
            _given("a-version", "Medication/m2/_history/1"),
            _given("a-contained", "#inside", contained=[{**_drug("inside"), "meta": {}}]),
            _given("a-urn", "urn:uuid:6f0e3b52-3b5c-4c55-9d5f-0c3a8b1f7d11"), _given("a-missing", "Medication/m9")]
    with small_hospital(tmp_path, *rows, databases=database_urls) as place:
        place.server.plant(_json(_given("a-absolute", f"{place.server.base_url}/Medication/m3")))
        with place.at_work() as work:
            flow.sync(work, [])
            asked = [dict(seen.query).get("_id", seen.path) for seen in place.server.requests
                     if seen.path.split("/")[2] == "Medication"]
            kept = set(work.vault.ids("west", "Medication"))
            origins = {work.vault.key("west", "MedicationAdministration", row["id"]): row["id"] for row in
                       (*rows[4:], {"id": "a-absolute"})}
            frames = work.trial.frames(("problem", "doubt"))
            said, understood = ({origins[key] for key in frames[name].resource if key in origins}
                                for name in ("problem", "doubt"))

    assert kept == {"m1", "m2", "m3"}
    assert asked == ["m1,m2,m3,m9", "/fhir/Medication/m9"]  # one list, and singly what it did not bring
    assert said == {"a-urn", "a-missing"}
    assert understood >= {"a-relative", "a-again", "a-version", "a-contained", "a-absolute"}


def _json(resource: dict[str, Any]) -> bytes:
    return json.dumps(resource).encode()
