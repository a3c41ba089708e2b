"""iRECIST as a state machine, and its best response. Cases W40 to W46; Seymour 2017; endpoints.md §3, §0.10."""

from typing import Any

import pytest

from fhir_adapter.core.protocol import Immune, Response
from fhir_adapter.endpoints.immune_best import best
from fhir_adapter.endpoints.immune_response import Answer, Point, respond

PD, SD, PR = "PD", "SD", "PR"


def at(day: int, total: float | None, overall: str = SD, **more: Any) -> Point:
    """A time point with one target of so many millimetres and a stable non-target."""
    size = None if total is None else round(total * 1000)
    given = {"targets": 1, "complete": size is not None, "cleared": size == 0, "non_target": "NON-CR/NON-PD", **more}
    for name in ("lesions", "gone", "growing", "new_growing"):
        given[name] = frozenset(given.get(name, ()))
    for name in ("new_targets", "others", "sizes"):
        given[name] = {key: round(size * 1000) for key, size in given.get(name, {}).items()}
    return Point(day=day, overall=overall, sum_um=size, **given)


def new(*names: str, **more: Any) -> dict[str, Any]:
    """Unequivocal new lesions."""
    return {"new": True, "lesions": names, **more}


def values(baseline: float, *points: Point) -> list[str | None]:
    """The responses of a series."""
    return [one.value for one in answers(baseline, *points)]


def answers(baseline: float, *points: Point) -> list[Answer]:
    """The answers of a series."""
    return respond(points, round(baseline * 1000), Immune())


def test_w40_five_millimetres_more_confirm() -> None:
    """W40: 62 is +24 % and +12 mm; 68 is 6 mm more, 35 days later."""
    assert values(50, at(42, 62, PD), at(77, 68, PD)) == ["iUPD", "iCPD"]


def test_w42_a_scan_before_four_weeks_is_disregarded() -> None:
    """W42: 14 days after iUPD nothing counts; 63 against 62 is 1 mm: still iUPD."""
    found = answers(50, at(42, 62, PD), at(56, 70, PD), at(77, 63, PD))
    assert [(one.value, one.reason) for one in found] == [("iUPD", None), (None, "too_early"), ("iUPD", None)]


@pytest.mark.parametrize(("day", "expected"), [(42 + 25, None), (42 + 26, "iCPD"), (42 + 58, "iCPD")])
def test_four_weeks_less_two_days(day: int, expected: str | None) -> None:
    """The window is +- 2 days (EORTC): 26 days confirm, 25 do not."""
    assert values(50, at(42, 62, PD), at(day, 68, PD))[1] == expected


def test_an_early_scan_for_a_symptom_with_a_further_new_lesion_counts() -> None:
    """Both are needed: the symptom and the further lesion (EORTC)."""
    first = at(42, 50, PD, **new("N1"))
    assert values(50, first, at(50, 50, PD, symptom=True, **new("N1", "N2")))[1] == "iCPD"
    assert values(50, first, at(50, 50, PD, **new("N1", "N2")))[1] is None
    assert values(50, first, at(50, 50, PD, symptom=True, **new("N1")))[1] is None


def test_a_scan_after_eight_weeks_still_confirms_and_says_so() -> None:
    """§0.10: later than 8 weeks (and 2 days) is flagged."""
    found = answers(50, at(42, 62, PD), at(42 + 59, 68, PD))
    assert [(one.value, one.late) for one in found] == [("iUPD", False), ("iCPD", True)]


def test_w44_a_new_lesion_that_grows_confirms() -> None:
    """W44: the new target grows from 12 to 18 mm while the targets shrink; it is never added to their sum."""
    assert values(60, at(42, 58, PD, **new("N1", new_targets={"N1": 12})),
                  at(80, 57, PD, **new("N1", new_targets={"N1": 18}))) == ["iUPD", "iCPD"]


def test_growth_is_measured_from_the_first_iupd_of_the_block() -> None:
    """§0.10: 4 mm, then 2 mm more, are 6 mm over the first iUPD."""
    assert values(50, at(42, 62, PD), at(84, 66, PD), at(126, 68, PD)) == ["iUPD", "iUPD", "iCPD"]


@pytest.mark.parametrize(("later", "expected"), [
    (at(84, 50, PD, non_target=PD, growing=("A", "B")), "iCPD"),
    (at(84, 50, PD, non_target=PD, growing=("A",), sizes={"A": 31}), "iCPD"),
    (at(84, 50, PD, non_target=PD, growing=("A",), sizes={"A": 30}), "iUPD"),
])
def test_any_further_growth_of_non_targets_confirms(later: Point, expected: str) -> None:
    """b: it need not be unequivocal; the same progression stated again is no further growth."""
    assert values(50, at(42, 50, PD, non_target=PD, growing=("A",), sizes={"A": 30}), later)[1] == expected


def test_more_new_lesions_confirm() -> None:
    """c: a second one; the first alone, unchanged, does not."""
    first = at(42, 50, PD, **new("N1"))
    assert values(50, first, at(84, 50, PD, **new("N1", "N2"))) == ["iUPD", "iCPD"]
    assert values(50, first, at(84, 50, PD, **new("N1"))) == ["iUPD", "iUPD"]
    assert values(50, first, at(84, 50, PD, **new("N1", new_growing=("N1",)))) == ["iUPD", "iCPD"]


@pytest.mark.parametrize("later", [
    at(84, 62, PD, **new("N1")), at(84, 62, PD, non_target=PD, growing=("A",)),
])
def test_a_category_that_had_none_confirms(later: Point) -> None:
    """d: targets first, then a new lesion or a non-target, without 5 mm more of the targets."""
    assert values(50, at(42, 62, PD), later) == ["iUPD", "iCPD"]


