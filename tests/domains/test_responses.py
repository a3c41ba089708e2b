"""Responses as readers stated them: RECIST is taken, look-alikes are refused."""

from typing import Any

import pytest

from fhir_adapter.core.concepts import ConceptRow, Concepts, Relationship
from tests.build import FakeRecords, row
from tests.domains.study_words import LOINC, NCIT, coded, facts, kinds, observation, only, says, study

RECIST = coded("C124415", NCIT)
IRECIST = coded("C136711", NCIT)


def stated(category: str, value: dict[str, Any], **elements: Any) -> dict[str, Any]:
    """A response by CDISC codes."""
    return observation(coded(category, NCIT), valueCodeableConcept=value, **elements)


@pytest.mark.parametrize(
    ("category", "value", "expected"),
    [
        ("C96613", "C18058", ("overall", "PR")),
        ("C94534", "C18213", ("target", "SD")),
        ("C94535", "C96700", ("non_target", "NON-CR/NON-PD")),
        ("C94536", "C4870", ("best_overall", "CR")),
        ("C96613", "C103424", ("overall", "NE")),
        ("C96613", "C40413", ("overall", "NED")),
    ],
)
def test_cdisc_response(category: str, value: str, expected: tuple[str, str]) -> None:
    """profiles.md §5.2: the CDISC values are the best target coding."""
    fact = only(says(stated(category, coded(value, NCIT), method=RECIST)), "response_assessment")

    assert (fact.category, fact.value, fact.criteria, fact.date.text) == (*expected, "RECIST 1.1", "2023-01-02")


def test_criteria_that_nobody_names_stay_unstated() -> None:
    """A value alone does not say RECIST 1.1; one of iRECIST says iRECIST."""
    plain = only(says(stated("C96613", coded("C18058", NCIT))), "response_assessment")
    immune = only(says(stated("C96613", coded("C142360", NCIT))), "response_assessment")

    assert (plain.criteria, immune.criteria) == ("unstated", "iRECIST")


def test_scan_over_three_days() -> None:
    """A period keeps its first and last scan."""
    period = {"effectiveDateTime": None, "effectivePeriod": {"start": "2023-03-01", "end": "2023-03-03"}}
    fact = only(says(stated("C96613", coded("C18058", NCIT), method=IRECIST, **period)), "response_assessment")

    assert (fact.date.text, fact.end_date.text) == ("2023-03-01", "2023-03-03")


@pytest.mark.parametrize("code", ["97509-4", "88040-1", "21976-6"])
def test_look_alikes_are_refused(code: str) -> None:
    """profiles.md §5.2: clinical status, any-method response and a registry's outcome are not RECIST."""
    mapped = says(observation(coded(code), valueCodeableConcept=coded("C18058", NCIT)))

    assert (mapped.facts, mapped.outcome) == ((), "ignored")
    assert mapped.reason.startswith("not RECIST")


def test_look_alike_counts_where_the_hospital_is_configured() -> None:
    """A row of the hospital goes before the refusal for all."""
    mine = ConceptRow(
        system=LOINC,
        code="21976-6",
        display="",
        concept="overall",
        hospital="west",
        relationship=Relationship.EQUIVALENT,
    )
    known = study().concepts
    lists = {**known.lists, "response_assessment": known.lists["response_assessment"].with_rows((mine,))}
    mapped = says(
        observation(coded("21976-6"), valueCodeableConcept=coded("C18058", NCIT)), concepts=Concepts(lists, known.terms)
    )

    assert only(mapped, "response_assessment").category == "overall"


def test_new_lesion_names_its_body_structure() -> None:
    """A new lesion is unequivocal, equivocal or none, never a response value."""
    focus = [{"reference": "BodyStructure/b9"}]
    fact = only(says(stated("C142362", {"text": "Equivocal"}, focus=focus)), "response_assessment")

    assert (fact.category, fact.value, fact.lesion) == ("new_lesion", "equivocal", "key-of-west-BodyStructure-b9")
    assert facts(says(stated("C142362", coded("C18058", NCIT))), "response_assessment") == []


def test_unknown_value_waits() -> None:
    """A value that nobody has mapped is a Doubt, one per code and hospital."""
    mapped = says(stated("C96613", coded("OBDS-K", "urn:obds")))

    assert (mapped.outcome, kinds(mapped), mapped.doubts[0].scope) == (
        "waiting",
        ["unmapped_code"],
        ("west", "urn:obds", "OBDS-K"),
    )


def test_response_of_a_component() -> None:
    """One record may judge targets and the whole."""
    parts = [
        {"code": coded(code, NCIT), "valueCodeableConcept": coded("C18213", NCIT)} for code in ("C94534", "C96613")
    ]
    mapped = says(observation(coded("PANEL", "urn:local"), component=parts))

    assert [(f.category, f.element) for f in facts(mapped, "response_assessment")] == [
        ("target", "component[0].value"),
        ("overall", "component[1].value"),
    ]


def test_preliminary_reading_does_not_count() -> None:
    """Evaluable are final, amended and corrected."""
    mapped = says(stated("C96613", coded("C18058", NCIT), status="preliminary"))

    assert (mapped.outcome, mapped.reason) == ("ignored", "status_preliminary")


def sheet(**cells: str) -> dict[str, Any]:
    """A row of assessments.csv."""
    whole = {
        "date": "2023-03-01",
        "end_date": "",
        "visit": "C3",
        "evaluator": "central 1",
        "category": "overall",
        "value": "PR",
        "criteria": "RECIST 1.1",
        "lesion_hospital": "",
        "lesion": "",
        **cells,
    }
    return {"resourceType": "Sheet", "id": "assessments/1", **row("assessments", **whole)}


def test_response_of_a_sheet() -> None:
    """A signed central read."""
    fact = only(says(sheet()), "response_assessment")

    assert (fact.evaluator, fact.value, fact.visit, fact.criteria) == ("central 1", "PR", "C3", "RECIST 1.1")


def test_new_lesion_of_a_sheet() -> None:
    """A sheet names another hospital's lesion."""
    cells = {
        "category": "new_lesion",
        "value": "unequivocal",
        "criteria": "",
        "evaluator": "",
        "lesion_hospital": "south",
        "lesion": "BodySite/s1",
    }
    records = {"BodySite/s1": {"resourceType": "BodySite"}}
    fact = only(says(sheet(**cells), records_of=lambda name: FakeRecords(name, records)), "response_assessment")

    assert (fact.lesion, fact.value, fact.evaluator) == ("key-of-south-BodySite-s1", "unequivocal", "investigator")


@pytest.mark.parametrize(("column", "value"), [("value", "unequivocal"), ("category", "sum"), ("evaluator", "me")])
def test_wrong_cell(column: str, value: str) -> None:
    """A cell outside its column's list is named."""
    mapped = says(sheet(**{column: value}))

    assert (mapped.problems[0].code, mapped.problems[0].origin.element) == ("sheet_cell", column)
