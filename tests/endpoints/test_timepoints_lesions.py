"""RECIST 1.1 time point response from lesions. Cases W01 to W15 of the worked examples; RECIST 1.1 §4.3."""

from typing import Any

import pandas as pd
import pytest

from fhir_adapter.endpoints.recist import overall_response
from tests.endpoints.build import conclude, facts, one, protocol, rows, table, treated

Facts = dict[str, pd.DataFrame]
SHOWN = ("sum_um", "change_permille", "nadir_um", "target", "overall")


def measured(lesions: str, sizes: str) -> Facts:
    """A treated subject with these lesions and sizes; a size table has a column `lesion` and one per scan day."""
    return facts(treated(), table("lesion", lesions), table("lesion_measurement", sizes))


def after(derived: Any, *columns: str) -> list[tuple[Any, ...]]:
    """The time points after the baseline, read from lesions."""
    return [row[1:] for row in rows(derived, "time_point", "number", *columns, source="lesions") if row[0] > 0]


def test_w01_exactly_thirty_percent_is_a_partial_response() -> None:
    """W01: 100 mm to 70 mm is PR; the limit is inclusive and exact."""
    derived = conclude(measured(
        """
        lesion role   site
        T1     target lung
        T2     target lung
        """,
        """
        lesion date       mm
        T1     2022-12-20 50
        T2     2022-12-20 50
        T1     2023-02-13 40
        T2     2023-02-13 30
        """,
    ))

    assert after(derived, *SHOWN) == [(70000, -300, 100000, "PR", "PR")]


def test_w03_twenty_percent_but_less_than_five_millimetres_is_stable() -> None:
    """W03: 20 to 24 mm is +20 % over the nadir, but only +4 mm."""
    derived = conclude(measured(
        "lesion\nT1",
        """
        lesion date       mm
        T1     2022-12-20 25
        T1     2023-02-13 20
        T1     2023-03-27 24
        """,
    ))

    assert after(derived, *SHOWN) == [(20000, -200, 25000, "SD", "SD"), (24000, -40, 20000, "SD", "SD")]


def test_w05_the_baseline_is_the_nadir_when_it_is_smallest() -> None:
    """W05: 40 to 48 mm is exactly +20 % and +8 mm: PD, dated on the target measurement."""
    derived = conclude(measured("lesion\nT1", "lesion date mm\nT1 2022-12-20 40\nT1 2023-02-13 48"))

    assert after(derived, *SHOWN, "progression_date") == [(48000, 200, 40000, "PD", "PD", "2023-02-13")]


def test_w07_too_small_to_measure_counts_five_millimetres() -> None:
    """W07: 20 mm and a target too small to measure are 25 mm."""
    derived = conclude(measured(
        "lesion\nT1\nT2",
        """
        lesion date       mm
        T1     2022-12-20 22
        T2     2022-12-20 20
        T1     2023-02-13 20
        T2     2023-02-13 too_small
        """,
    ))

    assert after(derived, *SHOWN) == [(25000, -405, 42000, "PR", "PR")]


W09 = """
target non_target    new_lesion  overall
CR     CR            none        CR
CR     NON-CR/NON-PD none        PR
CR     NE            none        PR
PR     CR            none        PR
PR     NON-CR/NON-PD none        PR
PR     NE            none        PR
SD     CR            none        SD
SD     NON-CR/NON-PD none        SD
SD     NE            none        SD
NE     NON-CR/NON-PD none        NE
NE     CR            none        NE
NE     NE            none        NE
PD     CR            none        PD
PD     NE            none        PD
CR     PD            none        PD
PR     PD            none        PD
NE     PD            none        PD
CR     CR            unequivocal PD
PR     NON-CR/NON-PD unequivocal PD
NE     NE            unequivocal PD
SD     CR            equivocal   SD
CR     NONE          none        CR
PR     NONE          none        PR
NONE   CR            none        CR
NONE   NON-CR/NON-PD none        NON-CR/NON-PD
NONE   NE            none        NE
NONE   PD            none        PD
NONE   CR            unequivocal PD
NONE   NONE          none        NED
"""


