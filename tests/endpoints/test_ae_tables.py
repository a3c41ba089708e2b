"""Adverse event tables, episodes, worsening, immune-related terms, checks against CTCAE. endpoints.md §10, §0.19."""

from typing import Any

import msgspec
import pandas as pd
import pytest

from fhir_adapter.endpoints import derive
from fhir_adapter.endpoints.ae_tables import ae_summary, all_sets, standard_rows
from fhir_adapter.endpoints.derivation import Derived
from tests.endpoints.build import PROTOCOL, Facts, conclude, doubts, facts, one, rows, table, treated
from tests.endpoints.graded import study

STOP = table("disposition", "event component date\nend_of_component tislelizumab 2023-03-01")


def with_ctcae(*tables: Facts, immune: tuple[str, ...] = ()) -> Derived:
    """Derive with the study's CTCAE terms, and with some of them listed as immune-related."""
    concepts = study()[0]
    listed = {term: {"concept": term} for term in ("# a remark", *immune)}
    terms = msgspec.structs.replace(concepts, terms={**concepts.terms, "immune_related": listed})
    return derive(facts(*tables), PROTOCOL, terms)


def test_the_standard_rows_count_participants_by_what_events_led_to() -> None:
    """§10: any, >= 3, 5, serious, related, and what was done with each component; once a participant."""
    derived = conclude(
        treated(subject="P1"), treated(subject="P2"), treated(subject="P3"),
        table("adverse_event", """
            resource subject term    grade onset      outcome serious
            a        P1      Rash    3     2023-01-12 -       yes
            b        P1      Rash    3     2023-02-12 -       no
            c        P2      Fatigue -     2023-01-12 -       no
            d        P2      Anemia  5     2023-03-12 fatal   no
            """),
        table("ae_causality", """
            resource subject component    relatedness related
            a        P1      tislelizumab related     yes
            d        P2      anlotinib    unlikely    no
            """),
        table("ae_action", """
            resource subject component    action
            a        P1      tislelizumab interrupted
            b        P1      tislelizumab withdrawn
            a        P1      anlotinib    reduced
            c        P2      anlotinib    withdrawn
            """))
    found = standard_rows(derived.frames["ae_episode"], safety=["P1", "P2", "P3"])

    assert found[["row", "component", "participants"]].to_numpy().tolist() == [
        ["any", "", 2], ["grade >= 3", "", 2], ["grade 5", "", 1], ["fatal", "", 1], ["serious", "", 1],
        ["related", "", 1], ["related, grade >= 3", "", 1], ["related and serious", "", 1],
        ["leading to stop", "", 2], ["leading to stop", "anlotinib", 1], ["leading to stop", "tislelizumab", 1],
        ["leading to reduction", "", 1], ["leading to reduction", "anlotinib", 1],
        ["leading to interruption", "", 1], ["leading to interruption", "tislelizumab", 1],
    ]
    assert found[["n", "percent"]].iloc[0].tolist() == [3, 66.7]


def test_the_sets_stand_beside_each_other() -> None:
    """One event in two sets, stopped for; of two members of the safety population one participant."""
    derived = conclude(treated(), table("adverse_event", "resource onset grade\na 2023-01-12 3"),
                       table("ae_action", "resource component action\na tislelizumab withdrawn"))
    found = all_sets(derived.frames["ae_episode"], ["S1", "S2"])
    lines = {(row, component): told for row, component, *told in found.drop(columns="ctcae").itertuples(index=False)}
    assert lines["any", ""] == ["1 of 2 (50.0 %)", "1 of 2 (50.0 %)", "0 of 2 (0.0 %)"]
    assert lines["leading to stop", "any"] == lines["leading to stop", "tislelizumab"] == lines["any", ""]
    assert lines["grade 5", ""] == ["0 of 2 (0.0 %)"] * 3


def test_versions_are_never_counted_together() -> None:
    """§10: the version is stored with each row, and every table counts each by itself."""
    derived = conclude(treated(), table("adverse_event", """
        term grade onset      ctcae
        Rash 3     2023-01-12 5.0
        Rash 1     2023-02-12 6.0
        """))
    frame = derived.frames["ae_episode"]

    assert ae_summary(frame)[["ctcae", "level", "1", "3"]].to_numpy().tolist() == [
        ["5.0", "overall", 0, 1], ["5.0", "soc", 0, 1], ["5.0", "term", 0, 1],
        ["6.0", "overall", 1, 0], ["6.0", "soc", 1, 0], ["6.0", "term", 1, 0]]
    assert standard_rows(frame)[["ctcae", "row", "participants"]].iloc[0].tolist() == ["5.0", "any", 1]


def test_an_empty_set_has_no_rows() -> None:
    """Columns stand."""
    found = standard_rows(conclude(treated()).frames["ae_episode"], "teae", ["S1"])

    assert found.empty
    assert list(found.columns) == ["ctcae", "row", "component", "participants", "n", "percent"]


