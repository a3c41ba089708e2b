"""Every row of CTCAE's limits for values, v5.0 beside v6.0, at and around each limit.

Source of the limits: facts/profiles.md §6, and the wording of CTCAE v5.0 (2017-11-27) and v6.0 (2025-07-10).
A line of lab_limits.txt: test, unit, lower and upper limit of the record, baseline; then for each version its term and
`value:grade`.
`2/3` is the lowest and highest grade where no record answers what CTCAE asks; `-` is a term that the version does not
grade by values.
"""

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.endpoints.graded import BEFORE, graded, lab, study

FOUR = (Path(__file__).parent / "lab_limits_v4.txt").read_text(encoding="utf-8").splitlines()
"""The same for v4.03 (2010-06-14): test, unit, limits, baseline; term and `value:grade`.

Source: the grades' wording as pharmaverse/admiral quotes it (data-raw/adlb_grading/ncictcaev4.json, commit a7259bcb).
"""
LINES = (Path(__file__).parent / "lab_limits.txt").read_text(encoding="utf-8").splitlines()


def _spans(line: str, version: str, **rules: Any) -> tuple[str, dict[str, str], dict[str, str]]:
    """The term of a line, its expected grades and the computed ones, as `value` -> `2` or `2/3`."""
    what, five, six = (part.strip() for part in (line if version != "4.03" else f"{line}|=").split("|"))
    test, unit, low, high, baseline = (None if cell == "-" else cell for cell in what.split())
    assert test is not None
    told = five if version != "6.0" or six == "=" else six
    if told == "-":
        return "-", {}, {}
    term, *cells = told.split()
    expected = dict(cell.split(":") for cell in cells)
    rows = [] if baseline is None else [lab(test, baseline, unit, low=low, high=high, date=BEFORE)]
    days = {}
    for number, value in enumerate(expected):
        days[value] = (date(2023, 2, 1) + timedelta(days=number)).isoformat()
        rows.append(lab(test, value, unit, low=low, high=high, date=days[value]))
    frame = graded(*rows, version=version, **rules).frames["lab_toxicity"]
    frame = frame[frame["term"] == term.replace("_", " ")].set_index("date")
    found = {}
    for value, day in days.items():
        row: Any = frame.loc[day]
        lowest, highest = row["lowest"], row["highest"]
        assert row["reason"] is None, (value, row["why"])
        found[value] = str(lowest) if lowest == highest else f"{lowest}/{highest}"
    return term, expected, found


@pytest.mark.parametrize("line", LINES, ids=lambda line: "-".join(line.split("|")[0].split()))
@pytest.mark.parametrize("version", ["5.0", "6.0"])
def test_a_limit_is_where_ctcae_puts_it(line: str, version: str) -> None:
    """Values at, above and below every limit have the grades of the version's wording."""
    _, expected, found = _spans(line, version)

    assert found == expected


@pytest.mark.parametrize("line", FOUR, ids=lambda line: "-".join(line.split("|")[0].split()))
def test_a_limit_of_v4_is_where_its_text_puts_it(line: str) -> None:
    """v4.03: liver values by ULN alone, creatinine also above baseline, hemoglobin above the higher of the two."""
    _, expected, found = _spans(line, "4.03")

    assert found == expected


@pytest.mark.parametrize(("line", "lower", "higher"), [
    ("sodium mmol/L 135 145 - | Hyponatremia 129.5:{} 124.5:{} | =", ("1", "2/3"), ("2/3", "3")),
    ("alt U/L 0 40 80 | Alanine_aminotransferase_increased 80:0 81:{} 119:{} | =", ("0", "0"), ("1", "1")),
    ("alp U/L 0 100 200 | Alkaline_phosphatase_increased 201:{} 399:{} | =", ("0", "0"), ("1", "1")),
    ("qtc ms - - 445 | Electrocardiogram_QT_corrected_interval_prolonged 480.5:{} 500.5:{} | =",
     ("1", "2"), ("2", "3")),
    ("egfr mL/min/{{1.73_m2}} 90 - - | Chronic_kidney_disease 59.5:{} 29.5:{} | =", ("1", "2"), ("2", "3")),
    ("systolic mm[Hg] - - - | Hypertension 139.5:{} 159.5:{} | =", ("1", "2"), ("2", "3")),
])
def test_a_gap_between_two_grades_goes_by_the_named_rule(line: str, lower: tuple[str, str],
                                                         higher: tuple[str, str]) -> None:
    """v5_gap_rule: the limits as printed leave these values without a grade; the option says which neighbour."""
    for rule, grades in (("lower", lower), ("higher", higher)):
        _, expected, found = _spans(line.format(*grades), "5.0", v5_gap_rule=rule)
        assert found == expected


def test_a_high_baseline_beyond_5_uln_leaves_a_gap_in_v6() -> None:
    """v6 limits ALT grade 3 to a baseline up to 5 x ULN; what lies above 2 x goes by the gap rule."""
    line = "alt U/L 0 40 300 | - | Alanine_aminotransferase_increased 700:{}"

    assert _spans(line.format(2), "6.0")[2] == {"700": "2"}
    assert _spans(line.format(3), "6.0", v5_gap_rule="higher")[2] == {"700": "3"}


@pytest.mark.parametrize("version", ["4.03", "5.0", "6.0"])
def test_every_limit_belongs_to_a_grade_that_exists(version: str) -> None:
    """A row of criteria-vX.csv names a term of vX.csv and a grade that the term has, and every row is tested above."""
    terms = study()[0].terms
    rows = terms[f"criteria {version}"].values()

    assert [row for row in rows if row["grade"] not in terms[f"ctcae {version}"][row["term"]]["grades"].split()] == []
    place = 2 if version == "6.0" else 1
    tested = set()
    for line in FOUR if version == "4.03" else LINES:
        parts = [part.split() for part in line.split("|")]
        told = parts[1] if parts[place] == ["="] else parts[place]
        tested.add((parts[0][0], told[0].replace("_", " ")))
    # glucose_fasting shares the low limits of glucose
    assert {(row["test"], row["term"]) for row in rows} - tested == {("glucose_fasting", "Hypoglycemia")}
