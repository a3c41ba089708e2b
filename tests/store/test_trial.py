"""The trial database: facts in and out, fences, settling, conclusions, projections."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from fhir_adapter.core.conflicts import Decision
from fhir_adapter.core.errors import DatabaseError, LeaseHeld
from fhir_adapter.core.origins import Origin
from fhir_adapter.core.problems import Problem
from fhir_adapter.core.runs import CompletenessRow
from fhir_adapter.store.records import AuditEntry, Run
from fhir_adapter.store.trial import COUNTED, Place, Settling, Trial, open_trial
from tests.databases import Databases
from tests.store.build import TRIAL_LEASE, dead, doubt, everything, lab, record, tables, trial

LATER = msgspec.structs.replace(TRIAL_LEASE, number=2, holder="other")


def member(table: str, key: str) -> dict[str, str]:
    """A side of a conflict."""
    return {"table": table, "fact_key": key, "hospital": "west", "resource": "r1", "element": "e"}


def conflict(key: str, subject: str | None = "ATC-001", **more: Any) -> dict[str, Any]:
    """A conflict as review hands it over."""
    return {"key": key, "kind": "death_dates_disagree", "subject": subject, "hospitals": ("west",), "state": "open",
            "fingerprint": "f", "values": ("a", "b"), "scope": ("s",), "message": "m",
            "members": [member("vital_status", "r1-1-0")], **more}


def standings(opened: Trial, table: str = "lab_result") -> dict[str, str]:
    """Standing by fact key."""
    return {row["fact_key"]: row["standing"] for row in opened.all_rows(table)}


def test_facts_come_back_as_they_were_written(database_urls: Databases) -> None:
    """Exact decimals with their zeros, partial dates in three columns, booleans, nothing for nothing."""
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [record("r1", ("lab_result", lab()), ("vital_status", dead("2024")))],
                             Place(7, "digest"))
        frames = opened.frames(["lab_result", "vital_status", "origin"])
        row, origin = frames["lab_result"].iloc[0], frames["origin"].iloc[0]
        death = frames["vital_status"].iloc[0]
        cursor, touched = opened.cursor("west"), opened.touched()

    assert (row["value"], str(row["value"])) == (Decimal("13.20"), "13.20")
    assert (row["value_text"], row["low"]) == ("13.20", None)
    assert (row["date"], row["date_precision"], row["date_written"]) == (
        "2024-05-06", "day", "2024-05-06T08:00:00+02:00")
    assert (death["death"], death["death_precision"]) == ("2024", "year")
    assert (row["standing"], row["held_by"], row["held_kind"]) == ("current", None, None)
    assert origin["is_head"] is True
    assert frames["lab_result"]["ordinal"].dtype == "int64"
    assert (cursor, touched) == (Place(7, "digest"), ["ATC-001"])


def test_a_newer_version_supersedes_the_older_in_any_batch(database_urls: Databases) -> None:
    """Both versions in one batch, one after the other, or the older one last: the same standings."""
    old = record("r1", ("lab_result", lab()), is_head=False)
    new = record("r1", ("lab_result", lab("5")), ordinal=2)
    first_alone = msgspec.structs.replace(old, is_head=True)
    found = []
    with trial(database_urls) as opened:
        for batches in ([[old, new]], [[first_alone], [new]], [[new], [old]]):
            opened.forget_records(TRIAL_LEASE, ["r1"])
            for batch in batches:
                opened.write_mapping(TRIAL_LEASE, "west", batch, None)
            found.append((standings(opened), opened.digest()))

    assert found[0][0] == {"r1-1-0": "superseded", "r1-2-0": "current"}
    assert found[0] == found[1] == found[2]


def test_mapping_a_record_again_replaces_what_it_said(database_urls: Databases) -> None:
    """Facts, problems, doubts, dependencies and placement of the version are replaced; both subjects are touched."""
    origin = Origin("west", "Observation", "r1", 1, "code")
    problem = Problem(code="bad_date", message="m", origin=origin)
    before = record("r1", ("lab_result", lab()), problems=[problem, problem], doubts=[doubt("r1")], needs=["n1", "n2"])
    after = record("r1", ("vital_status", dead()), subject="ATC-002", patient="key-ATC-001", needs=["n2"])
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [before], Place(1))
        rows = {name: len(opened.all_rows(name)) for name in ("lab_result", "problem", "doubt")}
        opened.write_conclusions(TRIAL_LEASE, ["ATC-001"], {})
        opened.write_mapping(TRIAL_LEASE, "west", [after], None)
        left = {name: len(opened.all_rows(name)) for name in ("lab_result", "problem", "doubt", "vital_status")}
        needs = opened.dependents(["n1"]), opened.dependents(["n2"])
        touched, places, cursor = opened.touched(), opened.placements("west"), opened.cursor("west")

    assert rows == {"lab_result": 1, "problem": 1, "doubt": 1}
    assert left == {"lab_result": 0, "problem": 0, "doubt": 0, "vital_status": 1}
    assert needs == (set(), {"r1"})
    assert touched == ["ATC-001", "ATC-002"]
    assert places == {"key-ATC-001": "ATC-002"}
    assert cursor == Place(1)


def test_an_old_holder_of_the_lease_writes_nothing(database_urls: Databases) -> None:
    """Once a later holder has raised the fence, every writing method of the earlier one is refused."""
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [record("r1", ("lab_result", lab()))], Place(1))
        opened.raise_fence(LATER)
        names = tuple(tables().kinds_by_table)
        before = everything(opened, names)
        for write in (
            lambda: opened.write_mapping(TRIAL_LEASE, "west", [record("r2", ("lab_result", lab()))], Place(2)),
            lambda: opened.write_settling(TRIAL_LEASE, Settling(subjects=["ATC-001"])),
            lambda: opened.write_conclusions(TRIAL_LEASE, ["ATC-001"], {}),
            lambda: opened.set_cursor(TRIAL_LEASE, "west", Place(9)),
            lambda: opened.touch(TRIAL_LEASE, ["ATC-009"]),
            lambda: opened.forget_records(TRIAL_LEASE, ["r1"]),
            lambda: opened.project(TRIAL_LEASE, {"site": []}),
            lambda: opened.raise_fence(TRIAL_LEASE),
        ):
            with pytest.raises(LeaseHeld):
                write()
        after = everything(opened, names)

    assert before == after


def test_a_batch_lands_whole_or_not_at_all(database_urls: Databases) -> None:
    """A fact that the database refuses (a code outside its list) takes the whole batch with it, cursor included."""

    bad = msgspec.structs.replace(lab(), status="nonsense")
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [record("r1", ("lab_result", lab()))], Place(1))
        before = everything(opened, tuple(tables().kinds_by_table))
        with pytest.raises(DatabaseError) as caught:
            opened.write_mapping(TRIAL_LEASE, "west", [record("r2", ("vital_status", dead())),
                                                       record("r3", ("lab_result", bad))], Place(2))
        after = everything(opened, tuple(tables().kinds_by_table))

    assert before == after
    assert "ck_lab_result_status" in str(caught.value)
    assert "nonsense" not in str(caught.value)


def test_odd_texts_never_reach_the_database_as_a_crash(database_urls: Databases) -> None:
    """NUL and lone surrogates that slipped through a mapper are stored as the replacement character, alike on both."""
    fact = msgspec.structs.replace(lab(), unit_text="U\0L", value_text="\ud800")
    origin = Origin("west", "Observation", "r1", 1, "a\0b")
    odd = record("r1", ("lab_result", fact), problems=[Problem(code="bad_text", message="x\0", origin=origin)],
                 doubts=[doubt("r1", values=("\ud800",), scope=("a\0",))])
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [odd], None)
        row = opened.all_rows("lab_result")[0]
        problem = opened.all_rows("problem")[0]

    assert row["unit_text"] == "U\ufffdL"
    assert "\ud800" not in row["value_text"]
    assert (problem["message"], problem["element"]) == ("x\ufffd", "a\ufffdb")


def test_settling_lays_standings_over_and_takes_them_off_again(database_urls: Databases) -> None:
    """Held while the conflict is open, current when it is gone; the frame names the conflict's kind."""
    held = Settling(subjects=["ATC-001"], standings=[("vital_status", "r1-1-0", "held", "c1")],
                    conflicts=[conflict("c1")])
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [record("r1", ("vital_status", dead()))], None)
        opened.write_settling(TRIAL_LEASE, held)
        frame = opened.frames(["vital_status"], ["ATC-001"], COUNTED)["vital_status"]
        items = opened.all_rows("conflict_item")
        opened.write_settling(TRIAL_LEASE, Settling(subjects=["ATC-001"]))
        after = standings(opened, "vital_status"), opened.all_rows("conflict"), opened.all_rows("conflict_item")

    assert list(frame[["standing", "held_by", "held_kind"]].iloc[0]) == ["held", "c1", "death_dates_disagree"]
    assert [(item["number"], item["table_name"], item["fact_key"]) for item in items] == [(1, "vital_status", "r1-1-0")]
    assert after == ({"r1-1-0": "current"}, [], [])


