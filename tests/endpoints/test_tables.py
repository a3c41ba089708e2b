"""Tables about subjects and follow-up, over a small trial written out by hand. endpoints.md §9, §6, §7, §0.18."""

from functools import cache
from typing import Any

import pandas as pd

from fhir_adapter.endpoints import follow_up_tables, report_tables, subject_tables
from fhir_adapter.endpoints.derivation import Derived
from fhir_adapter.endpoints.lab_toxicity import worst_grades
from tests.endpoints.build import PROTOCOL, Facts, conclude, facts, table

DISPOSITION = table("disposition", """
    subject event             date       component    level  reason
    S1      enrolled          2022-12-28 -            -      -
    S2      enrolled          2022-12-28 -            -      -
    S3      enrolled          2022-12-28 -            -      -
    S4      screening_failure 2022-12-28 -            -      -
    S5      consent           2022-12-20 -            -      -
    S1      end_of_component  2023-03-01 tislelizumab -      progression
    S2      withdrawal        2023-04-01 -            visits -
    S2      end_of_study      2023-04-01 -            -      -
    """)


@cache
def trial() -> Derived:
    """S1 died of the disease 20 days after the last dose, S2 left, S3 goes on; S4 and S5 never began."""
    return conclude(
        DISPOSITION,
        table("drug_administration", """subject start_date dose_mg
            S1 2023-01-02 200
            S1 2023-02-01 200
            S2 2023-01-02 200
            S3 2023-01-02 200"""),
        table("demographic", "subject sex birth_year\nS1 female 1960\nS2 male 1950\nS3 female -"),
        table("biomarker", "subject marker result\nS1 braf_v600e present"),
        table("performance_status", "subject date score\nS1 2023-01-01 1\nS2 2023-01-01 0\nS3 2023-07-02 1"),
        table("anticancer_therapy", """subject kind therapy start_date stated_role
            S1 surgery thyroidectomy 2022-03-01 -
            S1 drug paclitaxel 2022-05-01 prior
            S2 drug dabrafenib 2023-03-01 -
            S3 radiotherapy - 2023-05-01 -"""),
        table("lesion", "subject lesion\nS1 A\nS2 B"),
        table("lesion_measurement", """subject lesion date mm
            S1 A 2022-12-20 40
            S1 A 2023-02-13 20
            S2 B 2022-12-20 50
            S2 B 2023-02-13 45"""),
        table("response_assessment", "subject date value\nS1 2023-02-13 SD\nS2 2023-02-13 SD"),
        table("vital_status", "subject death cause\nS1 2023-02-21 disease"),
    )


