"""The whole-column derivation against a slow reference written from the text (`reference.py`).

600 invented subjects always, 20,000 in the hard tier.
"""

from collections.abc import Mapping
from functools import cache

import pytest

from fhir_adapter.endpoints import derive
from fhir_adapter.endpoints.derivation import Derived
from tests.endpoints import reference
from tests.endpoints.build import PROTOCOL, TERMS, protocol
from tests.endpoints.invented import as_facts, subject

MANY = 20_000
sizes = pytest.mark.parametrize("number", [600, pytest.param(MANY, marks=pytest.mark.hard)])


@cache
def known(number: int) -> list[reference.Subject]:
    """The invented subjects."""
    return [subject(one) for one in range(number)]


@cache
def derived(number: int) -> Derived:
    """All of them derived together."""
    rules = protocol(response={"source": "lesions"})
    assert rules.schedule == PROTOCOL.schedule
    return derive(as_facts(*known(number)), rules, TERMS)


def compared(found: Mapping[str, object], expected: Mapping[str, object]) -> dict[str, tuple[object, object]]:
    """Where the two differ: subject -> (found, expected)."""
    return {name: (found.get(name), value) for name, value in expected.items() if found.get(name) != value}


@sizes
def test_overall_responses(number: int) -> None:
    """Every time point of every subject."""
    frame = derived(number).frames["time_point"]
    frame = frame[frame["number"] > 0].sort_values(["subject", "number"])
    found = {name: list(zip(part["date"], part["overall"], strict=True)) for name, part in frame.groupby("subject")}
    expected = {one.name: [(point.day.isoformat(), point.overall) for point in reference.assessed(one)]
                for one in known(number)}

    assert compared({name: found.get(name, []) for name in expected}, expected) == {}


@sizes
def test_best_responses(number: int) -> None:
    """Unconfirmed and confirmed."""
    frame = derived(number).frames["best_response"]
    for confirmed in (False, True):
        rows = frame[frame["confirmed"].eq(confirmed)]
        found = dict(zip(rows["subject"], rows["value"], strict=True))

        assert compared(found, {one.name: reference.best(one, confirmed) for one in known(number)}) == {}


@sizes
def test_progression_free_survival(number: int) -> None:
    """Both rules."""
    frame = derived(number).frames["time_to_event"]
    for rule in ("treatment_policy", "table_a"):
        rows = frame[(frame["endpoint"] == "PFS") & (frame["rule"] == rule)]
        found = dict(zip(rows["subject"], zip(rows["date"], rows["status"], strict=True), strict=True))
        expected = {}
        for one in known(number):
            day, status = reference.pfs(one, rule == "table_a")
            expected[one.name] = (day.isoformat(), status)

        assert compared(found, expected) == {}


@sizes
def test_overall_survival(number: int) -> None:
    """Death, else last known alive."""
    frame = derived(number).frames["time_to_event"]
    rows = frame[frame["endpoint"] == "OS"]
    found = dict(zip(rows["subject"], zip(rows["date"], rows["status"], strict=True), strict=True))
    expected = {}
    for one in known(number):
        day, status = reference.survival(one)
        expected[one.name] = (day.isoformat(), status)

    assert compared(found, expected) == {}


def test_the_invented_subjects_reach_every_answer() -> None:
    """A comparison is worth what it covers."""
    frame = derived(600).frames
    assert set(frame["time_point"]["overall"].dropna()) == {"CR", "PR", "SD", "PD", "NE", "NON-CR/NON-PD"}
    reasons = frame["time_to_event"].loc[frame["time_to_event"]["endpoint"] == "PFS", "reason"]
    assert set(reasons) >= {"progression", "death", "no_baseline", "no_assessment", "missed_assessments",
                            "new_therapy", "last_assessment"}
