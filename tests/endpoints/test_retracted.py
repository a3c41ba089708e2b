"""A retracted record, or one out of sight, makes provisional whatever its facts could have decided (DESIGN §3)."""

import pytest

from fhir_adapter.endpoints import derive
from fhir_adapter.endpoints.derivation import Derived
from fhir_adapter.endpoints.held import _RESTS_ON, Open
from fhir_adapter.review.detection import ENDPOINT_TABLES
from tests.endpoints.build import PROTOCOL, TERMS, baseline_scan, facts, overall, table, treated

KNOWN = facts(
    treated(), baseline_scan(), overall("2023-02-13 PR\n2023-03-27 PR\n2023-06-12 PD"),
    table("vital_status", "death\n2023-09-01"), table("adverse_event", "onset grade\n2023-02-01 3"),
)


def derived(*tables: str, kind: str = "retracted_record", subject: str = "S1") -> Derived:
    """The conclusions while a conflict about a record with facts in these tables is open."""
    return derive(KNOWN, PROTOCOL, TERMS, doubted={subject: [Open(kind, frozenset(tables))]})


def provisional(found: Derived) -> set[str]:
    """The conclusions of which some row is provisional; of time_to_event by endpoint."""
    names = set()
    for name, frame in found.frames.items():
        for row in frame.to_dict("records"):
            assert row["provisional"] == (row["held_kinds"] != "[]")
            if row["provisional"]:
                names.add(row["endpoint"] if name == "time_to_event" else name)
    return names


@pytest.mark.parametrize("kind", ["retracted_record", "hidden_record"])
@pytest.mark.parametrize(("where", "touched", "spared"), [
    ("vital_status", {"OS", "PFS", "population"}, {"ae_episode", "exposure", "best_response"}),
    ("drug_administration", {"OS", "PFS", "best_response", "ae_episode", "exposure", "population", "baseline"}, set()),
    ("radiotherapy", {"OS", "PFS", "exposure", "ae_episode", "best_response"}, set()),
    ("radiotherapy_volume", {"exposure"}, {"OS", "PFS", "ae_episode"}),
    ("anticancer_therapy", {"PFS", "best_response", "exposure", "ae_episode"}, set()),
    ("lesion", {"PFS", "best_response", "time_point", "baseline"}, {"OS", "ae_episode", "exposure"}),
    ("response_assessment", {"PFS", "DOR", "best_response", "time_point"}, {"ae_episode", "exposure"}),
    ("adverse_event", {"ae_episode", "OS"}, {"best_response", "exposure", "time_point"}),
])
def test_what_a_lost_record_could_have_decided_is_provisional(
    kind: str, where: str, touched: set[str], spared: set[str]
) -> None:
    """And nothing else: a toxicity that went away is no doubt about a response."""
    found = provisional(derived(where, kind=kind))

    assert touched <= found
    assert not spared & found


def test_every_table_that_opens_such_a_conflict_touches_a_conclusion() -> None:
    """The reviewers' list of tables and ours agree."""
    for where in ENDPOINT_TABLES:
        assert any(where in tables for tables in _RESTS_ON.values()), where


def test_another_subjects_retraction_and_a_settled_one_touch_nobody() -> None:
    """Only open conflicts of the subject itself count."""
    assert provisional(derived("vital_status", subject="S2")) == set()
    assert provisional(derive(KNOWN, PROTOCOL, TERMS, doubted={"S1": []})) == set()


def test_the_reason_stands_beside_those_that_were_there() -> None:
    """One list of kinds, sorted."""
    held = facts(KNOWN, table("vital_status", "death held_kind\n2023-09-01 death_dates_disagree"))
    found = derive(held, PROTOCOL, TERMS, doubted={"S1": [Open("retracted_record", frozenset({"vital_status"}))]})
    rows = found.frames["time_to_event"]

    assert set(rows[rows.endpoint == "OS"].held_kinds) == {'["death_dates_disagree", "retracted_record"]'}
