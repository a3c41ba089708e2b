"""Codes and units of several records: decided for one record, one patient, a hospital or the study, and future data."""

import csv
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from fhir_adapter import flow
from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps.workspace import Workspace
from tests.databases import sqlite_databases
from tests.hostile.conftest import Open
from tests.hostile.ward import Ward, lab, meta, ward

SYSTEM = "https://ward.example/zz-codes"
UNKNOWN = {"coding": [{"system": SYSTEM, "code": "HB-1", "display": "Hb"}]}


@pytest.fixture
def own_ward(tmp_path: Path) -> Open:
    """Opens a ward over SQLite databases of its own; what is decided about codes asks no database anything special."""
    return partial(ward, sqlite_databases(tmp_path), tmp_path)


def result(of: str, id: str, **elements: Any) -> dict[str, Any]:
    """A laboratory result under a code that nobody knows."""
    return lab(of, id, code=UNKNOWN, **elements)


def meanings_of(one: Ward, *ids: str) -> dict[str, str]:
    """Of these laboratory records the test that each means here, as far as it means one."""
    keys = {one.work.vault.key(one.name, "Observation", id): id for id in ids}
    frame = one.work.trial.frames(("lab_result",), standings=("current", "held"))["lab_result"]
    return {keys[key]: test for key, test in zip(frame.resource, frame.test, strict=True) if key in keys}


def conflict(one: Ward, kind: str = "unmapped_code", state: str = "open") -> Any:
    """The ward's one conflict of a kind."""
    (found,) = [row for row in flow.conflicts(one.work, kind=kind, state=state) if one.name in row.hospitals]
    return found


def decide(work: Workspace, key: str, choice: str, value: str = "") -> None:
    """Signed by the data manager."""
    flow.decide(work, flow.Choice(conflict=key, choice=choice, value=value, reason="asked the laboratory", by="dm1"))


def planted(one: Ward) -> tuple[str, str, str]:
    """Two results of the first person and one of the second, under one unknown code; synced. Their ids."""
    first, second = one.person(1), one.person(2)
    one.plant(result(first, "u1"), result(first, "u2", day=2), result(second, "u3"))
    one.sync()
    return f"{first}-u1", f"{first}-u2", f"{second}-u3"


def test_for_one_record_and_its_later_versions(open_ward: Open) -> None:
    """Only that record maps, also when it comes again; the others wait still, and undoing gives it back to them."""
    with open_ward() as one:
        a, b, c = planted(one)
        waiting = conflict(one)
        assert "in 3 records of 2 subjects" in flow.conflict(one.work, waiting.key).lines[2]
        decide(one.work, waiting.key, "map_code", f"lab_result:hemoglobin@record={one.name}|Observation/{a}")
        assert meanings_of(one, a, b, c) == {a: "hemoglobin"}
        assert "in 2 records of 2 subjects" in flow.conflict(one.work, conflict(one).key).lines[2]

        one.plant(result(one.person(1), "u1", meta={**meta(5), "versionId": "2"}, effectiveDateTime="2023-02-09"))
        one.sync()
        assert meanings_of(one, a, b, c) == {a: "hemoglobin"}
        flow.undo(one.work, one.work.vault.decisions()[-1].number, reason="wrong record", by="dm1")
        assert meanings_of(one, a, b, c) == {}
        assert "in 3 records of 2 subjects" in flow.conflict(one.work, conflict(one).key).lines[2]


def test_for_one_patient_and_their_future_records(own_ward: Open) -> None:
    """Named by trial number, by Patient or by one of the records; the other patient's record waits."""
    with own_ward() as one:
        a, b, c = planted(one)
        key = one.work.vault.key(one.name, "Observation", a)
        names = (f"{one.name.upper()}-1", f"{one.name}|Patient/{one.person(1)}", key)
        numbers = []
        for name in names:
            decide(one.work, conflict(one).key, "map_code", f"lab_result:platelets@patient={name}")
            assert meanings_of(one, a, b, c) == {a: "platelets", b: "platelets"}, name
            numbers.append(one.work.vault.decisions()[-1])
        assert len({(one.conflict_key, one.value) for one in numbers}) == 1

        one.plant(result(one.person(1), "u4", day=8, meta=meta(6)), result(one.person(2), "u5", day=8, meta=meta(6)))
        one.sync()
        later = f"{one.person(1)}-u4"
        assert meanings_of(one, later, f"{one.person(2)}-u5") == {later: "platelets"}


