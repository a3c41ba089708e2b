"""Adverse events by worst grade per participant. Cases W80 and W84; endpoints.md §10, §0.19."""

from typing import Any

import pandas as pd
import pytest

from fhir_adapter.core.study import Toxicity
from fhir_adapter.endpoints import ae_summary, summary
from tests.endpoints.build import PROTOCOL, conclude, facts, one, protocol, rows, table, treated

Facts = dict[str, pd.DataFrame]


def test_w80_people_are_counted_not_records() -> None:
    """W80: once per term, per organ class and overall, at the worst grade; a missing grade is its own column."""
    derived = conclude(treated(subject="P1"), treated(subject="P2"), table("adverse_event", """
        subject soc            term                                 grade onset
        P1      Investigations Alanine_aminotransferase_increased   1     2023-01-12
        P1      Investigations Alanine_aminotransferase_increased   3     2023-01-19
        P1      Investigations Alanine_aminotransferase_increased   1     2023-01-26
        P1      Investigations Aspartate_aminotransferase_increased 2     2023-01-19
        P2      Investigations Alanine_aminotransferase_increased   -     2023-02-01
        """))
    found = ae_summary(derived.frames)

    assert found[["level", "term", "participants", "2", "3", "missing"]].to_numpy().tolist() == [
        ["overall", "", 2, 0, 1, 1], ["soc", "", 2, 0, 1, 1],
        ["term", "Alanine aminotransferase increased", 2, 0, 1, 1],
        ["term", "Aspartate aminotransferase increased", 1, 1, 0, 0],
    ]
    counts = summary(derived.frames, PROTOCOL).adverse_events[0]
    assert (counts.name, counts.n, counts.any, counts.grade_3_or_more) == ("registered", 2, 2, 1)
    assert {grade: n for grade, n in counts.worst_grade.items() if n} == {"3": 1, "missing": 1}


def test_w84_related_to_one_of_two_drugs() -> None:
    """W84: possible counts as related; nothing recorded is unknown, not unrelated, unless an option says so."""
    known = facts(treated(), table("adverse_event", "resource onset\na 2023-01-12\nb 2023-01-13\nc 2023-01-14"),
                  table("ae_causality", """
                      resource component    relatedness  related
                      a        tislelizumab not_related  no
                      a        anlotinib    possibly     yes
                      b        tislelizumab not_related  no
                      """))

    assert rows(conclude(known), "ae_episode", "related", "related_to") == [
        (True, '["anlotinib"]'), (False, "[]"), (None, "[]")]
    worst = conclude(known, rules=protocol(toxicity=Toxicity(missing_relatedness="related")))
    assert rows(worst, "ae_episode", "related") == [(True,), (False,), (True,)]


def sets(onset: str, *more: Facts, **columns: str) -> Any:
    """registered, teae, extended of one event."""
    names, cells = ["onset", *columns], [onset, *columns.values()]
    derived = conclude(treated(), *more, table("adverse_event", f"{' '.join(names)}\n{' '.join(cells)}"))
    return one(derived, "ae_episode", "in_registered", "in_teae", "in_extended")


STOP = table("disposition", "event component date\nend_of_component tislelizumab 2023-03-01")


@pytest.mark.parametrize(("onset", "expected"), [
    ("2023-01-01", (False, False, False)),
    ("2023-01-02", (True, True, False)),
    ("2023-01", (True, True, False)),
    ("2022", (False, False, False)),
    ("-", (True, True, False)),
    ("2023-03-31", (True, True, False)),
    ("2023-04-01", (True, False, False)),
])
def test_the_three_sets(onset: str, expected: tuple[bool, bool, bool]) -> None:
    """Treatment emergent to the last component + 30 days, inclusive; a partial onset belongs if it can."""
    assert sets(onset, STOP) == expected


def test_extended_is_for_serious_ones() -> None:
    """To the last component + 90 days."""
    assert sets("2023-05-30", STOP, serious="yes") == (True, False, True)
    assert sets("2023-05-31", STOP, serious="yes") == (True, False, False)


def test_ongoing_treatment_leaves_the_window_open() -> None:
    """Nobody said that treatment ended."""
    assert sets("2024-12-01") == (True, True, False)


def test_an_unknown_onset_that_ended_before_treatment_is_not_emergent() -> None:
    """Unknown start: emergent unless it ended before the first dose."""
    assert sets("-", end_date="2022-12-31") == (False, False, False)


def test_radiotherapy_counts_as_treatment_and_effects_are_acute_or_late() -> None:
    """Acute up to 90 days after the last fraction."""
    derived = conclude(
        treated(), table("radiotherapy", "start_date end_date\n2022-12-27 2023-02-10"),
        table("adverse_event", "onset\n2022-12-28\n2023-05-11\n2023-05-12"))

    assert rows(derived, "ae_episode", "in_registered", "radiotherapy_phase") == [
        (True, "acute"), (True, "acute"), (True, "late")]


def test_a_criterion_makes_an_event_serious_and_its_words_stand_in_for_a_term() -> None:
    """Serious: flag or criterion; an event without a known code keeps its words."""
    derived = conclude(
        treated(), table("adverse_event", "resource term term_text soc grade onset outcome\n"
                         "a - coughing_up_blood - 5 2023-02-01 fatal"),
        table("ae_seriousness", "resource criterion\na death"),
        table("ae_action", "resource component action\na anlotinib withdrawn"))

    assert one(derived, "ae_episode", "term", "coded", "soc", "serious", "fatal", "actions") == (
        "coughing up blood", False, "not coded", True, True, '["anlotinib:withdrawn"]')


def test_no_event_gives_an_empty_table() -> None:
    """Columns stand, rows do not."""
    assert ae_summary(conclude(treated()).frames).empty
