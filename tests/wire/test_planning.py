"""`plan` and `doctor`: what will be asked and why, and where a connection fails, over a rehearsal hospital."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import INCOMPLETE, UNAVAILABLE, WHOLE
from fhir_adapter.core.study import Pull
from fhir_adapter.sandbox.persona import PLAIN, Persona
from fhir_adapter.sandbox.personas import EPIC
from fhir_adapter.steps.planning import covers
from fhir_adapter.steps.workspace import Workspace
from tests.databases import sqlite_databases
from tests.flow.conftest import Hall, hall


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hall]:
    """Rehearsal hospitals of this module; what is planned changes nothing in them."""
    with hall(tmp_path_factory.mktemp("hospitals")) as found:
        yield found


def _west(work: Workspace, **changes: Any) -> Workspace:
    west = work.study.hospitals["west"].model_copy(update=changes)
    return msgspec.structs.replace(work, study=work.study.model_copy(update={"hospitals": {"west": west}}))


def test_a_plan_names_its_reasons_and_no_patient(opened: Hall, tmp_path: Path) -> None:
    """Before the first pull: the cohort, each clinical type in full, deletes, rereading; each with its reason."""
    with opened.workspace(sqlite_databases(tmp_path), ("west",)) as work:
        rows = flow.plan(work, "west")
        asked = {seen.path for seen in opened.rehearsed.hospitals["west"].requests}

    observation = next(row for row in rows if row.type == "Observation" and "patient=" in row.words)
    assert observation.words == "Observation?patient=<20 patients of the cohort at a time>&_sort=_id&_count=200"
    assert observation.reason == "full history (the server lists _lastUpdated)"
    assert {row.type for row in rows} >= {"ResearchStudy", "ResearchSubject", "Patient", "AdverseEvent", "Medication"}
    assert all(row.reason for row in rows)
    assert not any(path.endswith(("/Observation", "/Patient")) for path in asked)


def test_the_doctor_finds_a_sound_hospital_well(opened: Hall, tmp_path: Path) -> None:
    """Name, connection, credentials, metadata and one question for each type."""
    with opened.workspace(sqlite_databases(tmp_path), ("west",)) as work:
        [found] = flow.doctor(work, ["west"])

    assert [one for one in found.findings if not one.is_well] == []
    assert found.code == WHOLE
    assert {"settings", "name", "http connection", "credentials", "metadata", "Observation"} <= {
        one.step for one in found.findings}


@pytest.mark.parametrize(("changes", "step", "remedy"), [
    ({"base_url": "http://127.0.0.1:9/fhir"}, "http connection", "firewall"),
    ({"base_url": "https://no-such-host.invalid/fhir"}, "name", "VPN"),
    ({"base_url": "http://fhir.west.example/r4"}, "settings", "sync/hospitals/west.toml"),
    ({"fhir_version": "R5"}, "metadata", "fhir_version"),
    ({"pull": Pull(rate="often")}, "settings", "sync/hospitals/west.toml"),
])
def test_the_doctor_names_the_step_that_fails(opened: Hall, tmp_path: Path, changes: dict[str, Any], step: str,
                                              remedy: str) -> None:
    """The first step that fails is the last that is tried, and says how to mend it."""
    with opened.workspace(sqlite_databases(tmp_path), ("west",)) as work:
        work = _west(msgspec.structs.replace(work, sleep=lambda seconds: None), **changes)
        [found] = flow.doctor(work, [])

    assert (found.findings[-1].step, found.findings[-1].is_well, found.code) == (step, False, UNAVAILABLE)
    assert remedy in found.findings[-1].remedy


def test_the_doctor_refuses_a_wrong_key(opened: Hall, tmp_path: Path) -> None:
    """Credentials that the hospital does not take."""
    with opened.workspace(sqlite_databases(tmp_path), ("west",)) as work:
        auth = work.study.hospitals["west"].auth.model_copy(update={"client_id": "somebody else"})
        [found] = flow.doctor(_west(work, auth=auth), [])

    assert (found.findings[-1].step, found.code) == ("credentials", UNAVAILABLE)
    assert "public key" in found.findings[-1].remedy


def test_the_doctor_names_a_refused_type(tmp_path: Path) -> None:
    """Q3: a type that is forbidden is one finding; the others are well."""
    with hall(tmp_path / "hospitals") as own:
        own.rehearsed.hospitals["west"].play(Persona(refused=frozenset({"AdverseEvent"})))
        with own.workspace(sqlite_databases(tmp_path), ("west",)) as work:
            [found] = flow.doctor(work, [])
        own.rehearsed.hospitals["west"].play(PLAIN)

    assert [one.step for one in found.findings if not one.is_well] == ["AdverseEvent"]
    assert found.code == INCOMPLETE


@pytest.mark.parametrize(("granted", "type", "is_covered"), [
    ("system/*.read", "Observation", True), ("system/*.rs", "Observation", True),
    ("system/Patient.rs", "Observation", False), ("system/Observation.s?category=laboratory", "Observation", True),
    ("system/Observation.c", "Observation", False), ("system/*.*", "Condition", True), ("", "Patient", False),
])
def test_scopes_v1_and_v2(granted: str, type: str, is_covered: bool) -> None:
    """What a scope lets us search, in both notations (SMART App Launch 2.2, scopes)."""
    assert covers(granted, type) is is_covered


def test_a_server_that_refuses_its_metadata_is_not_called_silent(opened: Hall, tmp_path: Path) -> None:
    """Epic's door without its header: the server answers and refuses; the remedy names the header, not the network."""
    west = opened.rehearsed.hospitals["west"]
    west.play(EPIC)
    try:
        with opened.workspace(sqlite_databases(tmp_path), ("west",)) as work:
            (found,) = flow.doctor(work, ["west"])
    finally:
        west.play(PLAIN)

    last = found.findings[-1]
    assert (found.code, last.step, last.is_well) == (UNAVAILABLE, "credentials", False)
    assert "refuses us /metadata (HTTP 403" in last.seen
    assert "Epic-Client-ID" in last.seen
    assert "check base_url" not in last.seen
