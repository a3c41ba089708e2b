"""CTCAE grades from laboratory values and vital signs: a row per value and term, baseline, worst on treatment, shifts.

Each value is graded by the ranges of its own record, in the unit that the laboratory reported when CTCAE has limits in
it (limits in mg/dL and mmol/L are rounded independently), else converted. Where symptoms decide, `lowest` and `highest`
are both told and `lab_symptom_policy` picks. A value that cannot be graded says why. Grades from values never create
adverse events. Source: CTCAE v5.0, v6.0 (mappings/ctcae); endpoints.md §11, §0.21.
"""

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pandas as pd

from fhir_adapter.core.units import Units
from fhir_adapter.endpoints import lab_samples
from fhir_adapter.endpoints.conclusions import LabToxicity
from fhir_adapter.endpoints.frames import Ground, Trial
from fhir_adapter.endpoints.lab_criteria import Scale, attributes, scales, units_of
from fhir_adapter.endpoints.lab_grading import Amounts, Range, Sample, grade
from fhir_adapter.endpoints.lab_words import told

COLUMNS = list(LabToxicity.__struct_fields__)
SCREENING = ("Hypertension",)
"""Terms that a single measurement cannot give."""

_FAR = {"<": Decimal(0), "<=": Decimal(0), ">": Decimal(10) ** 12, ">=": Decimal(10) ** 12}
"""The other end of a range, from which on no grade changes."""
_STEP = {"<": Decimal("0.999999999"), ">": Decimal("1.000000001"), "<=": Decimal(1), ">=": Decimal(1)}


class Span(msgspec.Struct, frozen=True):
    """When a subject is on treatment: the first study treatment, the last day on which a value counts (None: open)."""

    first: int | None = None
    last: int | None = None


def conclude(trial: Trial, spans: Mapping[str, Span], doubted: Mapping[str, Ground]) -> pd.DataFrame:
    """The table `lab_toxicity`, and `value_fact`; empty for a CTCAE version without limits for values.

    `doubted`: by subject what may change everything about them (an open question of identity).
    """
    units, rules = units_of(trial.terms), trial.protocol.toxicity
    by_test = scales(trial.terms, rules.ctcae, rules.v5_gap_rule, units)
    values = lab_samples.gathered(trial, set(by_test), units)
    if values.empty:
        return pd.DataFrame(columns=[*COLUMNS, "value_fact"], dtype=object)
    values = lab_samples.placed(values, trial, {subject: span.first for subject, span in spans.items()})
    values = lab_samples.with_baseline(values)
    parts = [
        _graded(trial, values, places, scale, units)
        for (test, unit), places in _groups(values).items()
        for scale in by_test.get(test, ())
    ]
    found = values.iloc[np.concatenate([places for places, _ in parts])].reset_index(drop=True)
    for name in parts[0][1]:
        found[name] = pd.Series([one for _, columns in parts for one in columns[name]], dtype=object)
    found = found.sort_values(["subject", "day", "test", "term", "fact_key"], ignore_index=True, kind="stable")
    return _finished(_compared(found, spans), trial, doubted)


def _groups(values: pd.DataFrame) -> dict[tuple[str, str | None], Any]:
    """Places of the values of one scale and one written unit."""
    keys = pd.MultiIndex.from_arrays([values["scale"], values["unit_text"].fillna("")])
    codes, groups = pd.factorize(keys)
    order = np.argsort(codes, kind="stable")
    ends = np.cumsum(np.bincount(codes, minlength=len(groups)))
    starts = np.concatenate([[0], ends[:-1]])
    return {(str(test), str(unit)): order[start:end]
            for (test, unit), start, end in zip(groups, starts.tolist(), ends.tolist(), strict=True)}


def _graded(trial: Trial, values: pd.DataFrame, places: Any, scale: Scale,
            units: Units) -> tuple[Any, dict[str, list[Any]]]:
    """The values of one test in one written unit, graded by one term: their places, and the columns this gives."""
    some: pd.DataFrame = values.iloc[places].reset_index(drop=True)
    about = attributes(trial.terms, scale.test)
    unit, reported = _in_limits_unit(some, scale, about, units)
    sample = Sample(value=Amounts.of(some["value"].tolist()), reported=Amounts.of(reported), references={
        "ULN": Amounts.of(some["high"].tolist()), "LLN": Amounts.of(some["low"].tolist()),
        "baseline": Amounts.of(some["baseline_value"].tolist()),
        "baseline ULN": Amounts.of(some["baseline_high"].tolist()),
        "baseline LLN": Amounts.of(some["baseline_low"].tolist()),
    })
    found = grade(sample, scale, unit)
    ungradable = some["reason"].notna().to_numpy()
    bounded = np.flatnonzero(some["comparator"].notna().to_numpy() & ~ungradable)
    whole, differs = _over_ranges(found, sample, some, bounded, (scale, unit))
    reasons = some["reason"].to_numpy(dtype=object, copy=True)
    reasons[whole.open & ~ungradable] = _missing(some, scale)[whole.open & ~ungradable]
    reasons[differs & ~ungradable] = "comparator"
    certain = pd.isna(reasons)
    lowest = trial.protocol.toxicity.lab_symptom_policy == "lowest"
    chosen = whole.lowest if lowest else whole.highest
    asked = certain & (whole.lowest != whole.highest)
    version = trial.protocol.toxicity.ctcae
    same = {
        "term": scale.term, "direction": scale.direction, "ctcae": version,
        "soc": trial.terms.term(f"ctcae {version}", scale.term).get("soc"),
        "screening": scale.term in SCREENING, "uses_baseline": scale.uses("baseline"),
    }
    return places, {
        **{name: [value] * len(some) for name, value in same.items()},
        "grade": _or_none(chosen, certain), "lowest": _or_none(whole.lowest, ~ungradable),
        "highest": _or_none(whole.highest, ~ungradable), "reason": reasons.tolist(),
        "question": _where(asked, scale.question),
        "policy": _where(asked, trial.protocol.toxicity.lab_symptom_policy),
        "label": [trial.terms.term(table, test).get("label", test)
                  for table, test in zip(some["table"].tolist(), some["test"].tolist(), strict=True)],
    }


