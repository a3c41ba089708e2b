"""Who takes part, told by a hospital that cannot be trusted: nobody else is stored, nobody is lost without a word."""

from pathlib import Path
from typing import Any

import httpx
import msgspec
import psycopg
import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import INCOMPLETE, UNAVAILABLE, USAGE, WHOLE
from fhir_adapter.sandbox import Persona
from tests.databases import Databases
from tests.hostile.conftest import Open
from tests.hostile.ward import STUDY, SUBJECT, Ward, event, infusion, lab, meta, on_search, patient, subject

STRANGER = "zz-stranger-4711"


def everything(databases: Databases) -> bytes:
    """All that the two databases hold, as bytes."""
    if databases.backend == "sqlite":
        files = [Path(url.removeprefix("sqlite:///")) for url in (databases.vault, databases.trial)]
        return b"".join(part.read_bytes() for file in files for part in file.parent.glob(f"{file.name}*"))
    found = []
    with psycopg.connect(databases.vault.replace("+psycopg", "")) as connection:
        tables = connection.execute("SELECT schemaname, tablename FROM pg_tables WHERE schemaname = ANY(%s)",
                                    (["vault", "trial"],))
        for schema, table in tables.fetchall():
            with connection.cursor().copy(f'COPY "{schema}"."{table}" TO STDOUT (FORMAT binary)') as copy:
                found += [bytes(part) for part in copy]
    return b"".join(found)


def plant_stranger(ward: Ward) -> None:
    """Somebody whom nobody enrolled, with records, and a ResearchSubject of another study."""
    ward.plant(patient(STRANGER), lab(STRANGER, "l1"), event(STRANGER, "e1"), infusion(STRANGER, "i1"),
               subject(STRANGER, "OTHER-1", study={"reference": "ResearchStudy/zz-other"}),
               {"resourceType": "ResearchStudy", "id": "zz-other", "status": "active"})


@pytest.mark.parametrize("ignored", [set(), {"patient", "subject", "study", "identifier", "_id"}])
def test_nothing_of_somebody_not_enrolled_is_stored(open_ward: Open, databases: Databases, ignored: set[str]) -> None:
    """A server that ignores every filter shows everybody; not a byte of a stranger is in either database."""
    with open_ward(persona=Persona(ignored=frozenset(ignored))) as ward:
        plant_stranger(ward)
        outcome = ward.sync()
        assert ward.landed(*ward.good) == ward.good, outcome
        assert outcome.code == WHOLE, outcome
        held = everything(databases)
        assert ward.person().encode() in held
        assert STRANGER.encode() not in held


def test_a_damaged_record_of_a_stranger_is_not_kept(open_ward: Open, databases: Databases) -> None:
    """Where the patient filter is ignored, of what cannot be read only position, length and digest are kept."""
    with open_ward(persona=Persona(ignored=frozenset({"patient", "subject", "study"}))) as ward:
        plant_stranger(ward)
        broken = (lab(STRANGER, "bad"), subject(STRANGER, "OTHER-2", id="zz-rs-bad"), event(STRANGER, "bad"))
        for record in broken:
            ward.plant(msgspec.json.encode(record).replace(b'"meta"', b'"zzz":,"meta"'))
        outcome = ward.sync()
        assert (outcome.code, outcome.counts.unreadable) == (INCOMPLETE, len(broken)), outcome
        assert ward.landed(*ward.good) == ward.good
        assert STRANGER.encode() not in everything(databases)


def bad_subjects(of: str) -> dict[str, dict[str, Any]]:
    """ResearchSubjects of the study that do not say whom they mean."""
    whole = subject(of, "BAD-1", id=f"{of}-second")
    return {
        "status is a number": {**whole, "status": 7},
        "no person": {name: value for name, value in whole.items() if name != "individual"},
        "person by identifier": {**whole, "individual": {"identifier": {"system": "urn:zz", "value": "zz"}}},
        "unknown modifier": {**whole, "modifierExtension": [{"url": "urn:zz"}]},
        "identifier is text": {**whole, "identifier": "zz"},
    }


@pytest.mark.parametrize("how", bad_subjects("x"))
def test_a_member_who_cannot_be_read_is_not_lost_without_a_word(open_ward: Open, how: str) -> None:
    """An enrolment that we cannot read makes the run incomplete and is named, and everybody else lands."""
    with open_ward() as ward:
        ward.plant(patient("zz-late"), lab("zz-late", "l1"), bad_subjects("zz-late")[how])
        outcome = ward.sync()
        assert ward.landed(*ward.good) == ward.good, outcome
        assert outcome.code == INCOMPLETE, outcome
        assert ward.quarantine() or "ResearchSubject" in ward.open_types(), outcome
        ward.rehearsal.edit(subject("zz-late", f"{ward.name}-LATE", id="zz-late-second"))
        mended = ward.sync()
        assert ward.landed("Observation/zz-late-l1"), mended
        assert mended.code == WHOLE, mended


