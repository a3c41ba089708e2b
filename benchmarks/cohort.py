"""An invented cohort as fact frames: so many subjects x 8 scans x 3 lesions, laboratory values and adverse events.

Columns are drawn whole, so that a hundred thousand subjects are made in seconds; seeded, dates and sizes on the
thresholds that the rules ask about.
"""

from typing import Any

import numpy as np
import pandas as pd

SCANS = 8
TESTS = (("neutrophils", "10*9/L", 1.0, 6.0, "1.8"), ("hemoglobin", "g/L", 70.0, 150.0, "120"),
         ("platelets", "10*9/L", 20.0, 300.0, "125"))
_EPOCH = np.datetime64("2021-01-04")


def cohort(subjects: int, seed: int = 7) -> dict[str, pd.DataFrame]:
    """The fact frames that `derive` takes."""
    draw = np.random.default_rng(seed)
    names = np.array([f"S{number:07d}" for number in range(subjects)], dtype=object)
    start = draw.integers(0, 700, subjects)
    end = start + draw.integers(30, 500, subjects)
    found = {
        "demographic": _facts("demographic", names, sex=draw.choice(["female", "male"], subjects),
                              birth_year=draw.integers(1940, 1985, subjects)),
        "disposition": _facts("disposition", names, event="enrolled", date=_days(start - 4)),
        "vital_status": _dead(names, end, draw.random(subjects) < 0.6),
        **_doses(names, start, end), **_tumours(names, start, end, draw), **_values(names, start, end, draw),
    }
    who = np.repeat(np.arange(subjects), 4)
    onset = start[who] + draw.integers(-10, 300, len(who))
    found["adverse_event"] = _facts(
        "adverse_event", names[who], term=draw.choice(["Fatigue", "Anemia", "Nausea", "Rash maculo-papular"], len(who)),
        soc="General", ctcae="5.0", grade=draw.integers(1, 5, len(who)), onset=_days(onset), end_date=_days(onset + 9),
        serious=draw.random(len(who)) < 0.2)
    return found


def _doses(names: Any, start: Any, end: Any) -> dict[str, pd.DataFrame]:
    who = np.repeat(np.arange(len(names)), 6)
    day = start[who] + 21 * np.tile(np.arange(6), len(names))
    given = day <= end[who]
    return {"drug_administration": _facts(
        "drug_administration", names[who][given], drug="tislelizumab", status="completed", given=True,
        evidence="administered", dose_mg=200, start_date=_days(day[given]))}


def _tumours(names: Any, start: Any, end: Any, draw: Any) -> dict[str, pd.DataFrame]:
    people = len(names)
    lesions = _facts("lesion", np.repeat(names, 3), lesion=_keys(names, 3), label=np.tile(["L1", "L2", "L3"], people),
                     role=np.tile(["target", "target", "non-target"], people), node=False,
                     site=np.tile(["neck", "lung", "liver"], people))
    who = np.repeat(np.arange(people), SCANS)
    number = np.tile(np.arange(SCANS), people)
    day = np.where(number == 0, start[who] - 7, start[who] + 42 * number + draw.integers(-5, 6, len(who)))
    seen = (day <= end[who]) & ~((number > 0) & (draw.random(len(who)) < 0.1))
    scan, on = who[seen], day[seen]
    each = np.repeat(np.arange(len(scan)), 3)
    place = np.tile(np.arange(3), len(scan))
    size = draw.choice([0, 10, 14, 20, 24, 26, 28, 30], len(each)) * 1000
    state = np.where(place == 2, np.where(draw.random(len(each)) < 0.03, "progressed", "present"), "measured")
    measured = _facts(
        "lesion_measurement", names[scan[each]], lesion=_keys(names, 3)[scan[each] * 3 + place], fragment="",
        date=_days(on[each]), axis="longest", state=state, size_um=np.where(place == 2, None, size),
        evaluator="investigator")
    stated = _facts("response_assessment", names[scan], category="new_lesion", criteria="RECIST 1.1", date=_days(on),
                    value=draw.choice(["none", "none", "none", "none", "none", "unequivocal"], len(scan)),
                    evaluator="investigator")
    return {"lesion": lesions, "lesion_measurement": measured, "response_assessment": stated}


def _values(names: Any, start: Any, end: Any, draw: Any) -> dict[str, pd.DataFrame]:
    people, each = len(names), len(TESTS)
    who = np.repeat(np.arange(people), SCANS * each)
    number = np.tile(np.repeat(np.arange(SCANS), each), people)
    test = np.tile(np.arange(each), people * SCANS)
    day = start[who] + 21 * number - 3
    kept = day <= end[who]
    who, test, day = who[kept], test[kept], day[kept]
    low, high = (np.array([one[place] for one in TESTS], dtype=float)[test] for place in (2, 3))
    from decimal import Decimal

    known = [Decimal(one) / 10 for one in range(3001)]
    tenths = np.round((low + (high - low) * draw.random(len(who))) * 10).astype(int)
    values = np.array(known, dtype=object)[tenths]
    units = np.array([one[1] for one in TESTS], dtype=object)[test]
    limits = np.array([Decimal(one[4]) for one in TESTS], dtype=object)[test]
    return {"lab_result": _facts(
        "lab_result", names[who], test=np.array([one[0] for one in TESTS], dtype=object)[test], date=_days(day),
        status="final", value=values, value_text=[str(one) for one in values], unit=units, unit_text=units,
        low=limits)}


def _dead(names: Any, end: Any, dead: Any) -> pd.DataFrame:
    return _facts("vital_status", names[dead], status="dead", statement="deceased_date", death=_days(end[dead]))


def _keys(names: Any, each: int) -> Any:
    return np.array([f"{name}-{place}" for name in names for place in range(each)], dtype=object)


def _days(numbers: Any) -> Any:
    return (_EPOCH + numbers.astype("timedelta64[D]")).astype(str).astype(object)


def _facts(table: str, subjects: Any, **columns: Any) -> pd.DataFrame:
    keys = [f"{table}{number:08d}" for number in range(len(subjects))]
    return pd.DataFrame({"fact_key": keys, "subject": subjects, "hospital": "west", "resource": keys, "element": "",
                         "position": 0, "standing": "current", "held_kind": None, **columns})
