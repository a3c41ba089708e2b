"""What is asked, of whom, in which words, and why: pure, so nothing is asked here."""

import json
from datetime import UTC, date, datetime

import pytest

from fhir_adapter.core.errors import HospitalUnavailable, UsageError
from fhir_adapter.core.study import Cohort, FhirVersion, TypeSettings, Unavailable
from fhir_adapter.core.windows import Coverage, Question
from fhir_adapter.wire import plan
from fhir_adapter.wire.metadata import Capability, TypeCapability, read_capability
from tests.wire.hospital import capability, hospital

REACHED = datetime(2026, 1, 31, 12, 0, 0, 123000, tzinfo=UTC)
LISTED = Capability(types={name: TypeCapability(parameters=frozenset({"patient", "_lastUpdated"}))
                           for name in ("Observation", "Procedure")})


def _asked(questions: tuple[Question, ...], kind: str = "Observation") -> list[Question]:
    return [question for question in questions if question.type == kind]


@pytest.mark.parametrize(("version", "site"), [("STU3", "BodySite"), ("R4", "BodyStructure"), ("R5", "BodyStructure")])
def test_types_in_the_order_of_a_pull(version: FhirVersion, site: str) -> None:
    """DESIGN §4; STU3 calls BodyStructure BodySite (profiles.md)."""
    assert plan.clinical_types(hospital(fhir_version=version)) == (
        "MedicationAdministration", "MedicationStatement", "Procedure", "Observation", "AdverseEvent", "Condition",
        site, "Encounter")


def test_a_declared_gap_is_not_asked_and_a_named_type_is() -> None:
    """`unavailable` is signed; MedicationRequest and its kin are asked where the hospital's file names them."""
    gap = Unavailable(since=date(2026, 1, 5), reason="not offered by the EHR", signed_by="dm1")
    types = {"AdverseEvent": TypeSettings(unavailable=gap), "MedicationRequest": TypeSettings()}
    names = plan.clinical_types(hospital(types=types))

    assert "AdverseEvent" not in names
    assert names[-1] == "MedicationRequest"


def test_patients_are_asked_for_in_lists_q4() -> None:
    """Q4: bare ids, twenty at a time, whatever order and repetition they come in."""
    patients = [f"p{number:02}" for number in range(45)]
    questions = _asked(plan.clinical(hospital(), LISTED, [*reversed(patients), "p00"]))

    assert [len(question.patients) for question in questions] == [20, 20, 5]
    assert questions[0].parameters == (("patient", ",".join(patients[:20])),)
    assert all(question.reason for question in questions)


def test_adverse_events_are_asked_by_subject_q34() -> None:
    """Q34: Epic knows `subject` alone, and before R5 there is no `patient`."""
    [question] = _asked(plan.clinical(hospital(), Capability(), ["p1"]), "AdverseEvent")

    assert question.parameters == (("subject", "p1"),)


def test_changes_are_asked_with_overlap_in_utc_q19() -> None:
    """Q19, traps 3 and 6: `ge`, the watermark less the overlap, UTC `Z`, milliseconds kept."""
    coverage = [Coverage(type="Observation", patient="p1", mode="last_updated", since=REACHED)]
    [question] = _asked(plan.clinical(hospital(), LISTED, ["p1"], coverage))

    assert question.parameters == (("patient", "p1"), ("_lastUpdated", "ge2026-01-31T11:50:00.123Z"))
    assert (question.mode, question.since) == ("last_updated", datetime(2026, 1, 31, 11, 50, 0, 123000, tzinfo=UTC))


def test_a_new_patient_gets_full_history_q23() -> None:
    """Q23: who has no coverage is asked for in full, whatever the others' state."""
    coverage = [Coverage(type="Observation", patient="p1", mode="last_updated", since=REACHED)]
    questions = _asked(plan.clinical(hospital(), LISTED, ["p1", "p2"], coverage))

    spans = [(question.patients, question.since is None) for question in questions]
    assert spans == [(("p2",), True), (("p1",), False)]


