"""Subgroups: sex, age, BRAF, PD-L1 from the start; radiotherapy of at least `subgroup_gy` only so that nobody is
favoured for having lived to receive it.

- Known at the start: Kaplan-Meier by level, log-rank, hazard ratio against the first level.
- Delivered dose, `dose = "landmark"`: time counts from `landmark_days` after the start; who had the event or was
  censored before is excluded and counted; a level is what had been delivered by then.
- Delivered dose, `dose = "time_dependent"`: a Cox model in which a subject changes over to the dose on the day of the
  last fraction; no curve by level, for there is none without immortal time.
- Unknown is a level of its own, never `no`; so are `ambiguous` and `none` of the dose. They enter no hazard ratio.
- No rate with fewer than `min_at_risk` at risk, no Cox model with fewer than `events` events.
Ties: Efron. Source: endpoints.md §0.13, §8; Anderson 1983 on landmarks.
"""

import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.figures import Hazard, Level, Subgroup
from fhir_adapter.core.study import Protocol
from fhir_adapter.endpoints import rates
from fhir_adapter.endpoints.estimates import Followed, curve
from fhir_adapter.endpoints.frames import day

UNKNOWN = "unknown"
LEFT_OUT = (UNKNOWN, "ambiguous", "none")
"""Levels that are shown, and enter no comparison."""
BASELINE = ("sex", "age", "BRAF", "PD-L1")
RADIOTHERAPY = "radiotherapy dose"


class Timed(msgspec.Struct, frozen=True, kw_only=True):
    """One subject's time of an endpoint, its level, and when it came to that level, as days after the start."""

    subject: str
    days: int
    event: bool
    level: str
    since: int | None = None


def subgroups(frames: dict[str, pd.DataFrame], protocol: Protocol) -> tuple[Subgroup, ...]:
    """Every subgroup of the headline PFS and of OS, over the efficacy population.

    In: the tables that `derive` returns. A subgroup in which everybody is unknown is left out.
    """
    among = rates.members(frames["population"], protocol.population.efficacy)
    values = rates.values(rates.best(frames["best_response"], "investigator", confirmed=protocol.response.confirmation))
    found = []
    for endpoint in ("PFS", "OS"):
        rows = frames["time_to_event"]
        rows = rows[(rows["endpoint"] == endpoint) & rows["headline"].eq(True) & rows["subject"].isin(list(among))
                    & (rows["status"] != "undetermined")]
        for name in BASELINE:
            levels = baseline_levels(frames["baseline"], name, protocol)
            timed = [_timed(*row, levels.get(row[0], UNKNOWN)) for row in _rows(rows)]
            if {one.level for one in timed} - {UNKNOWN}:
                found.append(known_at_start(name, endpoint, timed, values, protocol))
        doses = _doses(frames["exposure"])
        starts = dict(zip(rows["subject"], rows["start"], strict=True))
        timed = [_timed(*row, *_dose(doses.get(row[0]), starts[row[0]])) for row in _rows(rows)]
        by_dose = time_dependent if protocol.subgroups.dose == "time_dependent" else at_landmark
        found.append(by_dose(RADIOTHERAPY, endpoint, timed, values, protocol))
    return tuple(found)


def _rows(rows: pd.DataFrame) -> list[tuple[str, Any, str]]:
    return list(zip(rows["subject"].tolist(), rows["days"].tolist(), rows["status"].tolist(), strict=True))


def _timed(subject: str, days: Any, status: str, level: str, since: int | None = None) -> Timed:
    return Timed(subject=subject, days=int(days), event=status == "event", level=level, since=since)


