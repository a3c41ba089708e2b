"""The tables of a report, ready to be printed: titles, small print, columns in words, cells.

Each is one of the pure tables of this room, over the population that `[population] efficacy` names or the one that its
title says. Nothing is computed here.
"""

from typing import Any

import pandas as pd

from fhir_adapter.core.figures import Hazard, Level, Subgroup, Table
from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints import compliance, follow_up_tables, lab_toxicity, rates, subject_tables
from fhir_adapter.endpoints.subgroup_estimates import subgroups

_HAZARDS = {"too_few_events": "too few events", "not_estimable": "not estimable", "one_group": "one group",
            "reference": "reference", "left_out": "not compared"}


def tables(frames: dict[str, pd.DataFrame], steps: pd.DataFrame, protocol: Protocol, cutoff: str) -> tuple[Table, ...]:
    """Every table in the order in which it is read; those that have no row are left out.

    In: the tables that `derive` returns, the fact table `disposition`, the cut-off (`YYYY-MM-DD`, may be empty).
    """
    contacts = follow_up_tables.last_contacts(frames, cutoff, protocol) if cutoff else pd.DataFrame()
    pairs = follow_up_tables.concordance(frames)
    lab = frames["lab_toxicity"]
    found = (
        _table("populations", "Populations", subject_tables.populations(frames),
               note="Reason empty: in the population. Each subject excluded stands below with the reason."),
        _table("excluded", "Who is in which population not", subject_tables.excluded(frames)),
        _table("characteristics", "Baseline characteristics of the treated", subject_tables.characteristics(frames)),
        _table("disposition", "Disposition", subject_tables.disposition(frames, steps),
               note="Percent of the treated. A subject counts once a line."),
        _table("therapies", "Other therapy of the treated", subject_tables.therapies(frames),
               note="Unknown: nobody has said what it was for; meanwhile it is not new therapy."),
        _table("compliance", "Planned tumour assessments", compliance.table(frames["assessment_compliance"]),
               note="Up to progression, death, the end of the study, or the last day on which anything is known."),
        _table("rates", "Response rates by population and reader", _rates(frames, protocol),
               note="Exact (Clopper-Pearson) 95 % intervals in percent."),
        _table("concordance", "Responses as reported and as computed from lesions",
               follow_up_tables.concordance_summary(pairs)),
        _table("discordant", "Time points on which they differ", _differing(pairs)),
        _table("readers", "Best response of other readers beside the investigator's",
               rates.concordance(frames["best_response"])),
        _table("endings", "How clocks ended", follow_up_tables.endings(frames)),
        _table("contacts", "Months from the last contact to the cut-off",
               follow_up_tables.contact_summary(contacts) if len(contacts) else pd.DataFrame(),
               note="Everybody treated or enrolled who is not known to be dead."),
        _table("deaths", "Deaths of the treated", follow_up_tables.deaths(frames),
               note="Within 30 days after the last dose, stated period or fraction of any component."),
        _subgroups(subgroups(frames, protocol)),
        _table("lab_worst", "Worst grade from values on treatment", lab_toxicity.worst_grades(lab),
               note="Grades computed from laboratory values and vital signs; they are no adverse events."),
        _table("lab_shift", "Shift from the baseline to the worst grade on treatment", lab_toxicity.shifts(lab)),
    )
    return tuple(one for one in found if one.rows)


def _table(name: str, title: str, frame: pd.DataFrame, note: str = "") -> Table:
    plain: Any = frame.astype(object)
    rows = [tuple(_cell(one) for one in row) for row in plain.itertuples(index=False, name=None)]
    return Table(name=name, title=title, note=note, rows=tuple(rows),
                 columns=tuple(str(column).replace("_", " ") for column in frame.columns))


def _cell(value: Any) -> str | int | float | None:
    if isinstance(value, list):
        return "; ".join(str(one) for one in value)
    if value is None or value is pd.NA or value != value:
        return None
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return "yes" if value else "no"
    return value if isinstance(value, (str, int, float)) else str(value)


def _rates(frames: dict[str, pd.DataFrame], protocol: Protocol) -> pd.DataFrame:
    """The rates with shares in percent."""
    found = rates.table(frames, protocol)
    for name in ("share", "low", "high"):
        found[name] = [None if one is None else round(100 * one, 1) for one in found[name].tolist()]
    return found.rename(columns={"share": "percent"})


def _differing(pairs: pd.DataFrame) -> pd.DataFrame:
    return pairs[~pairs["agree"].astype(bool)].drop(columns="agree")


def _subgroups(found: tuple[Subgroup, ...]) -> Table:
    columns = ("subgroup", "endpoint", "method", "level", "subjects", "events", "ORR", "median, days", "hazard ratio",
               "p", "excluded")
    return Table(
        name="subgroups", title="Subgroups", columns=columns, rows=tuple(
            _level(one, level) for one in found for level in one.levels),
        note="By delivered radiotherapy dose only from a landmark, or with the dose as a time-dependent covariate; "
             "unknown is a group of its own. Hazard ratio: Cox, Efron ties, against the first level; p: log-rank.")


def _level(of: Subgroup, level: Level) -> tuple[str | int | float | None, ...]:
    left = ", ".join(f"{count} {reason}" for reason, count in of.excluded.items())
    method = f"landmark, day {of.landmark_days}" if of.method == "landmark" else of.method.replace("_", "-")
    p = None if level.hazard.p is None else round(level.hazard.p, 4)
    return (of.name, of.endpoint, method, level.name, level.n, level.curve.events, f"{level.orr.x} of {level.orr.n}",
            level.curve.median.days, _hazard(level.hazard), p, left)


def _hazard(hazard: Hazard) -> str:
    if hazard.ratio is None or hazard.low is None or hazard.high is None:
        return _HAZARDS.get(hazard.reason or "", hazard.reason or "")
    return f"{hazard.ratio:.2f} ({hazard.low:.2f} to {hazard.high:.2f})"
