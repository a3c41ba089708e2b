"""Adverse events of every version and guide: what counts, which grade, which onset, caused by what."""

from typing import Any

import pytest

from tests.domains.study_words import MEDDRA, NCIT, SCT, coded, facts, kinds, only, says

AE4 = "http://hl7.org/fhir/uv/ae-research-backport-ig/StructureDefinition/"
AE5 = "http://hl7.org/fhir/uv/ae-research-ig/StructureDefinition/"
ICARE = "http://hl7.org/fhir/us/ctcae/StructureDefinition/"
ICARE_GRADES = "http://hl7.org/fhir/us/ctcae/CodeSystem/ctcae-grade-code-system"
MII_GRADES = (
    "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/CodeSystem/mii-vs-onko-nebenwirkung-ctcae-grad"
)
SEVERITY = "http://terminology.hl7.org/CodeSystem/adverse-event-severity"
SERIOUSNESS = "http://terminology.hl7.org/CodeSystem/adverse-event-seriousness"
ASSESS = "http://terminology.hl7.org/CodeSystem/adverse-event-causality-assess"
ATC = "http://www.whocc.no/atc"


def event(**elements: Any) -> dict[str, Any]:
    """An actual anaemia of 10 February 2023 in R4; elements may be replaced, None removes one."""
    whole = {
        "resourceType": "AdverseEvent",
        "id": "a1",
        "actuality": "actual",
        "subject": {"reference": "Patient/p1"},
        "event": coded("10002272", MEDDRA, display="Anemia"),
        "date": "2023-02-10",
        **elements,
    }
    return {name: value for name, value in whole.items() if value is not None}


def event5(**elements: Any) -> dict[str, Any]:
    """The same in R5."""
    return event(
        **{
            "event": None,
            "date": None,
            "status": "completed",
            "code": coded("10002272", MEDDRA),
            "occurrenceDateTime": "2023-02-10",
            **elements,
        }
    )


def grade(code: str, url: str = AE4 + "ae-grade", system: str = NCIT) -> dict[str, Any]:
    """A grade extension."""
    return {"url": url, "valueCodeableConcept": coded(code, system)}


W82 = [
    ("potential", "R4", {"actuality": "potential"}, "ignored"),
    ("err", "R5", {"status": "entered-in-error"}, "ignored"),
    ("r4modext", "R4", {"modifierExtension": [{"url": AE4 + "status", "valueCode": "entered-in-error"}]}, "ignored"),
    (
        "unknown_modext",
        "R4",
        {"modifierExtension": [{"url": "http://example.org/unknown", "valueBoolean": True}]},
        "quarantined",
    ),
    (
        "stu3_pae",
        "STU3",
        {"category": "PAE", "actuality": None, "event": None, "type": coded("10002272", MEDDRA)},
        "ignored",
    ),
    ("ok", "R5", {"status": "completed"}, "mapped"),
]


@pytest.mark.parametrize(("name", "version", "elements", "outcome"), W82, ids=[row[0] for row in W82])
def test_what_is_no_event_of_the_participant(name: str, version: Any, elements: dict[str, Any], outcome: str) -> None:
    """W82: potential, entered in error (R5 status, R4 backport's modifierExtension), PAE do not count."""
    mapped = says((event5 if version == "R5" else event)(**elements), version)

    assert mapped.outcome == outcome
    assert (len(facts(mapped, "adverse_event")) == 1) == (name == "ok")


def test_unknown_modifier_is_listed_for_review() -> None:
    """W82: a modifierExtension that nobody understands forbids the use of the record, and says so."""
    mapped = says(event(modifierExtension=[{"url": "http://example.org/unknown", "valueBoolean": True}]))

    assert [problem.code for problem in mapped.problems] == ["unknown_modifier"]


def suspect(drug: str, code: str) -> dict[str, Any]:
    """A suspect of the R4 backport with its relatedness."""
    return {
        "url": AE4 + "suspect-entity",
        "extension": [
            {"url": "instance", "valueCodeableConcept": {"text": drug}},
            {
                "url": "causality",
                "extension": [{"url": "entityRelatedness", "valueCodeableConcept": coded(code, NCIT)}],
            },
        ],
    }


@pytest.mark.parametrize(
    ("suspects", "expected"),
    [
        ([("tislelizumab", "C53256"), ("anlotinib", "C53258")], {"tislelizumab": False, "anlotinib": True}),
        ([("tislelizumab", "C53256")], {"tislelizumab": False}),
        ([], {}),
    ],
)
def test_related_by_component(suspects: list[tuple[str, str]], expected: dict[str, bool]) -> None:
    """W84: possible counts as related; nothing recorded is unknown, not unrelated."""
    mapped = says(event(extension=[suspect(*one) for one in suspects]))

    assert {fact.component: fact.related for fact in facts(mapped, "ae_causality")} == expected


