"""What open conflicts could move: all ways of settling them tried at once give what previews give one by one."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pandas as pd
import pytest

from fhir_adapter import cuts, flow
from fhir_adapter.review.alternatives import alternatives
from fhir_adapter.steps import previewing, sensitivity
from fhir_adapter.steps.identity import IDENTITY_KINDS
from fhir_adapter.steps.settling import Read, given, read, settled_and_derived
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases
from tests.flow.conftest import Hall, databases
from tests.promises.conftest import hurried

__all__ = ["databases"]

Tried = tuple[Workspace, list[sensitivity.Impact], str]


@pytest.fixture(scope="module")
def tried(hospitals: Hall, databases: Databases) -> Iterator[Tried]:
    """One hospital, synced, its conflicts tried; and the digest before that."""
    with hospitals.workspace(databases, ("south",)) as opened:
        work = hurried(opened)
        flow.sync(work, [])
        digest = work.trial.digest()
        yield work, cuts.impacts(work), digest


@pytest.mark.hard
def test_together_is_as_one_by_one(tried: Tried) -> None:
    """Laid over in rounds beside the other subjects, an alternative moves what its preview alone says."""
    work, impacts, _ = tried
    known = given(work)
    compared = 0
    for one in impacts:
        if one.subject is None or one.kind in IDENTITY_KINDS:
            continue
        said = read(work, [one.subject], known, shared=False)
        conflict = next(row for row in settled_and_derived(work, said, known).settled.conflicts
                        if row.key == one.conflict_key)
        ways = alternatives(conflict, said.frames, sensitivity._recorded(work, conflict))
        assert [way.label for way in ways] == [effect.label for effect in one.effects]
        for way, effect in zip(ways, one.effects, strict=True):
            if way.choice:
                choice = flow.Choice(conflict=one.conflict_key, choice=way.choice, value=way.value)
                shown = previewing.preview(work, choice)
                assert [(c.subject, c.endpoint, c.rule, c.before, c.after) for c in shown.changes] == [
                    (c.subject, c.endpoint, c.rule, c.before, c.after) for c in effect.changes], way
                compared += 1
    assert compared > 10


def test_it_ranks_and_is_not_under_the_digest(tried: Tried) -> None:
    """Every open conflict has a rank, those that move most first; lists go by it; the digest is as before."""
    work, impacts, digest = tried
    assert work.trial.digest() == digest
    assert [one.rank for one in impacts] == list(range(1, len(impacts) + 1))
    moved = [one.subject_values + one.study_values for one in impacts]
    assert moved == sorted(moved, reverse=True)
    assert moved[0] > 0
    shown = flow.conflicts(work)
    assert [one.key for one in shown] == [one.conflict_key for one in impacts]
    assert [one.moves for one in shown] == moved
    queue = sorted(work.trial.all_rows("worklist"), key=lambda row: (row["place"], row["conflict_key"]))
    assert [dict(zip([one.key for one in shown], moved, strict=True))[row["conflict_key"]] for row in queue
            if row["state"] != "closed"] == moved
    assert "could move" in "\n".join(flow.conflict(work, shown[0].key).lines)


def test_a_year_of_death_may_be_any_day_of_it(tried: Tried) -> None:
    """ATC-046 died in 2024, no more is known: dead on its last day, on the first that can be, or alive (excluded).

    Expected: endpoints.md §0.15 (bounds of an imputed date: from the start of the clock on), §7 (last known alive).
    """
    work, _, _ = tried
    row = _view(work, "ATC-046", "OS")
    may = {one["if"]: one["value"] for one in json.loads(row["may_become"]) if one["kind"] == "partial_date"}
    assert may["death on the last possible day"] == "event 2024-12-31 (death)"
    assert may["death on the first possible day"] == f"event {max(row['start'], '2024-01-01')} (death)"
    assert may["it is wrong"].startswith("censored ")
    assert may["it is wrong"].endswith("(last_alive)")
    traced = "\n".join(flow.trace(work, "OS", "ATC-046"))
    assert "would be event 2024-12-31 (death) if partial_date" in traced
    assert row["provisional"]
    assert "partial_date" in json.loads(row["held_kinds"])


def _view(work: Workspace, subject: str, endpoint: str) -> dict[str, Any]:
    names = ("start", "may_become", "provisional", "held_kinds")
    with work.trial.database.reading() as transaction:
        row = transaction.row(f"SELECT {', '.join(names)} FROM v_time_to_event WHERE subject = ? AND endpoint = ? "
                              "AND headline", (subject, endpoint))
    return dict(zip(names, row, strict=True))


def _read_twice(work: Workspace, factor: int) -> tuple[str, Read]:
    """The facts of one subject with two targets, both of which a second reader measured so many times as large on the
    first scan after the baseline.
    """
    known = given(work)
    for subject in sorted(set(work.trial.frames(("lesion_measurement",))["lesion_measurement"].subject)):
        said = read(work, [subject], known, shared=False)
        sizes, lesions = said.frames["lesion_measurement"], said.frames["lesion"]
        targets = sorted(set(sizes.lesion))[:2]
        both = sizes[sizes.lesion.isin(targets) & sizes.size_um.notna()]
        days = sorted(str(day) for day, rows in both.groupby("date") if rows.lesion.nunique() == len(rows) == 2)
        if len(days) < 2 or both.size_um.min() * factor < 2 * both.size_um.max():
            continue
        twice = both[both.date == days[1]]
        other = twice.assign(size_um=twice.size_um * factor, performer="another", position=twice.position + 100,
                             fact_key=[f"{number:032x}" for number in range(2)])
        return subject, msgspec.structs.replace(said, frames={
            **said.frames, "lesion_measurement": pd.concat([both.astype(object), other.astype(object)]),
            "lesion": lesions[lesions.lesion.isin(targets)].assign(role="target")})
    raise AssertionError("nobody has two lesions measured on two scans")


@pytest.mark.hard
def test_two_together_move_what_neither_moves_alone(tried: Tried, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two lesions read twice, either reading alone a progression: only if both are wrong is there none.

    By hand: provisional is the worse reading (endpoints.md, end of §0), ten times the size; without one of the two the
    sum of both is still over 120 % of what it was and 5 mm more. Each has three ways (either reading, or neither), so
    there are nine together, of which eight may be tried here.
    """
    monkeypatch.setattr(sensitivity, "MOST_PAIRS", 8)
    work, _, _ = tried
    subject, said = _read_twice(work, 10)
    found = [one for one in sensitivity.of_subjects(work, [subject], said, given(work)) if one.joint]
    assert {one.kind for one in found} == {"readers_disagree"}
    assert len(found) == 2
    best = ("BOR", "unconfirmed, investigator, lesions")
    for one, other in (found, found[::-1]):
        assert best not in {(each.endpoint, each.rule) for effect in one.effects for each in effect.changes}
        moved = {(each.endpoint, each.rule): each for joint in one.joint for each in joint.changes}
        assert moved[best].before == "PD"
        assert moved[best].after != "PD"
        assert {joint.other for joint in one.joint} == {other.conflict_key}
        assert one.joint_values > 0
        assert one.untried == 1