def test_w09_the_table_of_overall_responses() -> None:
    """W09: every row of RECIST 1.1 tables 1 and 2; the last row is no disease at all."""
    header, *lines = [line.split() for line in W09.strip().splitlines()]
    frame = pd.DataFrame(lines, columns=header)

    assert overall_response(frame).tolist() == frame["overall"].tolist()


def test_w11_fragments_of_a_split_lesion_are_added() -> None:
    """W11: 25 + 14 + 16 mm is SD; the larger fragment alone would be a false PR."""
    derived = conclude(measured(
        "lesion site\nT1 liver\nT2 lung",
        """
        lesion fragment date       mm
        T1     -        2022-12-20 40
        T2     -        2022-12-20 20
        T1     a        2023-02-13 25
        T1     b        2023-02-13 14
        T2     -        2023-02-13 16
        """,
    ))

    assert after(derived, *SHOWN) == [(55000, -83, 60000, "SD", "SD")]


@pytest.mark.parametrize(("size", "expected"), [("8", (8000, "PD")), ("3", (3000, "PD")), ("too_small", (5000, "PD"))])
def test_w15_a_lesion_back_after_complete_response_is_progression(size: str, expected: tuple[int, str]) -> None:
    """W15: after an overall CR any lesion that is back is PD, also below 5 mm; nothing divides by the nadir of 0."""
    derived = conclude(measured(
        "lesion\nT1", f"lesion date mm\nT1 2022-12-20 40\nT1 2023-02-13 absent\nT1 2023-03-27 {size}"))

    assert after(derived, "sum_um", "overall") == [(0, "CR"), expected]


def test_a_nadir_of_zero_without_complete_response_needs_five_millimetres() -> None:
    """endpoints.md §0.7: other lesions kept the response at PR, so 4 mm back is no progression and 5 mm is."""
    derived = conclude(measured(
        "lesion role\nT1 target\nN1 non-target",
        """
        lesion date       mm
        T1     2022-12-20 40
        N1     2022-12-20 present
        T1     2023-02-13 absent
        N1     2023-02-13 present
        T1     2023-03-27 4
        N1     2023-03-27 present
        T1     2023-05-08 5
        N1     2023-05-08 present
        """,
    ))

    assert after(derived, "target", "overall") == [("CR", "PR"), ("PR", "PR"), ("PD", "PD")]


def test_nodes_count_with_their_short_axis_and_are_gone_below_ten_millimetres() -> None:
    """RECIST 1.1: a node of 8 mm is normal, so the response is complete though the sum is not 0."""
    derived = conclude(measured(
        "lesion node\nT1 no\nT2 yes",
        """
        lesion axis    date       mm
        T1     longest 2022-12-20 30
        T2     longest 2022-12-20 28
        T2     short   2022-12-20 16
        T1     -       2023-02-13 absent
        T2     short   2023-02-13 8
        T1     -       2023-03-27 absent
        T2     short   2023-03-27 10
        """,
    ))

    assert after(derived, "sum_um", "target", "overall") == [(8000, "CR", "CR"), (10000, "PR", "PD")]
    assert "a single node: image again" in rows(derived, "time_point", "why", number=2)[0][0]


def test_progression_below_the_baseline_and_of_an_incomplete_sum() -> None:
    """The nadir decides, and growth counts even when another target was not evaluated."""
    derived = conclude(measured(
        "lesion\nT1\nT2",
        """
        lesion date       mm
        T1     2022-12-20 60
        T2     2022-12-20 40
        T1     2023-02-13 20
        T2     2023-02-13 10
        T1     2023-03-27 45
        T2     2023-03-27 not_evaluated
        """,
    ))

    assert after(derived, "sum_um", "complete", "nadir_um", "overall") == [
        (30000, True, 100000, "PR"), (45000, False, 30000, "PD")]