@pytest.mark.parametrize(
    ("elements", "onset", "not_after", "conflict"),
    [
        ({"date": "2023-02-10", "detected": "2023-02-08", "recordedDate": "2023-02-15"}, "2023-02-08", None, True),
        ({"date": None, "recordedDate": "2023-02-15"}, None, "2023-02-15", False),
        ({"date": "2023-02"}, "2023-02", None, False),
        ({"date": "2023-02", "detected": "2023-02-08"}, "2023-02-08", None, False),
    ],
)
def test_onset(elements: dict[str, Any], onset: str | None, not_after: str | None, conflict: bool) -> None:
    """W124: date, else detected; two that differ are a conflict, the earlier is used; recordedDate is only a bound."""
    mapped = says(event(**elements))
    fact = only(mapped, "adverse_event")

    assert (fact.onset.text if fact.onset else None) == onset
    assert (fact.not_after.text if fact.not_after else None) == not_after
    assert kinds(mapped) == (["onset_dates_differ"] if conflict else [])


def test_onset_by_the_hospitals_carrier() -> None:
    """endpoints.md §0.20: a hospital's carrier overrides."""
    fact = only(
        says(event(detected="2023-02-08"), carried=lambda name: ("2023-02-01",) if name == "onset" else ()),
        "adverse_event",
    )

    assert fact.onset.text == "2023-02-01"


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"extension": [grade("C41338")]}, 1),
        ({"extension": [grade("C41340")]}, 3),
        ({"extension": [grade("C48275")]}, 5),
        ({"extension": [grade("C41337", AE5 + "ae-grade")]}, 4),
        ({"extension": [grade("2", ICARE + "ctcae-grade", ICARE_GRADES)]}, 2),
        ({"severity": coded("3", MII_GRADES)}, 3),
        ({"severity": coded("U", MII_GRADES)}, None),
        ({"seriousness": coded("4", MII_GRADES)}, 4),
        ({"severity": {"text": "Grade 3"}}, 3),
        ({"event": {"text": "Fatigue, grade 2"}}, 2),
        ({"severity": coded("severe", SEVERITY)}, None),
        ({"severity": coded("3", "urn:own")}, None),
        ({"seriousness": coded("C48275", NCIT)}, None),
        ({}, None),
    ],
)
def test_grade_wherever_it_stands(elements: dict[str, Any], expected: int | None) -> None:
    """profiles.md §7: the search order; severity words are never a grade; C48275 is a grade in a grade element only."""
    assert only(says(event(**elements)), "adverse_event").grade == expected


def test_grades_that_disagree() -> None:
    """Both are kept and flagged; the higher counts provisionally."""
    mapped = says(event(extension=[grade("C41339")], severity=coded("3", MII_GRADES)))

    assert only(mapped, "adverse_event").grade == 3
    assert [(d.kind, d.values) for d in mapped.doubts] == [
        ("grades_disagree", ("extension[ae-grade]: 2", "severity: 3"))
    ]


def test_grade_zero_is_no_event() -> None:
    """C75533: the event is absent."""
    assert says(event(extension=[grade("C75533")])).reason == "grade_0_no_event"


def test_severity_word_is_kept_as_a_word() -> None:
    """R4 severity: carried as reported, never a grade."""
    fact = only(says(event(severity=coded("Severe", SEVERITY))), "adverse_event")

    assert (fact.severity, fact.grade) == ("severe", None)


@pytest.mark.parametrize(
    "system", ["https://www.meddra.org", "http://terminology.hl7.org/CodeSystem/mdr", "urn:oid:2.16.840.1.113883.6.163"]
)
def test_term_by_meddra_code(system: str) -> None:
    """profiles.md §7: MedDRA goes by three names; anaemia is 10002272."""
    fact = only(says(event(event=coded("10002272", system))), "adverse_event")

    assert (fact.term, fact.term_code, fact.soc, fact.ctcae) == (
        "Anemia",
        "10002272",
        "Blood and lymphatic system disorders",
        "5.0",
    )


def test_unmapped_term_counts_without_a_term() -> None:
    """A SNOMED term needs a site's map; until then the event counts, without system organ class."""
    mapped = says(event(event={**coded("304386008", SCT), "text": "itchy rash"}))
    fact = only(mapped, "adverse_event")

    assert (fact.term, fact.soc, fact.term_text) == (None, None, "itchy rash")
    assert [(d.kind, d.holds) for d in mapped.doubts] == [("unmapped_code", False)]