def test_a_circle_of_merged_patients_stays_apart(open_ward: Open) -> None:
    """Two patients that replace each other keep their own numbers; the run says so and ends."""
    with open_ward() as ward:
        for number, other in ((1, 2), (2, 1)):
            link = [{"other": {"reference": f"Patient/{ward.person(other)}"}, "type": "replaced-by"}]
            ward.rehearsal.edit(patient(ward.person(number), link=link))
        outcome = ward.sync()
        assert any("merge_cycle" in message for message in outcome.messages), outcome
        assert ward.landed(*ward.good) == ward.good
        mine = [one for one in flow.subjects(ward.work) if ward.name in one.hospitals]
        assert len(mine) == 2


def test_a_patient_that_replaces_itself_is_a_circle_too(open_ward: Open) -> None:
    """The shortest circle."""
    with open_ward() as ward:
        link = [{"other": {"reference": f"Patient/{ward.person()}"}, "type": "replaced-by"}]
        ward.rehearsal.edit(patient(ward.person(), link=link))
        outcome = ward.sync()
        assert any("merge_cycle" in message for message in outcome.messages), outcome
        assert ward.landed(*ward.good) == ward.good


BAD_PATIENTS: dict[str, dict[str, Any]] = {
    "birth date is none": {"birthDate": "1961-02-30"}, "gender is a list": {"gender": ["zz"]},
    "unknown modifier": {"modifierExtension": [{"url": "urn:zz"}]}, "link is an object": {"link": {"zz": 1}},
    "identifier is text": {"identifier": "zz"}, "two deaths": {"deceasedBoolean": False, "deceasedDateTime": "2024"},
    "death is no date": {"deceasedDateTime": "zz"}, "birth is a number": {"birthDate": 1961},
}


@pytest.mark.parametrize("how", BAD_PATIENTS)
def test_a_patient_who_cannot_be_read_keeps_their_records(open_ward: Open, how: str) -> None:
    """The Patient has a named problem; what was measured of the person lands all the same."""
    with open_ward() as ward:
        ward.rehearsal.edit(patient(ward.person(), **BAD_PATIENTS[how]))
        outcome = ward.sync()
        assert ward.landed(*ward.good) == ward.good, outcome
        named = {row.code for row in ward.work.trial.frames(("problem",))["problem"].itertuples()
                 if row.hospital == ward.name and row.type == "Patient"}
        assert named, outcome


@pytest.mark.parametrize("status", [403, 404, 410, 500])
def test_a_patient_who_does_not_answer_is_said(open_ward: Open, status: int) -> None:
    """Gone, unknown, forbidden or failing: the run names it, and is not whole where the record may still be there."""
    with open_ward(people=1) as ward:
        def refuse(request: httpx.Request, body: bytes) -> httpx.Response | None:
            asked = request.url.path.startswith("/fhir/Patient/") or (
                request.url.path == "/fhir/Patient" and "_id" in request.url.params)
            return httpx.Response(status, content=b"") if asked else None

        ward.between.tricks.append(refuse)
        outcome = ward.sync()
        assert any("Patient" in message or "HTTP 500" in message for message in outcome.messages), outcome
        assert outcome.code == (INCOMPLETE if status in (403, 500) else WHOLE), outcome
        ward.between.tricks.clear()
        assert ward.sync().code == WHOLE
        assert ward.work.vault.ids(ward.name, "Patient") == [ward.person()]


GROUPS: dict[str, bytes] = {
    "not JSON": b'{"resourceType":"Group","id":"zz-g",', "a text": b'"zz"', "nothing": b"",
    "members are one object": b'{"resourceType":"Group","id":"zz-g","type":"person","actual":true,"member":{"a":1}}',
    "unknown modifier": b'{"resourceType":"Group","id":"zz-g","modifierExtension":[{"url":"zz"}]}',
}


@pytest.mark.parametrize("how", GROUPS)
def test_a_group_that_cannot_be_read_is_a_clear_stop(open_ward: Open, how: str) -> None:
    """Without the list of members nobody can be asked for: an exit code and a message, no traceback."""
    with open_ward(cohort={"group": "Group/zz-g"}) as ward:
        members = [{"entity": {"reference": f"Patient/{ward.person(number)}"}} for number in (1, 2)]
        ward.plant({"resourceType": "Group", "id": "zz-g", "type": "person", "actual": True, "member": members})
        ward.between.tricks.append(lambda request, body: GROUPS[how] if "Group/" in request.url.path else None)
        outcome = ward.sync()
        assert outcome.code in (USAGE, INCOMPLETE, UNAVAILABLE), outcome
        assert outcome.messages
        ward.between.tricks.clear()
        ward.sync()
        ward.acknowledge()
        assert ward.landed(*ward.good) == ward.good