@pytest.mark.hard
def test_codes_and_persons_are_tried_too(hospitals: Hall, sqlite_urls: Databases) -> None:
    """A code may mean nothing or (of a drug) a drug of each class; two records may be two persons after all."""
    with hospitals.workspace(sqlite_urls, ("west",)) as opened:
        work = hurried(opened)
        flow.sync(work, [])
        ways = {(one.kind, effect.label) for one in cuts.impacts(work) for effect in one.effects}
    assert {("unmapped_code", "it means nothing here"), ("unmapped_code", "another anticancer drug"),
            ("unmapped_code", "a study drug"), ("merged_patient", "two persons")} <= ways


def test_what_was_decided_is_no_longer_ranked(tried: Tried) -> None:
    """A subject's ranks go when its results are concluded anew; the others stay. (The last test of this module.)"""
    work, impacts, _ = tried
    one = next(one for one in impacts if one.kind == "partial_date")
    flow.decide(work, flow.Choice(conflict=one.conflict_key, choice="confirm", reason="as it is", by="inv1"))
    left = flow.conflicts(work)
    assert one.conflict_key not in {row.key for row in left}
    same = {row.key: row.rank for row in left if row.subject != one.subject}
    assert same == {row.conflict_key: row.rank for row in impacts if row.subject != one.subject}
    assert _view(work, "ATC-046", "OS")["may_become"] is None
