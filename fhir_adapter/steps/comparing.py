"""Comparing conclusions: what moves when something is decided, cut elsewhere, or computed anew.

A value is one endpoint of one subject (or of the study) in words, so that two of them can be set side by side.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.figures import Curve, Rate, Summary

Frames = Mapping[str, pd.DataFrame]

Key = tuple[str, str, str]
"""Subject (empty: the study), endpoint as `fhir-adapter trace` names it, and the rule or part."""

STUDY = ""
"""The subject of what is told of the whole study."""


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """One conclusion in words, with what it rests on; `ended` is the day of a time to event."""

    text: str
    why: str = ""
    facts: frozenset[str] = frozenset()
    provisional: bool = False


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One value that is not what it was; an empty text: there is (or was) none."""

    subject: str
    endpoint: str
    rule: str
    before: str
    after: str
    why: str = ""

    @property
    def words(self) -> str:
        """`ATC-003 PFS, table_a: censored 2024-03-11 -> event 2024-04-02 (progression)`."""
        name = f"{self.endpoint}, {self.rule}" if self.rule else self.endpoint
        return f"{self.subject or 'study'} {name}: {self.before or 'none'} -> {self.after or 'none'}"


def values(frames: Frames) -> dict[Key, Value]:
    """Every value of every subject in the conclusion tables, by subject, endpoint and rule.

    Times to event and best responses by their rule, evaluator and source; populations; baselines; exposure; of adverse
    events the worst grade of each term in the registered set. A table that is missing gives nothing.
    """
    found: dict[Key, Value] = {}
    for table, told in _TOLD.items():
        frame = frames.get(table)
        if frame is not None and not frame.empty:
            rows: Iterable[Any] = frame.itertuples()
            for row in rows:
                endpoint, rule, text = told(row)
                found[row.subject, endpoint, rule] = _value(row, text)
    found.update(_worst_grades(frames.get("ae_episode")))
    return found


def key_of(table: str, row: Any) -> tuple[str, str]:
    """Endpoint and rule under which a row of a conclusion table is a value; empty for one that is told otherwise."""
    told = _TOLD.get(table)
    return told(row)[:2] if told is not None else ("", "")


def _value(row: Any, text: str) -> Value:
    return Value(text=text, why=row.why, facts=frozenset(json.loads(row.facts)), provisional=bool(row.provisional))


def _time(row: Any) -> tuple[str, str, str]:
    """The investigator's clocks go by their rule alone, another reader's also by its role."""
    day = f" {row.date}" if isinstance(row.date, str) else ""
    imputed = f", {row.imputed} imputed" if isinstance(row.imputed, str) else ""
    reader = row.evaluator if row.evaluator not in ("", "investigator") else ""
    rule = ", ".join(one for one in (row.rule, reader) if one)
    return row.endpoint, rule, f"{row.status}{day} ({row.reason}{imputed})"


def _best(row: Any) -> tuple[str, str, str]:
    return "BOR", f"{'confirmed' if row.confirmed else 'unconfirmed'}, {row.evaluator}, {row.source}", row.value


def _immune(row: Any) -> tuple[str, str, str]:
    return "IBOR", f"{'confirmed' if row.confirmed else 'unconfirmed'}, {row.evaluator}", row.value


def _population(row: Any) -> tuple[str, str, str]:
    return "POPULATION", row.population, "member" if row.included else f"not a member ({row.reason})"


def _baseline(row: Any) -> tuple[str, str, str]:
    if not isinstance(row.date, str):
        return "BASELINE", row.evaluator, "none"
    total = "no sum" if pd.isna(row.sum_um) else f"sum {_number(row.sum_um / 1000)} mm"
    return "BASELINE", row.evaluator, f"{row.date}, {total}"


def _exposure(row: Any) -> tuple[str, str, str]:
    amounts = [("doses", row.doses, ""), ("total", row.total_mg, " mg"), ("dose", row.dose_cgy, " cGy"),
               ("fractions", row.fractions, "")]
    said = [f"{name} {_number(amount)}{unit}" for name, amount, unit in amounts if not pd.isna(amount)]
    group = [f"subgroup {row.at_least_subgroup}"] if isinstance(row.at_least_subgroup, str) else []
    return "EXPOSURE", row.treatment, ", ".join(said + group) or "given"


_TOLD = {"time_to_event": _time, "best_response": _best, "immune_best_response": _immune,
         "population": _population, "baseline": _baseline, "exposure": _exposure}


def _number(amount: Any) -> str:
    return f"{float(amount):.10g}"


def _worst_grades(episodes: pd.DataFrame | None) -> Iterator[tuple[Key, Value]]:
    """The worst known grade of each term, over the events from the first study treatment on."""
    if episodes is None or episodes.empty:
        return
    for (subject, term), rows in episodes[episodes.in_registered.eq(True)].groupby(["subject", "term"], sort=True):
        grades = [int(grade) for grade in rows.grade if not pd.isna(grade)]
        facts = frozenset(name for listed in rows.facts for name in json.loads(listed))
        text = f"grade {max(grades)}" if grades else "grade missing"
        yield (str(subject), "AE", str(term)), Value(text=text, why=rows.why.iloc[0], facts=facts,
                                                     provisional=bool(rows.provisional.any()))


def study_values(made: Summary) -> dict[Key, Value]:
    """The study's own values: response rates under each rule, medians of every curve, population sizes."""
    found = {
        ("ORR", "confirmed"): _rate(made.orr_confirmed), ("ORR", "unconfirmed"): _rate(made.orr_unconfirmed),
        ("ORR", "confirmed, without irradiated targets"): _rate(made.orr_unirradiated),
        ("DCR", "confirmed"): _rate(made.dcr), ("CBR", "confirmed"): _rate(made.cbr),
        **{(f"MEDIAN {one.endpoint}", one.rule): _median(one) for one in made.curves},
        **{("N", name): str(getattr(made, name)) for name in ("screened", "enrolled", "treated", "evaluable")},
        **{("AE", f"{one.name}, {what}"): str(getattr(one, what)) for one in made.adverse_events
           for what in ("any", "grade_3_or_more", "grade_5", "serious", "related")},
    }
    return {(STUDY, endpoint, rule): Value(text=text) for (endpoint, rule), text in found.items()}


def _rate(rate: Rate) -> str:
    return f"{rate.x} of {rate.n}"


def _median(curve: Curve) -> str:
    days = "not reached" if curve.median.days is None else f"{_number(curve.median.days)} days"
    return f"{days}, {curve.events} events of {curve.n}"


def changes(before: Mapping[Key, Value], after: Mapping[Key, Value]) -> list[Change]:
    """The values that differ, by subject, endpoint and rule; the reason in words is the later one's."""
    found = []
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if (old.text if old else "") != (new.text if new else ""):
            subject, endpoint, rule = key
            found.append(Change(subject=subject, endpoint=endpoint, rule=rule, before=old.text if old else "",
                                after=new.text if new else "", why=(new or old or Value(text="")).why))
    return found


def replaced(whole: Frames, some: Frames, subjects: Iterable[str]) -> dict[str, pd.DataFrame]:
    """The conclusion tables with those of some subjects exchanged."""
    gone = list(subjects)
    found = {}
    for name, frame in whole.items():
        kept, new = frame[~frame.subject.isin(gone)], some.get(name)
        both = [one for one in (kept, new) if one is not None and not one.empty]
        found[name] = pd.concat([one.astype(object) for one in both], ignore_index=True) if both else kept
    return found