def test_an_incomplete_sum_is_no_response_and_never_the_nadir() -> None:
    """One target not evaluated: NE; the next sum is compared with the last complete one."""
    derived = conclude(measured(
        "lesion\nT1\nT2",
        """
        lesion date       mm
        T1     2022-12-20 60
        T2     2022-12-20 40
        T1     2023-02-13 20
        T2     2023-02-13 not_evaluated
        T1     2023-03-27 60
        T2     2023-03-27 41
        """,
    ))

    assert after(derived, "sum_um", "nadir_um", "overall") == [(20000, 100000, "NE"), (101000, 100000, "SD")]


def test_a_size_held_as_implausible_is_not_used() -> None:
    """A centimetre written as millimetre is excluded while the conflict is open, and the value says provisional."""
    derived = conclude(measured(
        "lesion\nT1",
        """
        lesion date       mm  held_kind
        T1     2022-12-20 40  -
        T1     2023-02-13 3.8 unit_implausible
        """,
    ))

    assert after(derived, "sum_um", "overall", "provisional", "held_kinds") == [
        (None, "NE", True, '["unit_implausible"]')]


def test_two_performers_on_one_scan_the_worse_reading_counts() -> None:
    """§0.2: readers of routine care are one evaluator; while two disagree the larger size counts."""
    derived = conclude(measured(
        "lesion\nT1",
        """
        lesion date       mm performer held_kind
        T1     2022-12-20 40 R1        -
        T1     2023-02-13 28 R2        readers_disagree
        T1     2023-02-13 30 R3        readers_disagree
        """,
    ))

    assert after(derived, "sum_um", "overall", "held_kinds") == [(30000, "SD", '["readers_disagree"]')]


def test_series_of_evaluators_never_mix() -> None:
    """A central reader's sizes give a series of their own."""
    derived = conclude(measured(
        "lesion\nT1",
        """
        lesion date       mm evaluator
        T1     2022-12-20 40 investigator
        T1     2022-12-20 50 central_1
        T1     2023-02-13 30 investigator
        T1     2023-02-13 30 central_1
        """,
    ))

    assert [row for row in rows(derived, "time_point", "evaluator", "number", "overall") if row[1] == 1] == [
        ("central 1", 1, "PR"), ("investigator", 1, "SD")]


def test_an_equivocal_new_lesion_confirmed_later_is_progression_at_the_first_scan() -> None:
    """RECIST 1.1 §4.3.5: progression is dated at the scan that first showed it; the first case stays equivocal."""
    known = measured("lesion\nT1", """
        lesion date       mm
        T1     2022-12-20 40
        T1     2023-02-13 38
        T1     2023-03-27 38
        """)
    stated = """
        category   date       value
        new_lesion 2023-02-13 equivocal
        new_lesion 2023-03-27 {}
        """

    confirmed = conclude(known, table("response_assessment", stated.format("unequivocal")))
    gone = conclude(known, table("response_assessment", stated.format("none")))

    assert after(confirmed, "new_lesion", "overall", "progression_date")[0] == ("unequivocal", "PD", "2023-02-13")
    assert after(gone, "new_lesion", "overall") == [("equivocal", "SD"), ("none", "SD")]


def test_a_seen_new_node_below_fifteen_millimetres_is_equivocal() -> None:
    """§0.7: 9 mm is normal, 12 mm equivocal, 15 mm a new lesion."""
    derived = conclude(measured(
        "lesion role node\nT1 target no\nX new yes\nY new yes\nZ new yes",
        """
        lesion date       mm
        T1     2022-12-20 40
        T1     2023-02-13 38
        X      2023-02-13 9
        T1     2023-03-27 38
        Y      2023-03-27 12
        T1     2023-05-08 38
        Z      2023-05-08 15
        """,
    ))

    assert after(derived, "new_lesion", "overall") == [("none", "SD"), ("equivocal", "SD"), ("unequivocal", "PD")]