def test_a_preview_for_one_record_or_patient_looks_at_that_one(own_ward: Open) -> None:
    """The other subject with the code is not worked out, and the conflict, which their record keeps open, stays."""
    with own_ward() as one:
        a, _, _ = planted(one)
        key, subject = conflict(one).key, f"{one.name.upper()}-1"
        for whom in (f"@record={one.name}|Observation/{a}", f"@patient={subject}"):
            shown = flow.preview(one.work, flow.Choice(conflict=key, choice="map_code",
                                                       value=f"lab_result:hemoglobin{whom}"))
            assert shown.subjects == (subject,), whom
            assert key not in {closed for _, closed in shown.closes}, whom
        wide = flow.preview(one.work, flow.Choice(conflict=key, choice="map_code", value="lab_result:hemoglobin"))
        assert len(wide.subjects) == 2
        assert key in {closed for _, closed in wide.closes}


def test_the_nearer_decision_goes_first(own_ward: Open) -> None:
    """Record before patient before hospital before study, in whatever order they were signed (DESIGN §7)."""
    with own_ward() as one:
        a, b, c = planted(one)
        key, subject = conflict(one).key, f"{one.name.upper()}-1"
        decide(one.work, key, "map_code", f"lab_result:sodium@record={one.name}|Observation/{a}")
        decide(one.work, key, "unmatched", f"@patient={subject}")
        decide(one.work, key, "map_code", "lab_result:calcium@study")
        assert meanings_of(one, a, b, c) == {a: "sodium", c: "calcium"}
        decide(one.work, key, "map_code", "lab_result:albumin")
        assert meanings_of(one, a, b, c) == {a: "sodium", c: "albumin"}
        near = [row for row in flow.conflicts(one.work, kind="unmapped_code", state="closed")
                if one.name in row.hospitals]
        assert len(near) == 3
        for_the_patient = next(row for row in reversed(one.work.vault.decisions()) if row.choice == "unmatched")
        flow.undo(one.work, for_the_patient.number, reason="not so", by="dm1")
        assert meanings_of(one, a, b, c) == {a: "sodium", b: "albumin", c: "albumin"}


def test_decisions_replayed_on_an_empty_database_give_the_same_state(own_ward: Open, tmp_path: Path) -> None:
    """Exported, then imported where nobody has decided: the same facts and conflicts; imported again: nothing new."""
    with own_ward() as one:
        a, b, c = planted(one)
        key = conflict(one).key
        decide(one.work, key, "map_code", f"lab_result:sodium@record={one.name}|Observation/{a}")
        decide(one.work, key, "map_code", f"lab_result:calcium@patient={one.name.upper()}-1")
        decide(one.work, key, "unmatched")
        file = tmp_path / "decisions.csv"
        assert flow.export_decisions(one.work, file) == 3
        meant, tables = meanings_of(one, a, b, c), one.work.trial.table_digests()
        assert meant == {a: "sodium", b: "calcium"}
        with file.open() as opened:
            assert [row["value"].partition("=")[0] for row in csv.DictReader(opened)] == [
                "lab_result:sodium@record", "lab_result:calcium@patient", ""]
        for number in (3, 2, 1):
            flow.undo(one.work, number, reason="to begin anew", by="dm1")
        assert meanings_of(one, a, b, c) == {}
        assert flow.import_decisions(one.work, file)[-1] == "3 decisions signed, 0 stood already."
        assert meanings_of(one, a, b, c) == meant
        anew = one.work.trial.table_digests()
        assert {name for name in tables if anew[name] != tables[name]} <= {"conflict", "decision", "origin"}  # numbers
        assert flow.import_decisions(one.work, file)[-1] == "0 decisions signed, 3 stood already."
        flow.rebuild(one.work)


