"""Seeded schedules: whatever a hospital, its network and our own deaths do, nothing is ever silently missing (issue 3).

Each seed is a schedule (plans.py): a vendor's habits, edits, faults of HTTP and of the network, stops. After every sync
the vault must hold what it claims (books.py); when the faults have ceased, one more sync makes it equal to what the
hospital shows, or `status` names the type that is missing.

A seed that fails is a test's id, and runs again by it: `pytest tests/schedules -m hard -k "seed17-"`. Others than those
of CI run with `SCHEDULES=1000-2000`.
"""

import os
from pathlib import Path

import pytest

from fhir_adapter.core.windows import Coverage
from fhir_adapter.steps import asking
from tests.schedules.conftest import Templates
from tests.schedules.plans import Happening, Plan, Stop, Visit, planned
from tests.schedules.running import Ended, run

FIRST, LAST = map(int, os.environ.get("SCHEDULES", "0-300").split("-"))


def _ended(plan: Plan, home: Path, data: Path, templates: Templates) -> Ended:
    with templates.fresh("sqlite", home) as databases:
        return run(plan, home, data, databases)


@pytest.mark.hard
@pytest.mark.parametrize("seed", range(FIRST, LAST), ids=lambda seed: f"seed{seed}-")
def test_nothing_is_ever_silently_missing(seed: int, data: Path, templates: Templates, tmp_path: Path) -> None:
    """Whatever happens: no claim that is not so; at the end everything, or a name for what is missing."""
    ended = _ended(planned(seed), tmp_path / "home", data, templates)

    assert ended.wrong == [], ended


@pytest.mark.parametrize("seed", [2, 5])
def test_a_seed_is_a_schedule(seed: int, data: Path, templates: Templates, tmp_path: Path) -> None:
    """The same seed asks the same, gets the same and ends the same: a failure can be replayed."""
    first = _ended(planned(seed), tmp_path / "first", data, templates)
    again = _ended(planned(seed), tmp_path / "again", data, templates)

    assert planned(seed) == planned(seed) != planned(seed + 1)
    assert len(first.asked) > 30
    assert again == first
    assert first.wrong == []


def test_coverage_that_moves_over_a_gap_is_caught(
    data: Path, templates: Templates, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The books see what they are for: with the adapter's one vital rule broken, the same schedule fails."""
    plan = Plan(seed=0, page_size=2, visits=(Visit(stop=Stop("request", 9, lost=True)),
                                             Visit(before=(Happening("poison", 3),))))
    assert _ended(plan, tmp_path / "sound", data, templates).wrong == []
    moved = asking._moved

    def careless(*books: object, whole: bool) -> Coverage:
        return moved(*books, whole=True)  # type: ignore[arg-type]  # handed on as they came

    monkeypatch.setattr(asking, "_moved", careless)
    wrong = _ended(plan, tmp_path / "careless", data, templates).wrong

    assert any("is not here although whole as of" in one for one in wrong)


REGRESSIONS = {
    "an open gap of somebody who is no longer asked for": Plan(seed=4, visits=(
        Visit(before=(Happening("poison", 0),)), Visit(before=(Happening("withdraw", 0),)))),
    "a question for a list of people that has grown": Plan(seed=10, page_size=2, patients=20, visits=(
        Visit(stop=Stop("request", 8, lost=False)), Visit(before=(Happening("enrol", 0),)))),
    "records given back to somebody outside by a merge that is undone": Plan(seed=34, visits=(
        Visit(before=(Happening("merge", 3),)), Visit(before=(Happening("unmerge", 0),), passed=8 * 86400.0))),
    "an export that tells of when it was begun": Plan(seed=166, mode="bulk", cohort="group", visits=(
        Visit(before=(Happening("add late", 1),), passed=1.0, stop=Stop("request", 6, lost=True)),)),
    "counts that are estimates until the last page": Plan(seed=101, persona="hapi", quirks=("Q6c",), page_size=2,
                                                          visits=(Visit(),)),
}


@pytest.mark.parametrize("what", REGRESSIONS)
def test_what_schedules_have_found(what: str, data: Path, templates: Templates, tmp_path: Path) -> None:
    """Bugs that seeds of this test found, in the fewest steps."""
    ended = _ended(REGRESSIONS[what], tmp_path / "home", data, templates)

    assert ended.wrong == [], ended
    assert ended.whole