def test_non_target_lesions_alone() -> None:
    """Without a target: NON-CR/NON-PD, one not evaluated NE, all gone CR, unequivocal growth PD."""
    derived = conclude(measured(
        "lesion role\nN1 non-target\nN2 non-target",
        """
        lesion date       mm
        N1     2022-12-20 present
        N2     2022-12-20 present
        N1     2023-02-13 present
        N2     2023-02-13 absent
        N1     2023-03-27 present
        N2     2023-03-27 not_evaluated
        N1     2023-05-08 progressed
        N2     2023-05-08 absent
        """,
    ))

    assert after(derived, "target", "non_target", "overall") == [
        ("NONE", "NON-CR/NON-PD", "NON-CR/NON-PD"), ("NONE", "NE", "NE"), ("NONE", "PD", "PD")]


def test_a_confirmed_partial_response_stays_until_progression() -> None:
    """EORTC: after PR and PR a sum that is stable is still PR."""
    derived = conclude(measured(
        "lesion\nT1",
        """
        lesion date       mm
        T1     2022-12-20 50
        T1     2023-02-13 35
        T1     2023-03-27 34
        T1     2023-05-08 38
        T1     2023-06-19 41
        """,
    ))

    assert after(derived, "target", "overall") == [("PR", "PR"), ("PR", "PR"), ("SD", "PR"), ("PD", "PD")]


def test_strict_reads_a_response_without_statement_about_new_lesions_as_ne() -> None:
    """§0.6: by option nothing stated about new lesions is not evaluable; progression stands."""
    derived = conclude(
        measured("lesion\nT1", "lesion date mm\nT1 2022-12-20 50\nT1 2023-02-13 35\nT1 2023-03-27 60"),
        rules=protocol(response={"strict": True}))

    assert after(derived, "overall") == [("NE",), ("PD",)]


def test_lesions_without_roles_are_not_evaluable() -> None:
    """A sheet that has not come yet: sizes are there, but nobody said which lesions are targets."""
    derived = conclude(measured("lesion role\nT1 -", "lesion date mm\nT1 2022-12-20 50\nT1 2023-02-13 60"))

    assert after(derived, "target", "overall") == [("NE", "NE")]


def test_the_role_of_the_sheet_counts_while_roles_disagree() -> None:
    """A role stated elsewhere than where the lesion is measured is the sheet's."""
    derived = conclude(
        treated(),
        table("lesion", """
            lesion role       hospital held_kind
            T1     non-target west     lesion_role_disagrees
            T1     target     desk     lesion_role_disagrees
            """),
        table("lesion_measurement", "lesion date mm\nT1 2022-12-20 50\nT1 2023-02-13 30"))

    assert after(derived, "target", "overall", "held_kinds") == [("PR", "PR", '["lesion_role_disagrees"]')]


def test_a_target_irradiated_outside_the_protocol_is_not_evaluated_from_then_on() -> None:
    """§0.7: palliative radiotherapy to the site of a target."""
    derived = conclude(
        measured("lesion site\nT1 bone", "lesion date mm\nT1 2022-12-20 50\nT1 2023-02-13 50\nT1 2023-06-19 20"),
        table("radiotherapy", "resource start_date end_date site\nrt1 2023-05-01 2023-05-05 bone"),
        table("anticancer_therapy",
              "resource kind therapy stated_role start_date\nrt1 radiotherapy course subsequent 2023-05-01"))

    assert after(derived, "overall") == [("SD",), ("NE",)]


def test_why_names_sum_growth_nadir_and_lesions() -> None:
    """The value explains itself in words a reader checks."""
    derived = conclude(measured(
        "lesion label\nT1 L1\nT2 L3",
        """
        lesion date       mm
        T1     2022-12-20 20
        T2     2022-12-20 18
        T1     2023-03-11 30
        T2     2023-03-11 18
        """,
    ))

    assert one(derived, "time_point", "why", number=1) == (
        "progression 2023-03-11: sum 48 mm is +26.3 % and +10 mm over the nadir 38 mm of 2022-12-20; lesions L1, L3")