def test_settling_one_subject_leaves_the_others_conflicts(database_urls: Databases) -> None:
    """Conflicts of other subjects stay; those of no single subject (codes) are given as a whole or not at all."""
    code = conflict("code", None, kind="unmapped_code", members=[])
    with trial(database_urls) as opened:
        opened.write_settling(TRIAL_LEASE, Settling(subjects=["ATC-001", "ATC-002"], conflicts=[
            conflict("c1"), conflict("c2", "ATC-002", members=[]), code]))
        opened.write_settling(TRIAL_LEASE, Settling(subjects=["ATC-001"], shared=False))
        some = [row["key"] for row in opened.all_rows("conflict")]
        opened.write_settling(TRIAL_LEASE, Settling(subjects=["ATC-001"], conflicts=[conflict("c1", state="closed")]))
        left = [(row["key"], row["state"]) for row in opened.all_rows("conflict")]

    assert some == ["c2", "code"]
    assert left == [("c1", "closed"), ("c2", "open")]


def test_an_override_is_a_fact_whose_origin_is_the_decision(database_urls: Databases) -> None:
    """It is there with its origin, is left out of what settling reads, and goes when the decision is undone."""
    override = {"fact_key": "o1", "subject": "ATC-001", "hospital": "anything", "resource": "c1", "ordinal": 3,
                "element": "deceasedDateTime", "position": 0, "standing": "current", "held_by": None, "status": "dead",
                "death": "2024-05-07", "death_precision": "day", "death_written": "2024-05-07",
                "statement": "sheet", "cause": float("nan"), "held_kind": None}
    with trial(database_urls) as opened:
        opened.write_mapping(TRIAL_LEASE, "west", [record("r1", ("vital_status", dead()))], None)
        for _ in range(2):
            opened.write_settling(TRIAL_LEASE, Settling(
                subjects=["ATC-001"], standings=[("vital_status", "r1-1-0", "overruled", "decision 3")],
                overrides={"vital_status": [override]}))
        counted = opened.frames(["vital_status"], ["ATC-001"], COUNTED)["vital_status"]
        read = opened.frames(["vital_status"], ["ATC-001"], decided=False)["vital_status"]
        origins = [(row["hospital"], row["type"]) for row in opened.rows("origin", "resource", ["c1"])]
        opened.write_settling(TRIAL_LEASE, Settling(subjects=["ATC-001"]))
        left = standings(opened, "vital_status"), opened.rows("origin", "resource", ["c1"])

    assert list(counted["fact_key"]) == ["o1"]
    assert list(read["fact_key"]) == ["r1-1-0"]
    assert origins == [("decision", "Decision")]
    assert left == ({"r1-1-0": "current"}, [])