@pytest.mark.parametrize("how", ["500", "HTML", "malformed"])
def test_a_study_that_cannot_be_had_is_not_the_configurations_fault(open_ward: Open, how: str) -> None:
    """Exit 5, and everything that was whole is open until the hospital answers again."""

    def broken(body: bytes) -> bytes | httpx.Response:
        if how == "500":
            return httpx.Response(500, content=b"")
        return b"<html>" if how == "HTML" else body.replace(b'"status":"active"', b'"status":')

    with open_ward() as ward:
        assert ward.sync().code == WHOLE
        ward.between.tricks.append(on_search("ResearchStudy", broken))
        outcome = ward.sync()
        assert outcome.code == UNAVAILABLE, outcome
        assert "Observation" in ward.open_types()
        ward.between.tricks.clear()
        ward.sync()
        ward.acknowledge()
        assert ward.sync().code == WHOLE
        assert ward.open_types() == set()


def test_a_record_that_is_about_somebody_else_now(open_ward: Open) -> None:
    """The hospital corrects whose result it is: it counts for the other person alone, in all its versions."""
    with open_ward() as ward:
        first, second = ward.person(1), ward.person(2)
        ward.sync()
        key = ward.work.vault.key(ward.name, "Observation", f"{first}-l1")
        ward.plant(lab(first, "l1", meta={**meta(9), "versionId": "2"}, subject={"reference": f"Patient/{second}"}))
        ward.sync()
        facts = ward.work.trial.frames(("lab_result",))["lab_result"]
        mine = facts[facts.resource == key].sort_values("ordinal")
        other = f"{ward.name.upper()}-2"
        assert list(zip(mine.subject, mine.standing, strict=True)) == [(other, "superseded"), (other, "current")]
        before = ward.work.trial.table_digests()
        flow.conclude(ward.work, everyone=True)
        assert ward.work.trial.table_digests() == before


def test_an_enrolment_in_error_is_another_version(open_ward: Open) -> None:
    """It is kept beside the old one, and what the old one said no longer counts."""
    with open_ward(people=1) as ward:
        ward.sync()
        record = f"ResearchSubject/{ward.person()}-rs"
        assert ward.landed(record) == {record}
        ward.rehearsal.edit(subject(ward.person(), f"{ward.name.upper()}-1", status="entered-in-error"))
        outcome = ward.sync()
        assert outcome.counts.new == 1, outcome
        assert ward.landed(record) == set()


def test_a_study_that_is_not_there_is_a_clear_stop(open_ward: Open) -> None:
    """Exit 2: the hospital's file names a study that the hospital does not know."""
    with open_ward(cohort={"research_study": f"{STUDY}|zz-none"}) as ward:
        assert ward.sync().code == USAGE


def test_a_trial_number_that_is_an_identifier_is_not_used(open_ward: Open, databases: Databases) -> None:
    """A hospital that writes its own record number as the subject's number: the person gets another one."""
    with open_ward(people=1) as ward:
        one = ward.person()
        ward.rehearsal.edit(subject(one, f"ZZ-MRN-{one}"))
        outcome = ward.sync()
        assert any("number_is_identifier" in message for message in outcome.messages)
        assert ward.landed(*ward.good) == ward.good
        assert all(f"ZZ-MRN-{one}" != row.subject for row in flow.subjects(ward.work))


@pytest.mark.parametrize("number", ["zz\x00", "\ud800", "z" * 5000, " ", "zz'; DROP TABLE subject; --"])
def test_odd_trial_numbers_stop_nobody(open_ward: Open, number: str) -> None:
    """NUL, a lone surrogate, a blank, a very long one, SQL: the neighbours land, the run ends."""
    with open_ward() as ward:
        odd = msgspec.json.encode(subject("zz-odd", "PLACE", id="zz-odd-rs"))
        written = msgspec.json.encode(number) if number != "\ud800" else b'"\\ud800"'
        ward.plant(patient("zz-odd"), lab("zz-odd", "l1"), odd.replace(b'"PLACE"', written))
        outcome = ward.sync()
        assert outcome.code in (WHOLE, INCOMPLETE), outcome
        assert ward.landed(*ward.good) == ward.good, outcome


def test_a_list_of_members_that_ends_early_asks_for_everybody_it_names(open_ward: Open) -> None:
    """A truncated page of ResearchSubjects: who is on it lands, the list is open, the next run is whole."""
    with open_ward() as ward:
        ward.between.tricks.append(on_search("ResearchSubject", lambda body: body[: len(body) * 7 // 10]))
        outcome = ward.sync()
        assert (outcome.code, "ResearchSubject" in ward.open_types()) == (INCOMPLETE, True), outcome
        ward.between.tricks.clear()
        ward.sync()
        ward.acknowledge()
        assert ward.sync().code == WHOLE
        assert ward.landed(*ward.good) == ward.good


def test_the_system_of_a_number_decides(open_ward: Open) -> None:
    """A number under another system is qualified by the hospital; two ResearchSubjects of one person are one."""
    with open_ward(people=1) as ward:
        one = ward.person()
        ward.rehearsal.edit(subject(one, "", identifier=[{"system": "urn:local", "value": "7"},
                                                         {"system": SUBJECT, "value": f"{ward.name}-7"}]))
        ward.rehearsal.edit(subject(one, "", id="zz-again", identifier=[{"system": "urn:local", "value": "8"}]))
        assert ward.sync().code == WHOLE
        assert len([row for row in flow.subjects(ward.work) if ward.name in row.hospitals]) == 1
