"""Every row of CTCAE's limits for values, v5.0 beside v6.0, at and around each limit.

Source of the limits: facts/profiles.md §6, and the wording of CTCAE v5.0 (2017-11-27) and v6.0 (2025-07-10).
A line: test, unit, lower and upper limit of the record, baseline; then for each version its term and `value:grade`.
`2/3` is the lowest and highest grade where no record answers what CTCAE asks; `-` is a term that the version does not
grade by values.
"""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.endpoints.graded import BEFORE, graded, lab, study

LIMITS = """
hemoglobin   g/L      120  160  - | Anemia 120:0 119:1 100:1 99:2 80:2 79:3 | =
hemoglobin   g/dL     12   16   - | Anemia 12:0 11.9:1 10.0:1 9.9:2 8.0:2 7.9:3 | =
hemoglobin   mmol/L   7.5  10   - | Anemia 7.5:0 7.4:1 6.2:1 6.1:2 4.9:2 4.8:3 | =
hemoglobin   g/dL     12   16   - | Hemoglobin_increased 16:0 16.1:1 18:1 18.1:2 20:2 20.1:3 | =
platelets    10*9/L   125  400  - | Platelet_count_decreased 125:0 124:1 75:1 74:2 50:2 49:3 25:3 24:4 | Thrombocytopenia 75:1 74:2 50:2 49:3 10:3 9:4
neutrophils  10*9/L   1.8  7.5  - | Neutrophil_count_decreased 1.8:0 1.7:1 1.5:1 1.4:2 1.0:2 0.9:3 0.5:3 0.4:4 | Neutrophil_count_decreased 1.7:0 1.5:0 1.4:1 1.0:1 0.9:2 0.5:2 0.4:3 0.1:3 0.09:4
leukocytes   10*9/L   4    10   - | White_blood_cell_decreased 4:0 3.9:1 3:1 2.9:2 2:2 1.9:3 1:3 0.9:4 | =
leukocytes   10*9/L   4    10   - | Leukocytosis 100:0 101:3 | =
lymphocytes  10*9/L   1.0  4    - | Lymphocyte_count_decreased 1.0:0 0.9:1 0.8:1 0.7:2 0.5:2 0.4:3 0.2:3 0.1:4 | Lymphopenia 1.0:0 0.9:1 0.1:1
lymphocytes  10*9/L   1.0  4    - | Lymphocyte_count_increased 4:0 4.1:2 20:2 21:3 | =
eosinophils  10*9/L   0    0.5  0.6 | Eosinophilia 0.5:0 0.6:0 0.7:1 | =
alt          U/L      0    40   30 | Alanine_aminotransferase_increased 40:0 41:1 120:1 121:2 200:2 201:3 800:3 801:4 | =
alt          U/L      0    40   80 | Alanine_aminotransferase_increased 80:0 119:0 120:1 240:1 241:2 400:2 401:3 1600:3 1601:4 | Alanine_aminotransferase_increased 79:0 80:1 120:1 121:2 160:2 161:3 320:3 321:4
alt          U/L      0    40   300 | Alanine_aminotransferase_increased 600:1 | Alanine_aminotransferase_increased 600:2 601:2 1200:2 1201:4
ast          U/L      0    40   30 | Aspartate_aminotransferase_increased 40:0 41:1 120:1 121:2 201:3 801:4 | =
ast          U/L      0    40   80 | Aspartate_aminotransferase_increased 119:0 120:1 241:2 401:3 1601:4 | Aspartate_aminotransferase_increased 120:1 121:2 161:3 321:4
alp          U/L      0    100  80 | Alkaline_phosphatase_increased 100:0 101:1 250:1 251:2 500:2 501:3 2000:3 2001:4 | Alkaline_phosphatase_increased 100:0 101:1 2001:1
alp          U/L      0    100  200 | Alkaline_phosphatase_increased 399:0 400:1 500:1 501:2 1001:3 4001:4 | Alkaline_phosphatase_increased 200:0 201:1
ggt          U/L      0    60   50 | GGT_increased 60:0 61:1 150:1 151:2 300:2 301:3 1200:3 1201:4 | =
ggt          U/L      0    60   100 | GGT_increased 199:0 200:1 250:1 251:2 501:3 2001:4 | GGT_increased 99:0 100:1 150:1 151:2 300:2 301:3 1000:3 1001:4
bilirubin    umol/L   0    20   15 | Blood_bilirubin_increased 20:0 21:1 30:1 31:2 60:2 61:3 200:3 201:4 | =
bilirubin    umol/L   0    20   40 | Blood_bilirubin_increased 40:0 41:1 60:1 61:2 120:2 121:3 401:4 | Blood_bilirubin_increased 40:1 60:1 61:2 100:2 101:3 400:3 401:4
creatinine   umol/L   45   110  70 | Creatinine_increased 105:0 106:2 110:2 165:2 210:2 211:3 660:3 661:4 | Creatinine_increased 110:0 111:1 165:1 166:2 330:2 331:3 660:3 661:4
creatinine   umol/L   45   110  40 | Creatinine_increased 60:0 61:2 120:2 121:3 | Creatinine_increased 60:0 61:2 120:2 121:3
creatine_kinase U/L   0    200  - | CPK_increased 200:0 201:1 500:1 501:2 1000:2 1001:3 2000:3 2001:4 | -
lipase       U/L      0    60   - | Lipase_increased 60:0 61:1 90:1 91:2 120:2 121:2/3 300:2/3 301:3/4 | Lipase_increased 91:2 180:2 181:2/3 300:2/3 301:3/4
amylase      U/L      0    100  - | Serum_amylase_increased 101:1 150:1 151:2 200:2 201:2/3 500:2/3 501:3/4 | =
albumin      g/L      35   50   - | Hypoalbuminemia 35:0 34:1 30:1 29:2 20:2 19:3 | =
albumin      g/dL     3.5  5    - | Hypoalbuminemia 3.4:1 3:1 2.9:2 2:2 1.9:3 | =
calcium_corrected mmol/L 2.1 2.6 - | Hypocalcemia 2.1:0 2.09:1 2.0:1 1.99:2 1.75:2 1.74:3 1.5:3 1.49:4 | =
calcium_corrected mg/dL 8.5 10.2 - | Hypocalcemia 8.4:1 8.0:1 7.9:2 7.0:2 6.9:3 6.0:3 5.9:4 | =
calcium_corrected mmol/L 2.1 2.6 - | Hypercalcemia 2.6:0 2.61:1 2.9:1 2.91:2 3.1:2 3.11:3 3.4:3 3.41:4 | =
calcium_corrected mg/dL 8.5 10.2 - | Hypercalcemia 10.3:1 11.5:1 11.6:2 12.5:2 12.6:3 13.5:3 13.6:4 | =
calcium_ionised mmol/L 1.15 1.3 - | Hypocalcemia 1.14:1 1.0:1 0.99:2 0.9:2 0.89:3 0.8:3 0.79:4 | =
calcium_ionised mmol/L 1.15 1.3 - | Hypercalcemia 1.31:1 1.5:1 1.51:2 1.6:2 1.61:3 1.8:3 1.81:4 | =
sodium       mmol/L   135  145  - | Hyponatremia 135:0 134:1 130:1 129.5:1 129:2/3 125:2/3 124.5:2/3 124:3 120:3 119:4 | Hyponatremia 130:1 129.9:2/3 125:2/3 124.9:3 120:3 119.9:4
sodium       meq/L    135  145  - | Hypernatremia 145:0 146:1 150:1 151:2 155:2 156:3 160:3 161:4 | =
potassium    mmol/L   3.5  5.1  - | Hypokalemia 3.5:0 3.4:1/2 3.0:1/2 2.9:3 2.5:3 2.4:4 | =
potassium    mmol/L   3.5  5.1  - | Hyperkalemia 5.1:0 5.2:1 5.5:1 5.6:2 6.0:2 6.1:3 7.0:3 7.1:4 | =
magnesium    mg/dL    1.7  2.4  - | Hypomagnesemia 1.7:0 1.6:1 1.2:1 1.1:2 0.92:2 0.9:2 0.89:3 0.7:3 0.69:4 | =
magnesium    mmol/L   0.7  1.0  - | Hypomagnesemia 0.69:1 0.5:1 0.49:2 0.4:2 0.38:3 0.3:3 0.29:4 | =
magnesium    mmol/L   0.7  1.0  - | Hypermagnesemia 1.0:0 1.1:1 1.23:1 1.24:3 3.30:3 3.31:4 | =
glucose      mg/dL    70   100  - | Hypoglycemia 70:0 69:1 55:1 54:2 40:2 39:3 30:3 29:4 | =
glucose      mmol/L   3.9  5.6  - | Hypoglycemia 3.8:1 3.0:1 2.9:2 2.2:2 2.1:3 1.7:3 1.6:4 | =
glucose_fasting mmol/L 3.9 5.6  - | - | Hyperglycemia 5.6:0 5.7:1 8.9:1 9.0:2 13.9:2 14.0:3 27.8:3 27.9:4
glucose_fasting mg/dL 70   100  - | - | Hyperglycemia 101:1 160:1 161:2 250:2 251:3 500:3 501:4
glucose      mmol/L   3.9  5.6  - | - | Hyperglycemia 5.6:0 6:0/1 9:0/2 14:3 28:4
inr          1        0.8  1.2  1.0 | INR_increased 1.0:0 1.2:0/1 1.3:1 1.5:1 1.6:2 2.5:2 2.6:3 | =
inr          1        0.8  1.2  2.0 | INR_increased 2.4:1/2 2.6:1/3 3.1:2/3 5.1:3 | =
aptt         s        25   40   - | Activated_partial_thromboplastin_time_prolonged 40:0 41:1 60:1 61:2 100:2 101:3 | =
fibrinogen   g/L      2    4    3 | Fibrinogen_decreased 2:0 1.9:1 1.5:1 1.4:2 1.0:2 0.9:3 0.5:3 0.49:4 | =
fibrinogen   mg/dL    200  400  160 | Fibrinogen_decreased 160:0 159:1 121:1 120:2 81:2 80:3 50:3 49:4 40:4 | =
cholesterol  mg/dL    0    200  - | Cholesterol_high 200:0 201:1 300:1 301:2 400:2 401:3 500:3 501:4 | =
cholesterol  mmol/L   0    5.2  - | Cholesterol_high 5.3:1 7.75:1 7.76:2 10.34:2 10.35:3 12.92:3 12.93:4 | =
triglyceride mg/dL    0    150  - | Hypertriglyceridemia 149:0 150:1 300:1 301:2 500:2 501:3 1000:3 1001:4 | =
triglyceride mmol/L   0    1.7  - | Hypertriglyceridemia 1.70:0 1.71:1 3.42:1 3.43:2 5.7:2 5.8:3 11.4:3 11.5:4 | =
urate        umol/L   200  420  - | Hyperuricemia 420:0 421:1/3 | =
troponin_i   ng/L     0    30   - | Cardiac_troponin_I_increased 30:0 31:1/3 | -
troponin_t   ng/L     0    14   - | Cardiac_troponin_T_increased 14:0 15:1/3 | -
tsh          m[IU]/L  0.4  4    - | Thyroid_stimulating_hormone_increased 4:0 4.1:1 | =
protein_urine_24h g/(24.h) 0 0.15 - | Proteinuria 0.14:0 0.15:1 0.99:1 1.0:2 3.4:2 3.5:3 | Urinary_protein_increased 0.15:1 1.0:2 3.5:3
ldh          U/L      0    250  - | Blood_lactate_dehydrogenase_increased 250:0 251:1 5000:1 | =
bicarbonate  mmol/L   22   29   - | Blood_bicarbonate_decreased 22:0 21:1 | =
ph           [pH]     7.35 7.45 - | Acidosis 7.35:0 7.34:1 7.3:1 7.29:3 | =
ph           [pH]     7.35 7.45 - | Alkalosis 7.45:0 7.46:1 7.5:1 7.51:3 | =
qtc          ms       -    -    400 | Electrocardiogram_QT_corrected_interval_prolonged 449:0 450:1 460:1 461:3 501:3 | =
qtc          ms       -    -    445 | Electrocardiogram_QT_corrected_interval_prolonged 480:1 480.5:1 481:2 500:2 500.5:2 501:3 | Electrocardiogram_QT_corrected_interval_prolonged 480.5:1 500:2 500.5:3
ejection_fraction %   -    -    45 | Ejection_fraction_decreased 51:0 50:2 40:2 39:3 20:3 19:4 | Left_ventricular_dysfunction 50:0 49:0/2 40:0/2 39:3
ejection_fraction %   -    -    70 | Ejection_fraction_decreased 61:0 60:2 51:2 50:3 | -
egfr mL/min/{1.73_m2} 90   -    - | Chronic_kidney_disease 90:0 89:1 60:1 59.5:1 59:2 30:2 29.5:2 29:3 15:3 14:4 | Chronic_kidney_disease 60:1 59.5:2 30:2 29.5:3 15:3 14:4
systolic     mm[Hg]   -    -    - | Hypertension 119:0 120:1 139:1 140:2 159:2 160:3 200:3 | Hypertension 139:0 140:2 159:2 160:3 179:3 180:4
diastolic    mm[Hg]   -    -    - | Hypertension 79:0 80:1 89:1 90:2 99:2 100:3 | Hypertension 89:0 90:2 99:2 100:3 109:3 110:4
weight       kg       -    -    80 | Weight_loss 76.1:0 76:1 72.1:1 72:2 64.1:2 64:3 | =
weight       kg       -    -    80 | Weight_gain 83.9:0 84:1 87.9:1 88:2 95.9:2 96:3 | =
temperature  Cel      -    -    - | Fever 37.9:0 38.0:1 39.0:1 39.1:2 40.0:2 40.1:3/4 | =
temperature  Cel      -    -    - | Hypothermia 35.1:0 35:2 32:3 28:4 | =
"""
LINES = [line for line in LIMITS.strip().splitlines()]