def test_conclusions_of_the_subjects_are_replaced_and_touched_is_cleared(database_urls: Databases) -> None:
    """Others' conclusions stay; NaN is NULL; numpy's and pandas' own types are taken."""
    import numpy as np
    import pandas as pd

    def frame(subject: str, days: float) -> pd.DataFrame:
        row = {"subject": subject, "endpoint": "OS", "rule": "", "headline": np.True_, "evaluator": "",
               "source": float("nan"), "start": "2024-01-01", "date": pd.NA, "status": "undetermined", "days": days,
               "reason": "no_contact", "imputed": pd.NaT, "cause": None, "why": "w", "provisional": False,
               "held_kinds": "[]", "facts": "[]"}
        return pd.DataFrame([row])

    with trial(database_urls) as opened:
        opened.touch(TRIAL_LEASE, ["ATC-001", "ATC-002", "ATC-003"])
        opened.write_conclusions(TRIAL_LEASE, ["ATC-001"], {"time_to_event": frame("ATC-001", 10.0)})
        opened.write_conclusions(TRIAL_LEASE, ["ATC-002"], {"time_to_event": frame("ATC-002", float("nan"))})
        opened.write_conclusions(TRIAL_LEASE, ["ATC-001"], {"time_to_event": frame("ATC-001", 11.0)})
        rows = [(row["subject"], row["days"], row["headline"], row["date"], row["source"])
                for row in opened.all_rows("time_to_event")]
        days = opened.frames(["time_to_event"])["time_to_event"]["days"]
        touched = opened.touched()

    assert rows == [("ATC-001", 11, True, None, None), ("ATC-002", None, True, None, None)]
    assert days.dtype == "float64"
    assert touched == ["ATC-003"]