def test_the_bar_is_reset() -> None:
    """3: iUPD, iSD, then 61 mm are +22 % over the nadir of 50: a new iUPD that must be confirmed again."""
    found = answers(50, at(42, 62, PD), at(84, 55), at(126, 61, PD), at(168, 66, PD))
    assert [one.value for one in found] == ["iUPD", "iSD", "iUPD", "iCPD"]
    assert [one.block for one in found] == [0, 0, 2, 2]


def test_the_nadir_is_that_of_all_sums() -> None:
    """After iPR (30 mm) the next progression counts from 30 mm."""
    assert values(50, at(42, 62, PD), at(84, 30, PR), at(126, 36, PD)) == ["iUPD", "iPR", "iUPD"]


def test_scenario_b_response_after_the_new_lesion() -> None:
    """EORTC scenario B: the targets reach PR after the new lesion, which is still there: iPR."""
    assert values(60, at(42, 58, PD, **new("N1")), at(84, 30, PD, **new("N1"))) == ["iUPD", "iPR"]


def test_scenario_f_response_before_the_new_lesion() -> None:
    """EORTC scenario F: PR, then a new lesion, and nothing changes: it stays iUPD."""
    assert values(60, at(42, 30, PR), at(84, 30, PD, **new("N1")), at(126, 30, PD, **new("N1"))) == [
        "iPR", "iUPD", "iUPD"]


def test_after_a_reset_with_the_new_lesion_still_there() -> None:
    """§0.10: a new iUPD needs further new lesions, or 20 % and 5 mm over the nadir of the new targets."""
    before = (at(42, 58, PD, **new("N1", new_targets={"N1": 20})), at(84, 30, PD, **new("N1", new_targets={"N1": 15})))
    assert values(60, *before, at(126, 30, PD, **new("N1", new_targets={"N1": 19}))) == ["iUPD", "iPR", "iPR"]
    assert values(60, *before, at(126, 30, PD, **new("N1", new_targets={"N1": 20}))) == ["iUPD", "iPR", "iUPD"]
    assert values(60, *before, at(126, 30, PD, **new("N1", "N2", new_targets={"N1": 15}))) == ["iUPD", "iPR", "iUPD"]


def test_a_vanished_new_lesion_allows_a_complete_response() -> None:
    """While it is there a target CR is iPR; once it is gone iCR."""
    first = at(42, 58, PD, non_target="NONE", **new("N1"))
    assert values(60, first, at(84, 0, "CR", non_target="NONE", **new("N1")))[1] == "iPR"
    assert values(60, first, at(84, 0, "CR", non_target="NONE", gone=("N1",)))[1] == "iCR"


def test_not_evaluated_leaves_the_block_open() -> None:
    """iUPD, NE, then 5 mm more: confirmed; after that nothing counts."""
    found = answers(50, at(42, 62, PD), at(84, None, "NE"), at(126, 67, PD), at(168, 20, PR))
    assert [(one.value, one.reason) for one in found] == [
        ("iUPD", None), ("NE", None), ("iCPD", None), (None, "after_icpd")]


def test_non_target_disease_only() -> None:
    """iCR, NON-iCR/NON-iUPD, iUPD, and back."""
    line = [at(day, None, overall, targets=0, non_target=state) for day, overall, state in (
        (42, "NON-CR/NON-PD", "NON-CR/NON-PD"), (84, PD, PD), (126, "NON-CR/NON-PD", "NON-CR/NON-PD"),
        (168, "CR", "CR"))]
    assert values(50, *line) == ["NON-iCR/NON-iUPD", "iUPD", "NON-iCR/NON-iUPD", "iCR"]


def test_a_lesion_that_is_back_after_icr_is_iupd() -> None:
    """§0.7 with an i: 4 mm after a complete response."""
    assert values(50, at(42, 0, "CR", non_target="NONE"), at(84, 4, PD, non_target="NONE")) == ["iCR", "iUPD"]


W46 = """
    iCR  iPR  iUPD iUPD iCPD -> iCR
    iUPD iSD  iCR  iUPD iCPD -> iCR
    iUPD iPR  iSD  iUPD iCPD -> iPR
    iUPD NE   iPR  iUPD iCPD -> iPR
    iUPD iSD  iUPD iUPD iCPD -> iSD
    iUPD iCPD iPR  iPR  iPR  -> iCPD
    iUPD iUPD iCPD iPR  iPR  -> iCPD
    iUPD NE   NE   NE   NE   -> iUPD
"""


@pytest.mark.parametrize("line", W46.strip().splitlines())
def test_w46_best_response_scenarios_of_the_paper(line: str) -> None:
    """W46: table 3 of Seymour 2017, no confirmation of CR and PR; scans every 6 weeks."""
    *sequence, _, expected = line.split()
    assessed = [(42 * number, value) for number, value in enumerate(sequence, start=1)]
    assert best(assessed, 0, Response(), confirmed=False)[0] == expected


@pytest.mark.parametrize(("sequence", "expected"), [
    ("iPR iPR", "iPR"), ("iPR iUPD iPR", "iSD"), ("iUPD iPR iPR", "iPR"), ("iPR iSD", "iSD"),
    ("NON-iCR/NON-iUPD iUPD", "NON-iCR/NON-iUPD"), ("NE", "NE"), ("", "NE"),
])
def test_confirmed_best_response(sequence: str, expected: str) -> None:
    """The pair rule of RECIST with i-values [convention]."""
    assessed = [(42 * number, value) for number, value in enumerate(sequence.split(), start=1)]
    assert best(assessed, 0, Response(), confirmed=True)[0] == expected
