"""Laboratory results and vital signs made ready for grading: what can be graded, baselines, corrected calcium.

- Only final, amended and corrected results count; a value whose unit nobody can convert cannot be graded.
- Baseline: the last value on or before the first study treatment (radiotherapy included, endpoints.md §0.3). On the day
  itself a value counts as before it, flagged, unless both times are known and say otherwise (§0.12). A value with a
  comparator is no baseline.
- Total calcium is graded only corrected, with the albumin of the same sample (same hospital, day and time):
  mmol/L + 0.02 (40 - g/L), or mg/dL + 0.8 (4 - g/dL). CTCAE names no formula; profiles.md §6.
Source: endpoints.md §11.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from fhir_adapter.core.units import Units
from fhir_adapter.endpoints.frames import Trial, day, written
from fhir_adapter.endpoints.lab_criteria import LISTS, attributes
from fhir_adapter.endpoints.treatment import is_study_drug

FINAL = ("final", "amended", "corrected")
TOTAL_CALCIUM, ALBUMIN = "calcium", "albumin"
CORRECTED_CALCIUM = "calcium_corrected"
"""The test whose limits grade total calcium once it is corrected."""

_UNUSABLE = ("unit_unknown", "unit_implausible")
_SAMPLE = ["subject", "hospital", "date", "time"]
_COLUMNS = ["table", "fact_key", "subject", "hospital", "held_kind", "test", "date", "time", "status", "comparator",
            "value", "unit", "value_text", "unit_text", "low", "high"]


def gathered(trial: Trial, tests: set[str], units: Units) -> pd.DataFrame:
    """The values of some tests, by subject and day, with `day`, `reported`, `scale` (whose limits), `albumin` and
    `reason` (why it cannot be graded; None if it can).
    """
    wanted = tests | ({TOTAL_CALCIUM, ALBUMIN} if CORRECTED_CALCIUM in tests else set())
    parts = []
    for table in LISTS:
        frame = trial.tables[table]
        frame = frame[frame["test"].isin(list(wanted))]
        if len(frame):
            parts.append(frame.assign(table=table).reindex(columns=_COLUMNS).astype(object))
    if not parts:
        return pd.DataFrame(columns=[*_COLUMNS, "day", "reported", "scale", "albumin", "reason"], dtype=object)
    found = pd.concat(parts, ignore_index=True)
    found = _with_none(found)
    found["day"] = pd.array([day(text) for text in found["date"].tolist()], dtype="Int64")
    found["reported"] = _objects([
        value if text is None else Decimal(text)
        for value, text in zip(found["value"].tolist(), found["value_text"].tolist(), strict=True)])
    found["reason"] = _reasons(found)
    found["scale"], found["albumin"] = found["test"], None
    if CORRECTED_CALCIUM in tests:
        found = _with_corrected_calcium(found, trial, units)
    found = found[found["test"].isin([*tests, TOTAL_CALCIUM])]
    return found.sort_values(["subject", "day", "time", "test", "fact_key"], ignore_index=True, kind="stable")


def _with_none(frame: pd.DataFrame) -> pd.DataFrame:
    nothing: Any = None
    return frame.where(frame.notna(), nothing)


def _objects(values: list[object]) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    found = np.empty(len(values), dtype=object)
    found[:] = values
    return found


def _reasons(found: pd.DataFrame) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    reasons = np.full(len(found), None, dtype=object)
    missing = found["value"].isna().to_numpy() | found["held_kind"].isin(_UNUSABLE).to_numpy()
    reasons[missing] = "unit_unknown"
    reasons[missing & found["unit_text"].isna().to_numpy()] = "no_unit"
    reasons[(found["comparator"] == "ad").to_numpy()] = "comparator"
    reasons[~found["status"].isin(FINAL).to_numpy()] = "not_final"
    return reasons


def _with_corrected_calcium(found: pd.DataFrame, trial: Trial, units: Units) -> pd.DataFrame:
    """Total calcium corrected where the sample's albumin is known; else `no_albumin`."""
    total = found["test"] == TOTAL_CALCIUM
    if not total.any():
        return found
    usable = found["reason"].isna() & found["comparator"].isna()
    albumin = found[(found["test"] == ALBUMIN) & usable].drop_duplicates(_SAMPLE)
    joined = found[total].reset_index().merge(
        albumin[[*_SAMPLE, "value", "fact_key"]], how="left", on=_SAMPLE, suffixes=("", "_albumin")).set_index("index")
    known = joined[joined["value_albumin"].notna() & joined["reason"].isna()]
    found.loc[joined.index[joined["value_albumin"].isna() & joined["reason"].isna()], "reason"] = "no_albumin"
    found.loc[joined.index, "scale"] = CORRECTED_CALCIUM
    ratio = _milligrams(units, attributes(trial.terms, TOTAL_CALCIUM))
    corrected = [_corrected(*row, ratio) for row in zip(
        known["reported"].tolist(), known["value"].tolist(), known["unit_text"].tolist(),
        known["value_albumin"].tolist(), strict=True)]
    for place, name in enumerate(("reported", "value", "unit_text")):
        found.loc[known.index, name] = pd.Series([one[place] for one in corrected], index=known.index, dtype=object)
    found.loc[known.index, "albumin"] = known["fact_key_albumin"]
    return found