def test_records_that_touch_are_one_episode() -> None:
    """The next day still touches; an open end takes in everything later; an unknown onset stands alone."""
    derived = conclude(treated(), table("adverse_event", """
        term    onset      end_date
        Rash    2023-01-10 2023-01-12
        Rash    2023-01-13 2023-01-20
        Rash    2023-01-22 -
        Rash    2023-03-01 2023-03-02
        Fatigue 2023-01-11 -
        Rash    -          -
        """))

    assert rows(derived, "ae_episode", "term", "onset", "episode") == [
        ("Rash", "2023-01-10", 1), ("Fatigue", "2023-01-11", 2), ("Rash", "2023-01-13", 1), ("Rash", "2023-01-22", 3),
        ("Rash", "2023-03-01", 3), ("Rash", None, 4)]


@pytest.mark.parametrize(("before", "after", "emergent"), [
    ("1", "1", False), ("2", "1", False), ("1", "2", True), ("-", "2", True), ("1", "-", True)])
def test_what_goes_on_from_before_treatment_is_emergent_only_when_it_worsens(before: str, after: str,
                                                                             emergent: bool) -> None:
    """§10: worsening of an earlier event on treatment; the registry's set goes by dates alone."""
    derived = conclude(treated(), table("adverse_event", f"""
        grade    onset      end_date
        {before} 2022-12-20 2023-01-09
        {after}  2023-01-10 -
        """))

    assert rows(derived, "ae_episode", "in_registered", "in_teae", "continues") == [
        (False, False, False), (True, emergent, not emergent)]


def test_an_event_that_had_ended_before_treatment_is_another_episode() -> None:
    """A gap of more than a day: the later one is new."""
    derived = conclude(treated(), table(
        "adverse_event", "grade onset end_date\n2 2022-12-20 2022-12-22\n1 2023-01-10 -"))

    assert rows(derived, "ae_episode", "episode", "in_teae") == [(1, False), (2, True)]


def test_immune_related_events_are_in_the_extended_set() -> None:
    """§0.19: to the last component + 90 days, also when not serious; unknown while nobody filled the list."""
    event = table("adverse_event", "term grade onset\nPneumonitis 2 2023-05-30\nFatigue 2 2023-05-30")

    assert rows(with_ctcae(treated(), STOP, event, immune=("Pneumonitis",)), "ae_episode", "term", "immune_related",
                "in_teae", "in_extended") == [("Fatigue", False, False, False), ("Pneumonitis", True, False, True)]
    assert rows(with_ctcae(treated(), STOP, event), "ae_episode", "immune_related", "in_extended") == [
        (None, False), (None, False)]


@pytest.mark.parametrize(("term", "grade", "version", "exists", "kinds"), [
    ("Anemia", "5", "5.0", True, []),
    ("Lymphocyte_count_increased", "1", "5.0", False, ["grade_not_in_ctcae"]),
    ("Hypertension", "1", "5.0", True, []),
    ("Hypertension", "1", "6.0", False, ["grade_not_in_ctcae"]),
    ("CPK_increased", "2", "6.0", False, ["grade_not_in_ctcae"]),
    ("Anemia", "-", "5.0", None, []),
    ("Anemia", "3", "4.03", True, []),
    ("Hyponatremia", "2", "4.03", False, ["grade_not_in_ctcae"]),
    ("Fatigue", "3", "4.03", None, ["grade_not_in_ctcae"]),
])
def test_terms_and_grades_are_checked_against_their_version(term: str, grade: str, version: str, exists: bool | None,
                                                            kinds: list[str]) -> None:
    """A dash in CTCAE: the grade does not exist; a term that the part of v4.03 lacks is said to be unchecked."""
    derived = with_ctcae(treated(), table(
        "adverse_event", f"term grade ctcae onset\n{term} {grade} {version} 2023-01-12"))

    assert one(derived, "ae_episode", "grade_exists") is exists
    assert doubts(derived) == kinds


@pytest.mark.parametrize(("outcome", "grade", "asked"), [
    ("fatal", "5", False), ("fatal", "4", True), ("resolved", "5", True), ("fatal", "-", False),
    ("unknown", "5", False), ("-", "5", False)])
def test_fatal_and_grade_5_say_the_same(outcome: str, grade: str, asked: bool) -> None:
    """§10: an inconsistency is listed; what is missing contradicts nothing; either makes the event fatal."""
    derived = with_ctcae(treated(), table(
        "adverse_event", f"term grade outcome onset\nSepsis {grade} {outcome} 2023-01-12"))

    assert doubts(derived) == (["fatal_grade_disagrees"] if asked else [])
    assert one(derived, "ae_episode", "fatal") is True


def test_a_term_without_a_code_is_not_checked() -> None:
    """Reported words are nobody's CTCAE term."""
    derived: Any = with_ctcae(treated(), table(
        "adverse_event", "term term_text grade onset\n- feels_odd 5 2023-01-12"))

    assert isinstance(derived.doubts, pd.DataFrame)
    assert doubts(derived) == []