def baseline_levels(frame: pd.DataFrame, name: str, protocol: Protocol) -> dict[str, str]:
    """The level of every subject whose level is known; `frame` is the table `baseline`."""
    mine = frame[frame["evaluator"] == "investigator"]
    if name == "age":
        limit = protocol.subgroups.age
        return {subject: f">= {limit}" if age >= limit else f"< {limit}"
                for subject, age in zip(mine["subject"], mine["age"], strict=True) if not pd.isna(age)}
    if name == "PD-L1":
        cut = protocol.subgroups.pdl1_percent
        percent = {subject: f">= {cut} %" if value >= cut else f"< {cut} %" for subject, value in zip(
            mine["subject"], mine["pdl1_percent"], strict=True) if not pd.isna(value)}
        return _stated(mine, "pdl1") | percent
    return _stated(mine, "braf" if name == "BRAF" else "sex")


def _stated(mine: pd.DataFrame, column: str) -> dict[str, str]:
    return {subject: value for subject, value in zip(mine["subject"], mine[column], strict=True)
            if isinstance(value, str) and value != UNKNOWN}


def _doses(exposure: pd.DataFrame) -> dict[str, tuple[str, str | None]]:
    rows = exposure[exposure["treatment"] == "radiotherapy"]
    return {subject: (group, last) for subject, group, last in zip(
        rows["subject"], rows["at_least_subgroup"], rows["last_date"], strict=True)}


def _dose(stated: tuple[str, str | None] | None, start: str) -> tuple[str, int | None]:
    """The level of a delivered dose, and the days after the start at which its last fraction was given."""
    if stated is None:
        return UNKNOWN, None
    group, last = stated
    ended = day(last) if isinstance(last, str) else None
    since = None if ended is None else ended - (day(start) or 0)
    return (group, since) if group != "yes" or since is not None else (UNKNOWN, None)


def known_at_start(name: str, endpoint: str, timed: Sequence[Timed], best: Mapping[str, str], protocol: Protocol
                   ) -> Subgroup:
    """A subgroup whose levels are known when the clock starts."""
    return Subgroup(name=name, endpoint=endpoint, method="baseline", levels=_levels(endpoint, timed, best, protocol))


def at_landmark(name: str, endpoint: str, timed: Sequence[Timed], best: Mapping[str, str], protocol: Protocol
                ) -> Subgroup:
    """A subgroup by what was delivered up to the landmark, among those still followed then."""
    mark = protocol.time_to_event.landmark_days
    shift = mark + int(protocol.time_to_event.day_one_counts)
    later = [one for one in timed if one.days > shift]
    gone = Counter("event before the landmark" if one.event else "censored before the landmark"
                   for one in timed if one.days <= shift)
    moved = [msgspec.structs.replace(one, days=one.days - mark, level=_by(one, mark)) for one in later]
    return Subgroup(name=name, endpoint=endpoint, method="landmark", landmark_days=mark,
                    excluded=dict(sorted(gone.items())), levels=_levels(endpoint, moved, best, protocol))


def _by(one: Timed, mark: int) -> str:
    """The level at the landmark: a dose completed later had not been delivered."""
    return "no" if one.level == "yes" and one.since is not None and one.since > mark else one.level


def time_dependent(name: str, endpoint: str, timed: Sequence[Timed], best: Mapping[str, str], protocol: Protocol
                   ) -> Subgroup:
    """A subgroup whose subjects change over to `yes` on the day of the last fraction; one hazard ratio, no curves."""
    compared = [one for one in timed if one.level not in LEFT_OUT]
    counts = Counter(one.level for one in timed)
    nothing = curve(endpoint, "", [], protocol.time_to_event)
    levels = [Level(name=level, n=counts[level], curve=nothing, orr=_orr(timed, level, best),
                    hazard=_changing(compared, protocol) if level == "yes" else
                    Hazard(reason="reference" if level == "no" else "left_out"))
              for level in _ordered(counts)]
    return Subgroup(name=name, endpoint=endpoint, method="time_dependent", levels=tuple(levels))