def rows(frame: pd.DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    """The rows as tuples, with None for what is missing."""
    plain: Any = frame[list(columns)].astype(object) if columns else frame.astype(object)
    return list(plain.where(plain.notna(), None).itertuples(index=False, name=None))


def test_populations_with_reasons() -> None:
    """Everybody is either in a population or out of it with a reason."""
    assert rows(subject_tables.populations(trial().frames)) == [
        ("screened", "", 5), ("enrolled", "", 3), ("enrolled", "not_enrolled", 1),
        ("enrolled", "screening_failure", 1), ("treated", "", 3), ("treated", "not_treated", 1),
        ("treated", "screening_failure", 1), ("safety", "", 3), ("safety", "not_treated", 1),
        ("safety", "screening_failure", 1), ("evaluable", "", 2), ("evaluable", "no_baseline", 1),
        ("evaluable", "not_treated", 1), ("evaluable", "screening_failure", 1)]
    out = subject_tables.excluded(trial().frames)
    assert rows(out[out["population"] == "evaluable"], "subject", "reason") == [
        ("S3", "no_baseline"), ("S4", "screening_failure"), ("S5", "not_treated")]
    assert out["why"].str.len().min() > 10


def test_characteristics() -> None:
    """Age is the year of the first dose minus the year of birth; what nobody knows is a row of its own."""
    found = subject_tables.characteristics(trial().frames)
    assert rows(found[found["characteristic"].isin(["age, years", "sex", "ECOG", "BRAF"])]) == [
        ("age, years", "median (range)", 2, 66.7, "68 (63 to 73)"), ("age, years", "missing", 1, 33.3, None),
        ("sex", "female", 2, 66.7, None), ("sex", "male", 1, 33.3, None), ("ECOG", "0", 1, 33.3, None),
        ("ECOG", "1", 1, 33.3, None), ("ECOG", "missing", 1, 33.3, None), ("BRAF", "present", 1, 33.3, None),
        ("BRAF", "missing", 2, 66.7, None)]
    assert rows(found[found["characteristic"].str.startswith("prior")], "characteristic", "subjects") == [
        ("prior drug", 1), ("prior radiotherapy", 0), ("prior surgery", 1)]
    assert rows(found[found["characteristic"].str.startswith("sum")], "value") == [("45 (40 to 50)",), (None,)]


def test_disposition() -> None:
    """S1 ended a component and died; S2 withdrew from visits and left the study; S3 is in follow-up."""
    found = subject_tables.disposition(trial().frames, DISPOSITION["disposition"])
    assert rows(found, "step", "detail", "subjects") == [
        ("screened", "", 5), ("screening failure", "", 1), ("enrolled", "", 3), ("treated", "", 3),
        ("ended", "tislelizumab, progression", 1), ("study ended", "", 1), ("withdrew from", "visits", 1),
        ("died", "", 1), ("in follow-up", "", 1)]


def test_other_therapy() -> None:
    """By role, kind and name; radiotherapy outside the protocol's days is unknown, which is said."""
    found = subject_tables.therapies(trial().frames)
    assert rows(found, "role", "kind", "therapy", "subjects", "provisional") == [
        ("prior", "any", "any", 1, 0), ("prior", "drug", "any", 1, 0), ("prior", "drug", "paclitaxel", 1, 0),
        ("prior", "surgery", "any", 1, 0), ("prior", "surgery", "thyroidectomy", 1, 0),
        ("subsequent", "any", "any", 1, 0), ("subsequent", "drug", "any", 1, 0),
        ("subsequent", "drug", "dabrafenib", 1, 0), ("supportive", "any", "any", 0, 0), ("unknown", "any", "any", 1, 1),
        ("unknown", "radiotherapy", "any", 1, 1), ("unknown", "radiotherapy", "not stated", 1, 1)]


def test_endings() -> None:
    """Each clock's reason: one death, two last contacts for OS; new therapy censors S2 under table A only."""
    found = follow_up_tables.endings(trial().frames)
    mine = found[found["endpoint"].isin(["OS", "PFS"])]
    assert rows(mine, "endpoint", "rule", "status", "reason", "subjects") == [
        ("OS", "", "event", "death", 1), ("OS", "", "censored", "last_alive", 2),
        ("PFS", "table_a", "event", "death", 1), ("PFS", "table_a", "censored", "new_therapy", 1),
        ("PFS", "table_a", "censored", "no_baseline", 1), ("PFS", "treatment_policy", "event", "death", 1),
        ("PFS", "treatment_policy", "censored", "last_assessment", 1),
        ("PFS", "treatment_policy", "censored", "no_assessment", 1)]


def test_last_contacts() -> None:
    """S2 was last seen on 2023-02-13, S3 on 2023-07-02; 2023-08-02 is 170 and 31 days later."""
    contacts = follow_up_tables.last_contacts(trial().frames, "2023-08-02", PROTOCOL)
    assert rows(contacts) == [
        ("S2", "2023-02-13", "lesion_measurement", 5.6), ("S3", "2023-07-02", "performance_status", 1.0)]
    assert rows(follow_up_tables.contact_summary(contacts), "months", "subjects") == [
        ("up to 3", 1), ("over 3 to 6", 1), ("over 6 to 12", 0), ("over 12", 0), ("no contact", 0), ("median 3.3", 2)]


def test_deaths() -> None:
    """By stated cause; 20 days after the last dose are within 30."""
    assert rows(follow_up_tables.deaths(trial().frames)) == [("any", 1, 33.3, 1, 0), ("disease", 1, 33.3, 1, 0)]


def test_concordance() -> None:
    """Reported SD for S1, whose sum fell by half: computed PR."""
    pairs = follow_up_tables.concordance(trial().frames)
    assert rows(pairs, "subject", "reported", "computed", "agree") == [
        ("S1", "SD", "PR", False), ("S2", "SD", "SD", True)]
    assert rows(follow_up_tables.concordance_summary(pairs)) == [
        ("investigator", "any", "the same", 1, 50.0), ("investigator", "SD", "PR", 1, 50.0)]


def test_worst_grades() -> None:
    """Participants by the worst grade of each term; severe terms first."""
    frame = pd.DataFrame([
        {"ctcae": "5.0", "soc": "A", "term": term, "worst": worst, "grade": grade, "baseline_grade": before}
        for term, worst, grade, before in (
            ("Anemia", True, 1, 0), ("Anemia", True, 2, None), ("Anemia", False, 4, 0),
            ("Platelet count decreased", True, 3, 1))])
    assert rows(worst_grades(frame), "term", "participants", "0", "1", "2", "3", "4") == [
        ("Platelet count decreased", 1, 0, 0, 0, 1, 0), ("Anemia", 2, 0, 1, 1, 0, 0)]
    assert worst_grades(conclude(table("demographic", "sex\nfemale")).frames["lab_toxicity"]).empty


def test_printed_tables() -> None:
    """Every table that has rows, with plain cells; an empty trial prints none that needs subjects."""
    found = {one.name: one for one in report_tables(trial().frames, DISPOSITION["disposition"], PROTOCOL, "2023-08-02")}
    assert {"populations", "excluded", "characteristics", "disposition", "therapies", "rates", "concordance",
            "discordant", "endings", "contacts", "deaths", "subgroups", "compliance", "immune"} == set(found)
    assert all(len(row) == len(one.columns) for one in found.values() for row in one.rows)
    assert all(cell is None or isinstance(cell, str | int | float) for one in found.values() for row in one.rows
               for cell in row)
    empty = conclude(table("demographic", "sex\nfemale"))
    nobody: Facts = facts(table("disposition", "event date"))
    assert {one.name for one in report_tables(empty.frames, nobody["disposition"], PROTOCOL, "")} <= {
        "populations", "excluded", "rates", "deaths", "disposition", "therapies", "characteristics", "compliance"}
