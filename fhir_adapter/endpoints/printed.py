"""The tables of a report, ready to be printed: titles, small print, columns in words, cells.

Each is one of the pure tables of this room, over the population that `[population] efficacy` names or the one that its
title says. Nothing is computed here.
"""

from typing import Any

import pandas as pd

from fhir_adapter.core.figures import Curve, Hazard, Landmark, Level, Subgroup, Table
from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints import ae_tables, compliance, follow_up_tables, lab_toxicity, rates, subject_tables
from fhir_adapter.endpoints.subgroup_estimates import subgroups

IBOR = ("iCR", "iPR", "iSD", "NON-iCR/NON-iUPD", "iCPD", "iUPD", "NE", "NED")
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
               note="Percent of the treated, from treatment on. A subject counts once a line."),
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
        _subgroups(subgroups(frames, protocol), protocol),
        _table("ae_standard", "Adverse events by what they were and what they led to",
               ae_tables.all_sets(frames["ae_episode"], rates.members(frames["population"], "safety")),
               note="Participants of the safety population, each once a line. Stop, reduction, interruption: of any "
                    "component, then of each."),
        _table("immune", "Best response by iRECIST", _immune(frames, protocol),
               note="Exploratory, beside RECIST. Confirmed: the pair rule with i-values, a convention."),
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


def _immune(frames: dict[str, pd.DataFrame], protocol: Protocol) -> pd.DataFrame:
    """Subjects of the efficacy population by iBOR, of the investigator."""
    columns = ["response", "unconfirmed", "confirmed", "n"]
    among = rates.members(frames["population"], protocol.population.efficacy)
    rows = frames["immune_best_response"]
    mine = rows[(rows["evaluator"] == "investigator") & rows["subject"].isin(list(among))]
    lines = []
    for value in [one for one in IBOR if one in set(mine["value"])]:
        of_value = mine[mine["value"] == value]
        counts = [int(of_value["confirmed"].eq(wanted).sum()) for wanted in (False, True)]
        lines.append((value, *counts, mine["subject"].nunique()))
    return pd.DataFrame(lines, columns=columns, dtype=object)


def _subgroups(found: tuple[Subgroup, ...], protocol: Protocol) -> Table:
    rules = protocol.time_to_event
    months = rules.rates_at_months[:2]
    columns = ("subgroup", "endpoint", "method", "level", "subjects", "events", "ORR (95 % CI)",
               "median, months (95 % CI)", *(f"{month} months, % (at risk)" for month in months), "hazard ratio", "p",
               "excluded")
    return Table(
        name="subgroups", title="Subgroups", columns=columns, rows=tuple(
            _level(one, level, protocol) for one in found for level in one.levels),
        note="By delivered radiotherapy dose only from a landmark, from which the times then count, or with the dose "
             "as a time-dependent covariate; unknown is a group of its own. Hazard ratio: Cox, Efron ties, against the "
             f"first level; p: log-rank. No rate with fewer than {rules.min_at_risk} at risk, no hazard ratio with "
             f"fewer than {protocol.subgroups.events} events.")


def _level(of: Subgroup, level: Level, protocol: Protocol) -> tuple[str | int | float | None, ...]:
    rules = protocol.time_to_event
    left = ", ".join(f"{count} {reason}" for reason, count in of.excluded.items())
    method = f"landmark, day {of.landmark_days}" if of.method == "landmark" else of.method.replace("_", "-")
    p = None if level.hazard.p is None else round(level.hazard.p, 4)
    curve, orr = level.curve, level.orr
    rates_at = (next((rate for rate in curve.rates if rate.days == month * rules.days_per_month), None)
                for month in rules.rates_at_months[:2])
    interval = "" if orr.low is None or orr.high is None else f" ({100 * orr.low:.1f} to {100 * orr.high:.1f} %)"
    return (of.name, of.endpoint, method, level.name, level.n, curve.events, f"{orr.x} of {orr.n}{interval}",
            _median(curve, rules.days_per_month), *(_rate(one) for one in rates_at), _hazard(level.hazard), p, left)


def _median(curve: Curve, per_month: float) -> str | None:
    if not curve.steps:
        return None
    days = (curve.median.days, curve.median.low, curve.median.high)
    middle, low, high = ("NR" if one is None else f"{one / per_month:.1f}" for one in days)
    return f"{middle} ({low} to {high})"


def _rate(at: Landmark | None) -> str | None:
    return None if at is None or at.survival is None else f"{100 * at.survival:.1f} ({at.at_risk})"


def _hazard(hazard: Hazard) -> str:
    if hazard.ratio is None or hazard.low is None or hazard.high is None:
        return _HAZARDS.get(hazard.reason or "", hazard.reason or "")
    return f"{hazard.ratio:.2f} ({hazard.low:.2f} to {hazard.high:.2f})"