def _levels(endpoint: str, timed: Sequence[Timed], best: Mapping[str, str], protocol: Protocol) -> tuple[Level, ...]:
    by_level: dict[str, list[Timed]] = {}
    for one in timed:
        by_level.setdefault(one.level, []).append(one)
    names = _ordered(by_level)
    compared = [name for name in names if name not in LEFT_OUT]
    found = []
    for name in names:
        followed = [Followed(one.days, one.event) for one in by_level[name]]
        estimated = curve(endpoint, "", followed, protocol.time_to_event)
        hazard = Hazard(reason="left_out")
        if name in compared:
            hazard = Hazard(reason="one_group" if len(compared) < 2 else "reference") if name == compared[0] else \
                hazard_ratio(by_level[compared[0]], by_level[name], protocol.subgroups.events)
        found.append(Level(name=name, n=len(followed), orr=_orr(timed, name, best), curve=estimated, hazard=hazard))
    return tuple(found)


def _orr(timed: Sequence[Timed], level: str, best: Mapping[str, str]) -> Any:
    return rates.share(best, frozenset(one.subject for one in timed if one.level == level), rates.RESPONDED)


def _ordered(levels: Mapping[str, Any]) -> list[str]:
    """Levels by name, those that are not compared last."""
    return sorted(levels, key=lambda name: (name in LEFT_OUT, name))


def hazard_ratio(reference: Sequence[Timed], level: Sequence[Timed], at_least: int) -> Hazard:
    """The ratio of a level to the reference; none with too few events, or when one of the two has none."""
    events = [sum(one.event for one in some) for some in (reference, level)]
    if sum(events) < at_least:
        return Hazard(reason="too_few_events")
    from lifelines.statistics import logrank_test

    test = logrank_test([one.days for one in reference], [one.days for one in level],
                        [one.event for one in reference], [one.event for one in level])
    if 0 in events:
        return Hazard(p=float(test.p_value), reason="not_estimable")
    from lifelines import CoxPHFitter

    frame = pd.DataFrame([(one.days, one.event, number) for number, some in enumerate((reference, level))
                          for one in some], columns=["days", "event", "level"])
    return _fitted(CoxPHFitter(), frame, float(test.p_value), {"duration_col": "days", "event_col": "event"})


def _changing(timed: Sequence[Timed], protocol: Protocol) -> Hazard:
    """The hazard ratio after the change to the time before it, or without it."""
    if sum(one.event for one in timed) < protocol.subgroups.events:
        return Hazard(reason="too_few_events")
    lines: list[tuple[str, int, int, bool, int]] = []
    for one in timed:
        changed = one.since if one.level == "yes" and one.since is not None else one.days
        if 0 < changed < one.days:
            lines += [(one.subject, 0, changed, False, 0), (one.subject, changed, one.days, one.event, 1)]
        else:
            lines.append((one.subject, 0, one.days, one.event, int(changed <= 0)))
    frame = pd.DataFrame(lines, columns=["subject", "start", "stop", "event", "level"])
    if any(not frame.loc[frame["level"] == level, "event"].any() for level in (0, 1)):
        return Hazard(reason="not_estimable")
    from lifelines import CoxTimeVaryingFitter

    return _fitted(CoxTimeVaryingFitter(), frame, None, {
        "id_col": "subject", "start_col": "start", "stop_col": "stop", "event_col": "event"})


def _fitted(fitter: Any, frame: pd.DataFrame, p: float | None, columns: dict[str, str]) -> Hazard:
    from lifelines.exceptions import ConvergenceError, ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # it looks at spells; every early spell ends without event
        try:
            fitter.fit(frame, **columns)
        except ConvergenceError:
            return Hazard(p=p, reason="not_estimable")
    row = fitter.summary.loc["level"]
    if not row["se(coef)"] < _DIVERGED:
        return Hazard(p=p, reason="not_estimable")
    return Hazard(ratio=float(row["exp(coef)"]), low=float(row["exp(coef) lower 95%"]),
                  high=float(row["exp(coef) upper 95%"]), p=float(row["p"]) if p is None else p)


_DIVERGED = 10.0
"""A standard error of a log hazard ratio from which on the model has not converged."""