def _milligrams(units: Units, about: dict[str, str]) -> tuple[Decimal, Decimal]:
    """What mg/dL are multiplied by and divided by to be canonical; of unknown calcium (1, 1)."""
    unit = units.find("mg/dL", None)
    ratio = None if unit is None else units.ratio(unit, about.get("unit", ""), about.get("molar_mass", ""))
    return ratio or (Decimal(1), Decimal(1))


def _corrected(reported: Decimal, value: Decimal, unit: str | None, albumin: Decimal,
               ratio: tuple[Decimal, Decimal]) -> tuple[Decimal, Decimal, str]:
    """Calcium as reported, canonical (mmol/L), and the unit: corrected in mg/dL if reported so, else in mmol/L."""
    if unit is not None and unit.casefold() == "mg/dl":
        more = Decimal("0.8") * (4 - albumin / 10)
        return reported + more, value + more * ratio[0] / ratio[1], "mg/dL"
    corrected = value + Decimal("0.02") * (40 - albumin)
    return corrected, corrected, "mmol/L"


def placed(found: pd.DataFrame, trial: Trial, first: Mapping[str, int | None]) -> pd.DataFrame:
    """The values with `after` (the first study treatment; None without a day or treatment) and `assumed` (same day,
    times unknown)."""
    start = pd.array([first.get(subject) for subject in found["subject"].tolist()], dtype="Int64")
    after = (found["day"] > start).astype(object).to_numpy()
    same = np.flatnonzero((found["day"] == start).fillna(False).to_numpy(dtype=bool))
    assumed = np.zeros(len(found), dtype=bool)
    if len(same):
        times = _first_times(trial, first)
        subjects, clock = found["subject"].tolist(), found["time"].tolist()
        dates = found["date"].tolist()
        for index in same.tolist():
            known = _is_later(dates[index], clock[index], times.get(subjects[index]))
            after[index], assumed[index] = known is True, known is None
    known_after: list[Any] = [None if one is pd.NA else bool(one) for one in after.tolist()]
    return found.assign(after=known_after, assumed=assumed)


def _first_times(trial: Trial, first: Mapping[str, int | None]) -> dict[str, str]:
    """When, to the minute, the first dose was given on the day of the first treatment, as written."""
    doses = trial.tables["drug_administration"]
    days = {subject: written(number) for subject, number in first.items() if number is not None}
    doses = doses[doses["given"].eq(True) & (doses["start_date"] == doses["subject"].map(days))]
    found: dict[str, str] = {}
    for subject, drug, text in zip(doses["subject"].tolist(), doses["drug"].tolist(),
                                   doses["start_date_written"].tolist(), strict=True):
        if text is not None and len(text) > 10 and drug and is_study_drug(trial, drug):
            found[subject] = min(found.get(subject, text), text)
    return found


def _is_later(date: str, time: str | None, dose: str | None) -> bool | None:
    """Whether a value was taken after the dose; None when a time is missing. Without both offsets: by the clock."""
    if time is None or dose is None:
        return None
    try:
        taken, given = datetime.fromisoformat(f"{date}T{time}"), datetime.fromisoformat(dose)
    except ValueError:
        return None
    if taken.tzinfo is None or given.tzinfo is None:
        taken, given = taken.replace(tzinfo=None), given.replace(tzinfo=None)
    return taken > given


def with_baseline(found: pd.DataFrame) -> pd.DataFrame:
    """The values with their test's baseline: value, limits, fact, day, and whether they are it."""
    usable = found["reason"].isna() & found["comparator"].isna() & (found["after"] == False)  # noqa: E712
    names = {"value": "baseline_value", "reported": "baseline_reported", "unit_text": "baseline_unit",
             "low": "baseline_low", "high": "baseline_high", "fact_key": "baseline_key", "date": "baseline_date",
             "held_kind": "baseline_held", "albumin": "baseline_albumin"}
    last = found[usable].drop_duplicates(["subject", "test"], keep="last")
    joined = found.merge(last[["subject", "test", *names]].rename(columns=names), how="left", on=["subject", "test"])
    added = [*names.values()]
    joined[added] = _with_none(joined[added].astype(object))
    return joined.assign(is_baseline=joined["fact_key"] == joined["baseline_key"])
