"""The safety database against the hospitals: what makes two statements one event, and what may differ."""

from typing import Any

import pandas as pd
import pytest

from fhir_adapter.core.facts import Fact
from fhir_adapter.core.tables import FACT_COLUMNS, columns_of
from fhir_adapter.domains.adverse_event import AdverseEvent
from fhir_adapter.domains.safety_report import SafetyReport
from fhir_adapter.review.reconciliation import reconcile


def _frame(record: type[Fact], rows: list[dict[str, Any]]) -> pd.DataFrame:
    names = [spec.name for spec in FACT_COLUMNS + columns_of(record, skip=("element", "index"))]
    common = {"subject": "S1", "hospital": "west", "element": "e", "standing": "current"}
    made = [{**common, "fact_key": f"{record.__name__}-{number}", "resource": f"{record.__name__}-{number}", **row}
            for number, row in enumerate(rows)]
    return pd.DataFrame(made, columns=names).astype(object)


def _found(report: dict[str, Any], *events: dict[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    said = {"term": "Pneumonitis", "term_text": "Pneumonitis", "onset": "2024-03-05", "serious": True,
            "outcome": "recovering", **report}
    frames = {"safety_report": _frame(SafetyReport, [said]), "adverse_event": _frame(AdverseEvent, list(events))}
    return [(one.kind, one.values) for one in reconcile(frames)]


EVENT = {"term": "Pneumonitis", "onset": "2024-03-05", "serious": True, "outcome": "recovering"}


@pytest.mark.parametrize(("report", "event", "expected"), [
    ({}, EVENT, []),
    ({}, {**EVENT, "onset": "2024-03"}, []),  # a month holds the day
    ({}, {**EVENT, "serious": None, "outcome": None}, []),  # silence is no contradiction
    ({"onset": "2024-03-12"}, EVENT, [("safety_report_differs", ("onset: 2024-03-12 / 2024-03-05",))]),
    ({"onset": "2024-03-13"}, EVENT, [("serious_event_not_reported", ("Pneumonitis", "2024-03-13"))]),
    ({"outcome": "fatal"}, EVENT, [("safety_report_differs", ("outcome: fatal / recovering",))]),
    ({}, {**EVENT, "serious": False}, [("safety_report_differs", ("serious: True / False",))]),
    ({}, {**EVENT, "term": "Fatigue"}, [("serious_event_not_reported", ("Pneumonitis", "2024-03-05"))]),
    ({"term": None, "term_text": "Lung trouble"}, {**EVENT, "term": None, "term_text": "lung trouble"}, []),
])
def test_one_event_is_told_by_term_and_onset(
    report: dict[str, Any], event: dict[str, Any], expected: list[Any]
) -> None:
    """At most seven days apart (docs/supplements.md); only what both say can differ."""
    assert _found(report, event) == expected


def test_the_nearest_event_of_the_term_is_meant() -> None:
    """Two episodes of one term: the other one is not compared."""
    far = {**EVENT, "onset": "2024-03-10", "outcome": "fatal"}

    assert _found({}, far, EVENT) == []
    assert [kind for kind, _ in _found({})] == ["serious_event_not_reported"]
