"""What people see and decide on the command line."""

import csv
from pathlib import Path

from tests.cli.conftest import ROOT, Rehearsing, conflict_of, run

NOT_PLANTED = {"ae_grade_differs", "no_contact", "scan_missing"}
"""Kinds that follow from the course of the invented subjects: nobody in fixtures/decisions.csv answers them."""

SHOWN = (("status",), ("conflicts", "list"), ("problems", "list"), ("subjects", "list"), ("audit", "verify"))


def test_lists_show_the_same_in_both_forms(rehearsed: Rehearsing) -> None:
    """As many rows in the table as in JSON."""
    for words in SHOWN[1:4]:
        plain, json = run(*words, study=rehearsed.folder), run(*words, "--json", study=rehearsed.folder)
        assert plain.code == json.code == 0
        assert len(plain.rows) == len(json.json) > 0


def test_nothing_that_identifies_a_person_is_shown(rehearsed: Rehearsing) -> None:
    """No name, identifier, source id or birth date of anybody: not in lists, not in the words of a sync."""
    canaries = [line for line in (ROOT / "fixtures" / "canaries.txt").read_text().splitlines() if len(line) > 3]
    said = rehearsed.first.out + rehearsed.first.err
    said += "".join(run(*words, study=rehearsed.folder).out for words in SHOWN)

    assert len(canaries) > 100
    assert [one for one in canaries if one in said] == []


def test_a_conflict_is_shown_with_both_sides(rehearsed: Rehearsing) -> None:
    """Who settles it, what can be chosen, what to type."""
    key = conflict_of(rehearsed.folder, "death_dates_disagree")
    ended = run("conflicts", "show", key, study=rehearsed.folder)

    assert ended.code == 0
    for said in ("investigator", "choices: accept", "vital_status at deceasedDateTime", "vital_status at row",
                 f"fhir-adapter conflicts decide {key}"):
        assert said in ended.out
    assert run("conflicts", "show", key, "--json", study=rehearsed.folder).json["key"].startswith(key)


def test_a_decision_closes_and_undo_opens(study: Path) -> None:
    """Both are signed and reasoned, and neither is ever deleted."""
    key = conflict_of(study, "activity_after_death")
    signed = run("conflicts", "decide", key, "confirm", "--by", "inv1", "--reason", "registered later", study=study)
    closed = run("conflicts", "show", key, study=study).out
    number = signed.out.split()[1]
    undone = run("conflicts", "undo", number, "--by", "inv1", "--reason", "it was not", study=study)

    assert signed.code == undone.code == 0, signed.err + undone.err
    assert "closed" in closed.splitlines()[0]
    assert f"decision {number}" in closed
    assert "open" in run("conflicts", "show", key, study=study).out.splitlines()[0]
    assert run("audit", "verify", study=study).code == 0


def test_a_decision_changes_what_counts(study: Path) -> None:
    """A size written in the wrong unit is overridden; the trace names the decision."""
    shown = run("conflicts", "list", "--kind", "unit_implausible", "--json", study=study).json
    key = next(one["key"] for one in shown if one["subject"] == "ATC-022")
    ended = run("conflicts", "decide", key, "override", "--value", '{"size_um": 19000}', "--by", "dm1",
                "--reason", "millimetres were meant", study=study)
    traced = run("trace", "RESPONSE", "ATC-022", study=study).out

    assert ended.code == 0, ended.err
    assert "by dm1" in traced
    assert "millimetres were meant" in traced


def test_wrong_decisions_are_refused(study: Path) -> None:
    """Somebody unknown, somebody without that role, a choice that is none, no reason, a key that is none."""
    key = conflict_of(study, "death_dates_disagree")
    refused = {
        "not in [people]": (key, "confirm", "--by", "nobody", "--reason", "r"),
        "settled by the investigator": (key, "confirm", "--by", "dm1", "--reason", "r"),
        "can be settled by": (key, "magic", "--by", "inv1", "--reason", "r"),
        "needs a reason": (key, "confirm", "--by", "inv1", "--reason", " "),
        "needs --value": (key, "accept", "--by", "inv1", "--reason", "r"),
        "names no side": (key, "accept", "--value", "x", "--by", "inv1", "--reason", "r"),
        "JSON columns": (key, "override", "--value", "x", "--by", "inv1", "--reason", "r"),
        "0 conflicts begin with": ("nothing", "confirm", "--by", "inv1", "--reason", "r"),
    }
    for said, words in refused.items():
        ended = run("conflicts", "decide", *words, study=study)
        assert (ended.code, said in ended.err) == (2, True), said
    assert run("conflicts", "undo", "99", "--by", "inv1", "--reason", "r", study=study).code == 2


def test_decisions_are_replayed_from_a_file(study: Path, tmp_path: Path) -> None:
    """All of the fixtures' decisions close what was planted; exported and imported again, they stand already."""
    imported = run("decisions", "import", ROOT / "fixtures" / "decisions.csv", study=study)
    path = tmp_path / "decisions.csv"
    exported = run("decisions", "export", path, "--json", study=study)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))

    assert imported.code == 0, imported.err
    assert {row[1] for row in run("conflicts", "list", study=study).rows} == NOT_PLANTED
    assert exported.json["decisions"] == len(rows) > 15
    again = run("decisions", "import", path, study=study)
    assert f"0 decisions signed, {len(rows)} stood already" in again.out


def test_one_refused_record_can_be_acknowledged(study: Path) -> None:
    """By the beginning of its number; the others still wait."""
    numbers = [row[0] for row in run("problems", "list", study=study).rows if row[0]]
    ended = run("problems", "ack", numbers[0], "--by", "dm1", "--reason", "seen", study=study)
    after = run("problems", "list", "--json", study=study).json

    assert ended.out == "1 records acknowledged.\n"
    assert {one["number"]: one["acknowledged_by"] for one in after if one["number"]}[numbers[0]] == "dm1"
    assert all(one["remedy"] for one in after)
    assert run("problems", "ack", "--by", "nobody", "--reason", "seen", study=study).code == 2
