"""A look at what a decision would change: it tells what deciding then does, and writes nothing."""

import csv
from typing import Any

import pytest

from fhir_adapter import flow, kit
from fhir_adapter.core.errors import UsageError
from fhir_adapter.steps import comparing, deciding
from fhir_adapter.steps.reporting import conclusions
from fhir_adapter.steps.workspace import Workspace
from tests.databases import Databases
from tests.flow.conftest import Hall
from tests.promises.conftest import Synced, hurried


def _key(work: Workspace, kind: str, subject: str | None) -> str:
    return next(one.key for one in flow.conflicts(work, kind=kind) if one.subject == subject)


def _foretold(shown: flow.Preview) -> dict[tuple[str, str, str], tuple[str, str]]:
    return {(one.subject, one.endpoint, one.rule): (one.before, one.after) for one in shown.changes}


def _happened(before: Any, after: Any) -> dict[tuple[str, str, str], tuple[str, str]]:
    return {(one.subject, one.endpoint, one.rule): (one.before, one.after)
            for one in comparing.changes(before, after)}


CHOICES = {
    "unit_implausible": ("ATC-016", "override", '{"size_um": 13000}', "dm1"),
    "therapy_role_unknown": ("ATC-023", "set_role", "subsequent", "inv1"),
    "activity_after_death": ("ATC-056", "exclude", "", "inv1"),
    "unmapped_code": (None, "map_code", "", "dm1"),
    "one_person_two_hospitals": (None, "join", "", "dm1"),
    "merged_patient": (None, "split", "", "dm1"),
}
"""By kind: whose conflict (None: the first), what is chosen; a code is mapped as fixtures/decisions.csv does."""


@pytest.mark.hard
def test_a_preview_is_what_then_happens(hospitals: Hall, sqlite_urls: Databases) -> None:
    """Facts laid over, codes mapped anew, persons joined and split: each foretold, done, found so, and taken back."""
    with hospitals.workspace(sqlite_urls) as opened:
        work = hurried(opened)
        flow.sync(work, [])
        rows = {row["kind"]: row for row in _decisions()}
        for kind, (subject, choice, value, by) in CHOICES.items():
            open_ones = flow.conflicts(work, kind=kind)
            key = _key(work, kind, subject) if subject else open_ones[0].key
            if kind == "unmapped_code":
                row = rows[kind]
                key = deciding._conflict_of(work, work.trial.frames(("conflict", "conflict_item")), row) or key
                choice, value = row["choice"], row["value"]
            chosen = flow.Choice(conflict=key, choice=choice, value=value, reason="to see", by=by)
            digest, before = work.trial.digest(), comparing.values(conclusions(work))
            shown = flow.preview(work, chosen)
            assert work.trial.digest() == digest, kind
            flow.decide(work, chosen)
            after = comparing.values(conclusions(work))
            assert _foretold(shown) == _happened(before, after), kind
            still = {one.key for one in flow.conflicts(work)}
            closed = {one.key for one in open_ones if one.key not in still}
            assert closed <= {key for _, key in shown.closes}, kind
            assert not {key for _, key in shown.closes} & still, kind
            assert {key for _, key in shown.opens} <= still, kind
            flow.undo(work, max(one.number for one in work.vault.decisions()), reason="seen", by=by)
            assert comparing.changes(before, comparing.values(conclusions(work))) == [], kind


def _decisions() -> list[dict[str, str]]:
    with (kit.fixtures_path() / "decisions.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_preview_tells_what_moves(synced: Synced) -> None:
    """ATC-023's bone irradiation read as new therapy ends its table A follow-up; treatment policy goes on.

    Expected: endpoints.md §6, row "new anticancer therapy before PD/death".
    """
    key = _key(synced.work, "therapy_role_unknown", "ATC-023")
    shown = flow.preview(synced.work, flow.Choice(conflict=key, choice="set_role", value="subsequent"))
    moved = {(one.endpoint, one.rule): one.after for one in shown.changes}
    assert "new_therapy" in moved["PFS", "table_a"]
    assert ("PFS", "treatment_policy") not in moved
    assert shown.closes == (("therapy_role_unknown", key),)
    assert synced.work.trial.digest() == synced.digest


def test_a_preview_refuses_what_a_decision_would(synced: Synced) -> None:
    """An unknown choice, a value that names no side."""
    key = _key(synced.work, "therapy_role_unknown", "ATC-023")
    for choice, value in (("accept", ""), ("join", "")):
        with pytest.raises(UsageError):
            flow.preview(synced.work, flow.Choice(conflict=key, choice=choice, value=value))