def _where(chosen: Any, text: str) -> list[str | None]:
    return [text if one else None for one in chosen.tolist()]


def _or_none(numbers: Any, known: Any) -> list[int | None]:
    return [number if there else None for number, there in zip(numbers.tolist(), known.tolist(), strict=True)]


def _in_limits_unit(some: pd.DataFrame, scale: Scale, about: dict[str, str],
                    units: Units) -> tuple[str, list[Decimal | None]]:
    """The unit in which CTCAE's limits are applied, and the values in it.

    The unit reported if CTCAE has limits in it; else one that it can be converted to without knowing the substance;
    else the canonical value converted.
    """
    mass, text = about.get("molar_mass", ""), some["unit_text"].iloc[0]
    written = units.find(text, None) if text is not None else None
    if written is not None:
        same = [unit for unit in scale.units if unit in (written.ucum, written.written)]
        for unit in (*same, *scale.units):
            ratio = units.ratio(written, unit)
            if ratio is not None:
                return unit, _times(some["reported"].tolist(), ratio)
    canonical = units.find(about.get("unit", ""), None)
    if canonical is not None:
        for unit in scale.units:
            ratio = units.ratio(canonical, unit, mass)
            if ratio is not None:
                return unit, _times(some["value"].tolist(), ratio)
    return scale.units[0], some["value"].tolist()


def _times(numbers: Iterable[Decimal | None], ratio: tuple[Decimal, Decimal]) -> list[Decimal | None]:
    if ratio[0] == ratio[1]:
        return list(numbers)
    return [None if number is None else number * ratio[0] / ratio[1] for number in numbers]


def _over_ranges(found: Range, sample: Sample, some: pd.DataFrame, bounded: Any,
                 how: tuple[Scale, str]) -> tuple[Range, Any]:
    """Values with a comparator are ranges: graded only if both ends have one grade (no grade lies between)."""
    differs = np.zeros(len(some), dtype=bool)
    if not len(bounded):
        return found, differs
    signs = [str(sign) for sign in some["comparator"].to_numpy()[bounded].tolist()]
    part = sample.only(bounded)
    steps = [_STEP[sign] for sign in signs]
    near, far = (
        msgspec.structs.replace(part, value=_moved(part.value, ends, move), reported=_moved(part.reported, ends, move))
        for ends, move in ((steps, True), ([_FAR[sign] for sign in signs], False)))
    one, other = grade(near, *how), grade(far, *how)
    merged = {name: getattr(found, name).copy() for name in found.__struct_fields__}
    merged["lowest"][bounded] = np.minimum(one.lowest, other.lowest)
    merged["highest"][bounded] = np.maximum(one.highest, other.highest)
    merged["open"][bounded] = one.open | other.open
    differs[bounded] = (one.without != other.without) | (one.with_ != other.with_)
    return Range(**merged), differs


def _moved(amounts: Amounts, ends: list[Decimal], move: bool) -> Amounts:
    """Just beyond each amount, or the far end in its place."""
    if not move:
        return Amounts.of(list(ends))
    return Amounts.of([amounts.exact(index) * end for index, end in enumerate(ends)])


def _missing(some: pd.DataFrame, scale: Scale) -> Any:
    """What a value lacks whose grade is open."""
    found = np.full(len(some), "no_baseline_range", dtype=object)
    for reference, column, reason in (("baseline", "baseline_value", "no_baseline"), ("LLN", "low", "no_lln"),
                                      ("ULN", "high", "no_uln")):
        if scale.uses(reference):
            found[some[column].isna().to_numpy()] = reason
    return found