@pytest.mark.parametrize(
    ("elements", "serious", "criteria"),
    [
        ({"seriousness": coded("Serious", SERIOUSNESS)}, True, []),
        ({"seriousness": coded("Non-serious", SERIOUSNESS)}, False, []),
        ({"seriousness": coded("Severe", "http://hl7.org/fhir/adverse-event-seriousness")}, None, []),
        (
            {
                "extension": [
                    {
                        "url": AE4 + "seriousness-criteria",
                        "extension": [
                            {"url": "criterionCode", "valueCodeableConcept": coded("C48275", NCIT)},
                            {"url": "criterionPresent", "valueBoolean": True},
                        ],
                    }
                ]
            },
            True,
            ["death"],
        ),
        (
            {
                "extension": [
                    {
                        "url": AE4 + "seriousness-criteria",
                        "extension": [
                            {"url": "criterionCode", "valueCodeableConcept": coded("C83052", NCIT)},
                            {"url": "criterionPresent", "valueBoolean": False},
                        ],
                    }
                ]
            },
            None,
            [],
        ),
        (
            {
                "extension": [
                    {"url": ICARE + "adverse-event-seriousness-outcome", "valueCodeableConcept": coded("C113380", NCIT)}
                ]
            },
            True,
            ["disability"],
        ),
    ],
)
def test_seriousness(elements: dict[str, Any], serious: bool | None, criteria: list[str]) -> None:
    """Serious by the flag or any criterion present; severity words in STU3's seriousness say nothing."""
    mapped = says(event(**elements))

    assert only(mapped, "adverse_event").serious is serious
    assert [fact.criterion for fact in facts(mapped, "ae_seriousness")] == criteria


@pytest.mark.parametrize(
    ("make", "version", "elements", "end"),
    [
        (event, "R4", {"extension": [{"url": AE4 + "resolve-date", "valueDateTime": "2023-03-01"}]}, "2023-03-01"),
        (
            event,
            "R4",
            {"extension": [{"url": ICARE + "adverse-event-resolved-date", "valueDateTime": "2023-03"}]},
            "2023-03",
        ),
        (
            event5,
            "R5",
            {"occurrenceDateTime": None, "occurrencePeriod": {"start": "2023-02-10", "end": "2023-03-01"}},
            "2023-03-01",
        ),
        (event, "R4", {}, None),
    ],
)
def test_end(make: Any, version: Any, elements: dict[str, Any], end: str | None) -> None:
    """R4 has no end of its own: the guides' extensions; R5 occurrencePeriod.end."""
    fact = only(says(make(**elements), version), "adverse_event")

    assert (fact.end_date.text if fact.end_date else None) == end


def test_outcome_means_what_its_element_says() -> None:
    """C48275 is fatal as an outcome; of several outcomes (R5) the worst counts."""
    four = only(says(event(outcome=coded("C48275", NCIT))), "adverse_event")
    five = only(says(event5(outcome=[coded("C49498", NCIT), coded("C48275", NCIT)]), "R5"), "adverse_event")

    assert (four.outcome, five.outcome) == ("fatal", "fatal")


@pytest.mark.parametrize(
    ("word", "related"),
    [("Probably-Likely", True), ("possible", True), ("Unlikely", False), ("Conditional-Classified", None)],
)
def test_causality_words_without_case(word: str, related: bool | None) -> None:
    """profiles.md §1.4: R4 writes capitals, UTG and R5 do not."""
    entity = {"instance": {"reference": "Procedure/r1"}, "causality": [{"assessment": coded(word, ASSESS)}]}
    records = {"Procedure/r1": {"resourceType": "Procedure", "code": coded("1217123003", SCT)}}

    mapped = says(event(suspectEntity=[entity]), records=records)

    assert [(f.component, f.related) for f in facts(mapped, "ae_causality")] == [("radiotherapy", related)]


def test_suspect_through_its_administration() -> None:
    """A suspect administration names a product, the product its drug."""

    records = {
        "MedicationAdministration/m1": {
            "resourceType": "MedicationAdministration",
            "medicationReference": {"reference": "Medication/d1"},
        },
        "Medication/d1": {"resourceType": "Medication", "code": coded("L01FF09", ATC)},
    }
    entity = {"instance": {"reference": "MedicationAdministration/m1"}}
    mapped = says(event(suspectEntity=[entity]), records=records)

    assert [(f.component, f.relatedness, f.related) for f in facts(mapped, "ae_causality")] == [
        ("tislelizumab", "unknown", None),
    ]


def test_missing_suspect_is_told() -> None:
    """A suspect whose record could not be had is an unknown component, and a Problem."""
    mapped = says(event(suspectEntity=[{"instance": {"reference": "Medication/none"}}]))

    assert [f.component for f in facts(mapped, "ae_causality")] == ["unknown"]
    assert [p.code for p in mapped.problems] == ["unresolved_reference"]


def test_action_on_the_only_suspect() -> None:
    """CDISC C66767 in a mitigating action; the component is the event's only suspect."""
    resource = event5(
        mitigatingAction=[{"itemCodeableConcept": coded("C49502", NCIT)}],
        suspectEntity=[{"instanceCodeableConcept": {"text": "anlotinib"}}],
    )
    mapped = says(resource, "R5")

    assert [(f.component, f.action) for f in facts(mapped, "ae_action")] == [("anlotinib", "withdrawn")]


def test_stu3_event() -> None:
    """STU3: type, date, category AE, causality beside the instance."""
    resource = event(
        actuality=None,
        event=None,
        category="AE",
        type={"text": "Anemia"},
        suspectEntity=[{"instance": {"reference": "Medication/none"}, "causalityAssessment": {"text": "possible"}}],
    )
    mapped = says(resource, "STU3")

    assert (only(mapped, "adverse_event").term, only(mapped, "ae_causality").related) == ("Anemia", True)