@pytest.mark.hard
def test_a_preview_tells_what_a_narrow_decision_does(own_ward: Open) -> None:
    """Nothing closes while the other records wait; the last one closes the conflict."""
    with own_ward() as one:
        a, _, c = planted(one)
        key = conflict(one).key
        value = f"lab_result:hemoglobin@record={one.name}|Observation/{a}"
        assert flow.preview(one.work, flow.Choice(conflict=key, choice="map_code", value=value)).closes == ()
        decide(one.work, key, "map_code", f"lab_result:hemoglobin@patient={one.name.upper()}-1")
        last = f"lab_result:hemoglobin@record={one.name}|Observation/{c}"
        shown = flow.preview(one.work, flow.Choice(conflict=key, choice="map_code", value=last))
        assert shown.closes == (("unmapped_code", key),)
        assert meanings_of(one, c) == {}


def test_whom_it_is_for_must_be_there(own_ward: Open) -> None:
    """A name that names nobody, and a text that is no scope, are refused; nothing is signed."""
    with own_ward() as one:
        planted(one)
        for whom in ("record=", "patient", "moon=1", "record=ffff", "patient=NOBODY-1", "study=1", ""):
            with pytest.raises(UsageError):
                decide(one.work, conflict(one).key, "map_code", f"lab_result:hemoglobin@{whom}")
        assert one.work.vault.decisions() == []


def test_a_decision_settles_codings_that_contradict(own_ward: Open) -> None:
    """Of two known codings the one that somebody decided about counts, for that record alone."""
    with own_ward() as one:
        both = {"coding": [{"system": "http://loinc.org", "code": code} for code in ("718-7", "2951-2")]}
        first = one.person(1)
        one.plant(lab(first, "two", code=both), lab(first, "too", code=both, day=9))
        one.sync()
        key = conflict(one, "ambiguous_coding").key
        decide(one.work, key, "map_code", f"lab_result:hemoglobin@record={one.name}|Observation/{first}-two")
        assert meanings_of(one, f"{first}-two", f"{first}-too") == {f"{first}-two": "hemoglobin"}


@pytest.mark.hard
def test_a_deferred_code_that_is_then_mapped_by_a_row(own_ward: Open) -> None:
    """Deferring says nothing about the code: when it is known later, no conflict is left."""
    with own_ward() as one:
        a, *_ = planted(one)
        deferred = conflict(one).key
        decide(one.work, deferred, "defer")
        decide(one.work, deferred, "map_code", "lab_result:hemoglobin")
        assert conflict(one, state="closed").key == deferred
        flow.undo(one.work, one.work.vault.decisions()[-1].number, reason="the other way", by="dm1")
        decide(one.work, deferred, "defer")
        for id in (f"{one.person(1)}-u1", f"{one.person(1)}-u2", f"{one.person(2)}-u3"):
            of, _, rest = id.rpartition("-")
            one.plant(lab(of, rest, meta={**meta(9), "versionId": "2"}))
        one.sync()
        assert meanings_of(one, a) == {a: "hemoglobin"}
        assert not [row for row in flow.conflicts(one.work, kind="unmapped_code") if one.name in row.hospitals]


def test_a_unit_of_many_is_one_conflict_that_counts_them(own_ward: Open) -> None:
    """It names how many values and whose; excluding concerns all; what is settled alone or together is the same."""
    with own_ward(people=3) as one:
        odd = {"value": 3, "unit": "zubits", "code": "zubits"}
        for number in (1, 2):
            one.plant(lab(one.person(number), "odd", valueQuantity=odd))
        one.sync()
        found = conflict(one, "unit_unknown")
        name = one.name.upper()
        assert found.subject is None
        assert f"in 2 records of 2 subjects: {name}-1, {name}-2." in flow.conflict(one.work, found.key).lines[2]
        one.plant(lab(one.person(3), "odd", valueQuantity=odd, meta=meta(7)))
        one.sync()
        assert "in 3 records of 3 subjects" in flow.conflict(one.work, found.key).lines[2]
        before = one.work.trial.digest()
        flow.conclude(one.work, everyone=True)
        assert one.work.trial.digest() == before

        decide(one.work, found.key, "exclude")
        frame = one.work.trial.frames(("lab_result",))["lab_result"]
        assert sorted(frame[frame.unit_text == "zubits"].standing) == ["overruled"] * 3
        assert conflict(one, "unit_unknown", "closed").key == found.key
        before = one.work.trial.digest()
        flow.rebuild(one.work)
        assert one.work.trial.digest() == before