def _spans(line: str, version: str, **rules: Any) -> tuple[str, dict[str, str], dict[str, str]]:
    """The term of a line, its expected grades and the computed ones, as `value` -> `2` or `2/3`."""
    what, five, six = (part.strip() for part in line.split("|"))
    test, unit, low, high, baseline = (None if cell == "-" else cell for cell in what.split())
    assert test is not None
    told = five if version == "5.0" or six == "=" else six
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


@pytest.mark.parametrize("version", ["5.0", "6.0"])
def test_every_limit_belongs_to_a_grade_that_exists(version: str) -> None:
    """A row of criteria-vX.csv names a term of vX.csv and a grade that the term has, and every row is tested above."""
    terms = study()[0].terms
    rows = terms[f"criteria {version}"].values()

    assert [row for row in rows if row["grade"] not in terms[f"ctcae {version}"][row["term"]]["grades"].split()] == []
    place = 1 if version == "5.0" else 2
    tested = set()
    for line in LINES:
        parts = [part.split() for part in line.split("|")]
        told = parts[1] if parts[place] == ["="] else parts[place]
        tested.add((parts[0][0], told[0].replace("_", " ")))
    # glucose_fasting shares the low limits of glucose
    assert {(row["test"], row["term"]) for row in rows} - tested == {("glucose_fasting", "Hypoglycemia")}