def test_a_list_is_asked_since_its_earliest_watermark() -> None:
    """Differing watermarks do not break lists apart; asking for too much is harmless."""
    later = datetime(2026, 2, 1, tzinfo=UTC)
    coverage = [Coverage(type="Observation", patient=name, mode="last_updated", since=since)
                for name, since in (("p1", later), ("p2", REACHED))]
    [question] = _asked(plan.clinical(hospital(), LISTED, ["p1", "p2"], coverage))

    assert question.patients == ("p1", "p2")
    assert question.parameters[1] == ("_lastUpdated", "ge2026-01-31T11:50:00.123Z")


def test_types_without_last_updated_are_read_again_q17() -> None:
    """Q17, Q18: not listed (Epic; Oracle's MedicationAdministration) means a full re-read, unless the file says."""
    coverage = [Coverage(type="Condition", patient="p1", mode="full_reread", since=REACHED)]
    asked = plan.clinical(hospital(), LISTED, ["p1"], coverage)
    settings = hospital(types={"Condition": TypeSettings(since_mode="last_updated")})
    told = plan.clinical(settings, LISTED, ["p1"], coverage)

    assert [question.mode for question in _asked(asked, "Condition")] == ["full_reread"]
    assert _asked(asked, "Condition")[0].since is None
    assert "does not list _lastUpdated" in _asked(asked, "Condition")[0].reason
    assert [question.mode for question in _asked(told, "Condition")] == ["last_updated"]


def test_a_hospital_adds_its_own_parameters() -> None:
    """[types.Observation] parameters are added as they stand."""
    settings = hospital(types={"Observation": TypeSettings(parameters={"category": "laboratory"})})
    [question] = _asked(plan.clinical(settings, LISTED, ["p1"]))

    assert question.parameters == (("patient", "p1"), ("category", "laboratory"))


def test_the_cohort_is_named_one_way() -> None:
    """By study id, by study identifier, by group, by identifiers, or everyone."""
    by_id = hospital(cohort=Cohort(research_study="ResearchStudy/s1"))
    by_identifier = hospital(cohort=Cohort(research_study="https://trial.example/study|ATC"))

    assert (plan.study_id(by_id), plan.study(by_id)) == ("s1", None)
    question = plan.study(by_identifier)
    assert question is not None
    assert question.parameters == (("identifier", "https://trial.example/study|ATC"),)
    assert plan.study_id(by_identifier) is None
    assert plan.enrolment(["s1"])[0].parameters == (("study", "s1"),)
    assert plan.group_id(hospital(cohort=Cohort(group="Group/g1"))) == "g1"
    assert [len(one.parameters[0][1].split(",")) for one in plan.by_identifier(["x|1", "x|2", "x|3"], 2)] == [2, 1]
    assert plan.everyone().type == "Patient"
    assert plan.only_cohort(by_id) == "research_study"
    with pytest.raises(UsageError):
        plan.only_cohort(hospital(cohort=Cohort()))


@pytest.mark.parametrize(("number", "version"), [("3.0.2", "STU3"), ("4.0.1", "R4"), ("4.3.0", "R4B"), ("5.0.0", "R5")])
def test_the_version_is_checked_q33(number: str, version: FhirVersion) -> None:
    """Q33: /metadata says which FHIR it is; another than configured is a mistake to mend, not to survive."""
    body = json.dumps(capability(version=number)).encode()

    assert read_capability(body, hospital(fhir_version=version)).version == version
    other: FhirVersion = "R5" if version != "R5" else "R4"
    with pytest.raises(UsageError, match=f"speaks FHIR {version}, but its file says {other}"):
        read_capability(body, hospital(fhir_version=other))


@pytest.mark.parametrize("body", [b"", b"<html/>", b"[]", b'{"resourceType":"Bundle"}', b"[" * 100_000, b'{"rest":7}'])
def test_metadata_that_is_none(body: bytes) -> None:
    """Something else than a CapabilityStatement is no FHIR server (Medplum's router answers an empty searchset)."""
    with pytest.raises(HospitalUnavailable, match="no CapabilityStatement"):
        read_capability(body, hospital())


def test_what_a_server_lists() -> None:
    """Parameters per type, those for all types too, and interactions."""
    found = read_capability(json.dumps(capability("patient", Observation="read history-type")).encode(), hospital())

    assert found.of("Observation").parameters == {"patient"}
    assert found.of("Observation").has_history
    assert found.of("AdverseEvent") == TypeCapability()
