"""Exposure to drugs and radiotherapy. Cases W110 to W115; endpoints.md §13, §0.13."""

import json
from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from fhir_adapter.endpoints import subgroups
from fhir_adapter.endpoints.radiation import bed, eqd2, rounded
from tests.endpoints.build import conclude, doubts, one, protocol, table, treated

Facts = dict[str, pd.DataFrame]


def test_w110_bed_and_eqd2() -> None:
    """W110: n d (1 + d / (a/b)) and D (d + a/b) / (2 + a/b)."""
    rows = [(60, 30, 10), (35, 5, 10), (4, 4, 10), (35, 5, 3)]

    assert [(rounded(bed(Decimal(dose), n, ab)), rounded(eqd2(Decimal(dose), n, ab))) for dose, n, ab in rows] == [
        (Decimal("72.00"), Decimal("60.00")), (Decimal("59.50"), Decimal("49.58")),
        (Decimal("4.40"), Decimal("3.67")), (Decimal("116.67"), Decimal("70.00"))]


def received(records: str, volumes: str) -> Any:
    """Dose in cGy, fractions, subgroup of the radiotherapy of a treated subject."""
    return one(conclude(treated(), table("radiotherapy", records), table("radiotherapy_volume", volumes)),
               "exposure", "dose_cgy", "fractions", "at_least_subgroup", treatment="radiotherapy")


PHASES = """
    resource level  part_of start_date
    p1       phase  c       2023-01-09
    p2       phase  c       2023-02-13
    """


def test_w112_course_and_phases_are_not_added() -> None:
    """W112: the course holds the phases; without it 50 + 16 Gy to the same volume."""
    doses = """
        resource volume dose_cgy fractions
        c        PTV    6600     33
        p1       PTV    5000     25
        p2       PTV    1600     8
        """
    course = PHASES + "c course - 2023-01-09"

    assert received(course, doses) == (Decimal(6600), 33, "yes")
    assert received(PHASES, "resource volume dose_cgy fractions\np1 PTV 5000 25\np2 PTV 1600 8") == (
        Decimal(6600), 33, "yes")


@pytest.mark.parametrize(("dose", "held", "group"), [
    ("6000", "-", "yes"), ("5940", "-", "no"), ("3500", "-", "no"), ("-", "-", "unknown"),
    ("600000", "radiotherapy_dose_implausible", "unknown"),
])
def test_w114_physical_dose(dose: str, held: str, group: str) -> None:
    """W114: 60 Gy is inclusive and exact; 59.4 is not 60; an implausible or radiobiological dose is unknown."""
    found = received("resource start_date\nc 2023-01-09",
                     f"resource volume dose_cgy fractions held_kind\nc PTV {dose} 30 {held}")

    assert found[2] == group


def test_w114_what_was_not_done_is_no_treatment() -> None:
    """W114: not-done is none, and starts no clock."""
    derived = conclude(treated(), table("radiotherapy", "status start_date\nnot-done 2022-12-27"))

    assert one(derived, "exposure", "doses", "at_least_subgroup", treatment="radiotherapy") == (0, "none")
    assert one(derived, "baseline", "first_treatment") == "2023-01-02"
    assert subgroups(derived.frames) == {"none": 1}


def test_volumes_that_may_add_up_are_ambiguous() -> None:
    """§0.13: a boost to another or unnamed volume: blocking, its own group; a highest volume of 60 Gy is not."""
    boost = conclude(treated(), table("radiotherapy", PHASES), table(
        "radiotherapy_volume", "resource volume dose_cgy\np1 PTV1 5000\np2 PTV2 1600"))

    assert one(boost, "exposure", "dose_cgy", "at_least_subgroup", "held_kinds", treatment="radiotherapy") == (
        Decimal(5000), "ambiguous", '["radiotherapy_dose_ambiguous"]')
    assert doubts(boost) == ["radiotherapy_dose_ambiguous"]
    assert received("resource start_date\nc 2023-01-09",
                    "resource volume dose_cgy\nc PTV1 6600\nc PTV2 5400") == (Decimal(6600), None, "yes")
    assert received(PHASES, "resource volume dose_cgy\np1 - 5000\np2 - 1600")[2] == "ambiguous"


def test_several_courses_the_highest_counts() -> None:
    """Courses are never added; only study courses count."""
    found = received(
        """
        resource start_date
        c1       2023-01-09
        c2       2023-02-20
        old      2019-05-01
        """,
        "resource volume dose_cgy fractions\nc1 A 3000 10\nc2 B 3500 5\nold C 6600 33")

    assert found == (Decimal(3500), 5, "no")