def _compared(found: pd.DataFrame, spans: Mapping[str, Span]) -> pd.DataFrame:
    """With the grade of the baseline, what is on treatment, and the worst of each term there."""
    last = pd.array([spans.get(subject, Span()).last for subject in found["subject"].tolist()], dtype="Int64")
    ended = (found["day"] > last).fillna(False).to_numpy(dtype=bool)
    on = (found["after"] == True).to_numpy() & ~ended  # noqa: E712
    baselines = found.loc[found["is_baseline"], ["subject", "test", "term", "grade"]]
    joined = found.merge(baselines.rename(columns={"grade": "baseline_grade"}), how="left",
                         on=["subject", "test", "term"])
    graded = joined[on & joined["grade"].notna().to_numpy() & ~joined["screening"].to_numpy(dtype=bool)]
    order = graded.assign(rank=-graded["grade"].astype("int64")).sort_values(["rank", "day"], kind="stable")
    worst = np.zeros(len(joined), dtype=bool)
    worst[order.drop_duplicates(["subject", "term"]).index.to_numpy()] = True
    return joined.assign(on_treatment=on, worst=worst)


def _finished(found: pd.DataFrame, trial: Trial, doubted: Mapping[str, Ground]) -> pd.DataFrame:
    """The table's columns in order, with words and grounds."""
    before = [None if pd.isna(one) else int(one) for one in found["baseline_grade"].tolist()]
    found["baseline_grade"] = pd.Series(before, index=found.index, dtype=object)
    found["number"] = found.groupby("subject").cumcount().add(1)
    found["assumed_before"] = found["assumed"]
    found["shift"] = [
        f"{'missing' if before is None else before} > {after}" if worst else None for before, after, worst in zip(
            found["baseline_grade"].tolist(), found["grade"].tolist(), found["worst"].tolist(), strict=True)]
    found["why"] = told(found)
    held = [sorted(set(filter(None, (own, base))) | (doubted[subject].held if subject in doubted else frozenset()))
            for subject, own, base in zip(found["subject"].tolist(), found["held_kind"].tolist(),
                                          _of_baseline(found, "baseline_held"), strict=True)]
    found["held_kinds"] = [json.dumps(one) if one else "[]" for one in held]
    found["provisional"] = [bool(one) for one in held]
    found["facts"] = _facts(found)
    found["value_fact"] = found["table"] + ":" + found["fact_key"]
    return found[[*COLUMNS, "value_fact"]].astype(object)


def _of_baseline(found: pd.DataFrame, column: str) -> list[Any]:
    """A column of the baseline where the term may need it."""
    return [value if uses else None for value, uses in zip(
        found[column].tolist(), found["uses_baseline"].tolist(), strict=True)]


def _facts(found: pd.DataFrame) -> list[str]:
    rows = []
    for table, *keys in zip(found["table"].tolist(), found["fact_key"].tolist(), found["albumin"].tolist(),
                            _of_baseline(found, "baseline_key"), _of_baseline(found, "baseline_albumin"), strict=True):
        named = sorted({f"{table}:{key}" for key in keys if key is not None})
        rows.append(json.dumps(named) if len(named) > 1 else f'["{named[0]}"]')
    return rows


def shifts(frame: pd.DataFrame) -> pd.DataFrame:
    """Participants by baseline grade and worst grade on treatment of each term; a missing baseline is its own row.

    In: the table `lab_toxicity`. Out: ctcae, soc, term, baseline (`0` to `4`, `missing`), participants, and one column
    per worst grade `0` to `4`. Screening grades and values outside treatment are not in it.
    """
    grades = [str(number) for number in range(5)]
    names = ["ctcae", "soc", "term", "baseline", "participants", *grades]
    worst = frame[frame["worst"].eq(True)]
    if worst.empty:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in names})
    counted = worst.assign(
        baseline=["missing" if one is None or pd.isna(one) else str(int(one)) for one in worst["baseline_grade"]],
        label=[str(int(one)) for one in worst["grade"]], soc=worst["soc"].fillna(""), one=1)
    table = counted.pivot_table(index=["ctcae", "soc", "term", "baseline"], columns="label", values="one",
                                aggfunc="sum", fill_value=0).reindex(columns=grades, fill_value=0).astype("int64")
    return table.assign(participants=table.sum(axis=1)).reset_index()[names]


def worst_grades(frame: pd.DataFrame) -> pd.DataFrame:
    """Participants by worst grade on treatment of each term.

    In: the table `lab_toxicity`. Out: ctcae, soc, term, participants, and one column per grade `0` to `4`; 3 or more
    first. Screening grades, values outside treatment and values that cannot be graded are not in it.
    """
    counted = shifts(frame)
    grades = [str(number) for number in range(5)]
    found = counted.groupby(["ctcae", "soc", "term"], as_index=False)[["participants", *grades]].sum()
    severe = found["3"] + found["4"] if len(found) else found["term"]
    return found.assign(rank=severe).sort_values(["ctcae", "rank", "participants", "term"],
                                                 ascending=[True, False, False, True]).drop(columns="rank").reset_index(
                                                     drop=True)