def test_projections_are_written_only_where_they_differ(database_urls: Databases) -> None:
    """core's and the vault's own values fit as they are; a second time nothing is written."""
    run = Run(id=1, command="sync", hospitals=("west",), started_at="a", ended_at=None, exit_code=None, counts={"n": 1},
              mappings="m", program="0.1")
    entry = AuditEntry(seq=1, at="a", actor="dm1", system_user="u", action="decide", object="o", detail="{}",
                       previous="0", hash="h")
    signed = Decision(number=1, conflict_key="c", kind="k", fingerprint="f", choice="accept", value="v", reason="r",
                      decided_by="dm1", system_user="u", decided_at="t")
    gap = CompletenessRow(hospital="west", type="Observation", mode="search", whole_as_of="t", open_since=None)
    given: dict[str, list[Any]] = {"run": [run], "audit_entry": [entry], "decision": [signed], "completeness": [gap]}
    with trial(database_urls) as opened:
        numbers = [opened.project(TRIAL_LEASE, given) for _ in range(2)]
        highest = opened.projected()
        ended = opened.project(TRIAL_LEASE, {"run": [msgspec.structs.replace(run, exit_code=0)], "completeness": []})

    assert numbers == [dict.fromkeys(given, 1), dict.fromkeys(given, 0)]
    assert highest == {"run": 1, "decision": 1, "audit_entry": 1}
    assert ended == {"run": 1, "completeness": 1}


def test_a_database_of_another_revision_is_not_touched(database_urls: Databases) -> None:
    """It says which revision it has and what to do."""
    with trial(database_urls) as opened, opened.database.writing() as transaction:
        transaction.run("UPDATE alembic_version SET version_num = '0000'")
    with pytest.raises(DatabaseError) as caught:
        open_trial(database_urls.trial, tables(), create=True)

    assert "db upgrade" in str(caught.value)