def test_w115_relative_dose_intensity_with_one_delay() -> None:
    """W115: 800 mg in 13 weeks are 61.54 mg/week of 66.67 planned, 92.3 %; what was not given is no dose."""
    derived = conclude(table("disposition", "event date\nenrolled 2022-12-28"), table("drug_administration", """
        start_date dose_mg status    given
        2023-01-02 200     completed yes
        2023-01-23 200     completed yes
        2023-02-20 200     completed yes
        2023-03-13 200     completed yes
        2023-02-13 200     not-done  no
        """))

    found = one(derived, "exposure", "doses", "total_mg", "duration_days", "intensity", "relative_intensity",
                treatment="tislelizumab")
    assert found[:3] == (4, Decimal(800), 91)
    assert [float(number) for number in found[3:]] == pytest.approx([61.54, 92.3], abs=0.02)
    assert one(derived, "exposure", "cycles", "planned_mg", "dose_percent", "doses_omitted", "doses_partial",
               treatment="tislelizumab") == (4, Decimal(800), Decimal("100.00"), 1, 0)


def test_a_full_cycle_of_capsules_is_full_intensity() -> None:
    """Anlotinib 12 mg on 14 of 21 days: two whole cycles are 100 %."""
    days = [*range(1, 15), *range(22, 32)]
    lines = [f"anlotinib 2023-01-{day:02d} 12" for day in days] + [
        f"anlotinib 2023-02-{day:02d} 12" for day in range(1, 5)]
    derived = conclude(table("drug_administration", "\n".join(["drug start_date dose_mg", *lines])))

    assert one(derived, "exposure", "doses", "duration_days", "relative_intensity", treatment="anlotinib") == (
        28, 42, Decimal("100.00"))


def test_a_stated_period_is_exposure_of_unknown_amount() -> None:
    """Home medication from a statement: exposure yes, amount not counted, rank of the evidence shown."""
    derived = conclude(table("drug_administration", "drug evidence start_date end_date dose_mg\n"
                             "anlotinib stated 2023-01-02 2023-03-02 12"))

    assert one(derived, "exposure", "evidence", "doses", "doses_unknown", "total_mg", "duration_days",
               treatment="anlotinib") == ("stated", 1, 1, None, 60)


def test_a_stopped_dose_is_a_partial_dose() -> None:
    """§13: it is a dose of what was given; the two relative doses differ by the delay."""
    derived = conclude(table("drug_administration", """
        start_date dose_mg status
        2023-01-02 200     completed
        2023-01-30 100     stopped
        """))

    assert one(derived, "exposure", "doses", "doses_partial", "total_mg", "cycles", "dose_percent",
               "relative_intensity", treatment="tislelizumab") == (
        2, 1, Decimal(300), 2, Decimal("75.00"), Decimal("64.29"))


def test_an_unknown_amount_leaves_both_relative_doses_empty() -> None:
    """Capsules without strength: exposure yes, dose unknown."""
    derived = conclude(table("drug_administration", "start_date dose_mg\n2023-01-02 200\n2023-01-23 -"))

    assert one(derived, "exposure", "doses", "doses_unknown", "total_mg", "cycles", "dose_percent", "intensity",
               "relative_intensity", treatment="tislelizumab") == (2, 1, Decimal(200), 2, None, None, None)


COURSES = """
    resource start_date site
    c1       2023-01-09 neck
    c2       2023-02-20 bone
    """
VOLUMES = "resource volume dose_cgy fractions\nc1 A 5000 25\nc2 B 6000 30"


def test_each_course_is_told_with_its_effect() -> None:
    """§13: per course, physical dose, EQD2 and BED with the alpha/beta that they were computed with."""
    derived = conclude(treated(), table("radiotherapy", COURSES), table("radiotherapy_volume", VOLUMES))
    found = one(derived, "exposure", "dose_cgy", "eqd2_gy", "bed_gy", "alpha_beta", "courses",
                treatment="radiotherapy")

    assert found[:4] == (Decimal(6000), Decimal("60.00"), Decimal("72.00"), 10)
    assert [(one["site"], one["dose_cgy"], one["fractions"], one["eqd2_gy"], one["bed_gy"])
            for one in json.loads(found[4])] == [
        ("neck", "5000", 25, "50.00", "60.00"), ("bone", "6000", 30, "60.00", "72.00")]


def test_the_subgroup_may_count_the_dose_to_some_sites_only() -> None:
    """§13, option `dose_sites`: the dose to the primary or the neck; a course without a site stays among them."""
    def group(*sites: str, courses: str = COURSES) -> Any:
        rules = protocol(radiotherapy={"dose_sites": sites})
        derived = conclude(treated(), table("radiotherapy", courses), table("radiotherapy_volume", VOLUMES),
                           rules=rules)
        return one(derived, "exposure", "dose_cgy", "at_least_subgroup", treatment="radiotherapy")

    assert group() == (Decimal(6000), "yes")
    assert group("neck", "thyroid") == (Decimal(5000), "no")
    assert group("neck", courses=COURSES.replace("bone", "-")) == (Decimal(6000), "yes")
    assert group("liver") == (None, "none")
