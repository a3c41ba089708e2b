"""Promise 1, raw first: what the cohort's pages said is stored before anything interprets it (DESIGN §5.1)."""

import json
from pathlib import Path
from typing import Any

import msgspec

from fhir_adapter import flow, kit
from fhir_adapter.core.concepts import ConceptRow, Relationship
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases
from tests.flow.conftest import hall
from tests.promises.conftest import Shelf, hurried

TYPES = ("AdverseEvent", "BodySite", "BodyStructure", "Condition", "Encounter", "MedicationAdministration",
         "MedicationStatement", "Observation", "Patient", "Procedure")
NOT_ASKED = ("withdrawn", "candidate", "screening", "ineligible", "not-registered")
"""States whose people nobody asks for (DESIGN §7)."""


def test_pulled_first_and_understood_without_hospitals(
    shelf: Shelf, database_urls: Databases, tmp_path: Path
) -> None:
    """A pull leaves every record in the vault and no fact; once the hospitals are closed, the rest gives the digest."""
    with hall(tmp_path) as opened, opened.workspace(database_urls) as work:
        outcome = flow.pull(hurried(work), [])
        assert outcome.code == 0
        assert all(one.counts.pull_adds_up for one in outcome.hospitals)
        assert _fetched(work) == {one.hospital: one.counts.new for one in outcome.hospitals}
        assert _missing(work) == []
        assert _interpreted(work) == {}

    with opened.workspace(database_urls) as work:
        flow.map_records(work, [])
        flow.conclude(work)
        assert work.trial.digest() == shelf.synced("sqlite").digest


def test_a_changed_mapping_is_replayed_without_hospitals(
    shelf: Shelf, database_urls: Databases, tmp_path: Path
) -> None:
    """A row for a code that nobody had mapped closes its conflict; taking the row away brings everything back."""
    with hall(tmp_path) as opened, opened.workspace(database_urls) as work:
        flow.sync(hurried(work), [])
        before = work.trial.digest()
    with opened.workspace(database_urls) as work:
        assert flow.conflicts(work, kind="unmapped_code")
        taught = _taught(work)
        flow.map_records(taught, [])
        flow.conclude(taught)
        assert flow.conflicts(taught, kind="unmapped_code") == []
        assert work.trial.digest() != before
        flow.map_records(work, [])
        flow.conclude(work)
        assert work.trial.digest() == before == shelf.synced("sqlite").digest


def _taught(work: Workspace) -> Workspace:
    """The study with one more row of mappings/concepts/drug.csv."""
    row = ConceptRow(system="https://west.example/fhir/CodeSystem/drug", code="W-LEN-4711", display="",
                     concept="lenvatinib", relationship=Relationship.EQUIVALENT, hospital="west")
    concepts = work.study.concepts
    lists = {**concepts.lists, "drug": concepts.lists["drug"].with_rows((row,))}
    changed = msgspec.structs.replace(concepts, lists=lists, remembered={})
    study = work.study.model_copy(update={"concepts": changed, "digest": "with a row for W-LEN-4711"})
    return msgspec.structs.replace(work, study=study)


def _fetched(work: Workspace) -> dict[str, int]:
    with work.vault.database.reading() as transaction:
        return {row[0]: row[1] for row in transaction.rows("SELECT hospital, count(*) FROM version GROUP BY hospital")}


def _interpreted(work: Workspace) -> dict[str, int]:
    """Tables of facts, problems, conflicts and conclusions that hold rows."""
    tables = (*work.trial.tables.facts, *work.trial.tables.conclusions, "origin", "problem", "doubt", "conflict")
    found = {table: len(work.trial.all_rows(table)) for table in tables}
    return {table: count for table, count in found.items() if count}


def _missing(work: Workspace) -> list[str]:
    """Records of the fixtures about members of the cohort whose bytes are not in the vault as they were served."""
    missing = []
    for folder in sorted((kit.fixtures_path() / "hospitals").iterdir()):
        hospital = folder.name
        members = {one for one, member in work.vault.members(hospital).items() if member.state not in NOT_ASKED}
        for type in TYPES:
            path = folder / f"{type}.ndjson"
            for line in path.read_bytes().splitlines() if path.exists() else []:
                head = _head(line)
                if head is not None and members & head[1]:
                    stored = work.vault.versions_of([work.vault.key(hospital, type, head[0])])
                    if line not in [version.body for version in stored]:
                        missing.append(f"{hospital} {type} {head[0]}")
    return missing


def _head(line: bytes) -> tuple[str, set[str]] | None:
    """The id of a record and the patients that it is about; None for bytes that are planted to be no JSON."""
    try:
        record: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    if record["resourceType"] == "Patient":
        return record["id"], {record["id"]}
    people = [record.get(name, {}) for name in ("subject", "patient", "individual")]
    return record["id"], {one["reference"].removeprefix("Patient/") for one in people if "reference" in one}
