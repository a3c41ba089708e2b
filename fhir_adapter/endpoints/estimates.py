"""Estimates over subjects: exact rates, Kaplan-Meier curves, medians and rates with their intervals.

lifelines gives the curve; what it leaves open is settled here (endpoints.md §8, pharmaverse.md §10):
- a survival of exactly one half: the midpoint to the next step (`median_tie`), as SAS and R;
- limits by `km_ci`: log-log (default), log, plain; where survival is 0 there is no interval, as R;
- no rate beyond the last time when the last subject is censored, and none with fewer than `min_at_risk` at risk.
Never called on an empty set: no subject gives no estimate.
"""

import math
from collections.abc import Sequence

import msgspec

from fhir_adapter.core.figures import Curve, CurveStep, Landmark, Quantile, Rate
from fhir_adapter.core.study import TimeToEvent

_TOLERANCE = 1e-9
_Z = 1.959963984540054


class Followed(msgspec.Struct, frozen=True):
    """One subject's time and whether it ended with the event."""

    days: int
    event: bool


def rate(x: int, n: int, alpha: float = 0.05) -> Rate:
    """`x` of `n` with the exact interval of Clopper and Pearson; no interval for n = 0."""
    if n == 0:
        return Rate(x, n)
    from scipy.stats import beta

    low = 0.0 if x == 0 else float(beta.ppf(alpha / 2, x, n - x + 1))
    high = 1.0 if x == n else float(beta.ppf(1 - alpha / 2, x + 1, n - x))
    return Rate(x, n, low, high)


def steps(followed: Sequence[Followed], km_ci: str) -> tuple[CurveStep, ...]:
    """The Kaplan-Meier table: of one day, events go before censorings."""
    if not followed:
        return ()
    from lifelines import KaplanMeierFitter

    fitted = KaplanMeierFitter().fit([one.days for one in followed], [one.event for one in followed])
    table, survival = fitted.event_table, fitted.survival_function_.iloc[:, 0]
    found: list[CurveStep] = []
    variance = 0.0
    for time, at_risk, events, censored in zip(
        table.index, table["at_risk"], table["observed"], table["censored"], strict=True
    ):
        if not events and not censored:
            continue
        n, d = int(at_risk), int(events)
        if d:
            variance = math.inf if d == n else variance + d / (n * (n - d))
        share = float(survival.loc[time])
        low, high = limits(share, variance, km_ci)
        found.append(CurveStep(days=int(time), at_risk=n, events=d, censored=int(censored), survival=share, low=low,
                               high=high))
    return tuple(found)


def limits(share: float, variance: float, km_ci: str) -> tuple[float | None, float | None]:
    """The pointwise 95 % limits from Greenwood's sum; 1 before the first event, none where survival is 0."""
    if share <= 0 or math.isinf(variance):
        return None, None
    if variance == 0:
        return 1.0, 1.0
    error = math.sqrt(variance)
    if km_ci == "plain":
        return max(0.0, share - _Z * share * error), min(1.0, share + _Z * share * error)
    if km_ci == "log":
        return share * math.exp(-_Z * error), min(1.0, share * math.exp(_Z * error))
    spread = _Z * error / abs(math.log(share))
    return share ** math.exp(spread), share ** math.exp(-spread)


def quantile(found: Sequence[CurveStep], settings: TimeToEvent) -> Quantile:
    """The median with the interval that the pointwise limits give; None is not reached."""
    midpoint = settings.median_tie == "midpoint"
    drops = [step for step in found if step.events]
    return Quantile(
        days=_crossing([(step.days, step.survival) for step in drops], midpoint),
        low=_crossing([(step.days, step.low) for step in drops], midpoint),
        high=_crossing([(step.days, step.high) for step in drops], midpoint),
        method=settings.km_ci,
    )


def _crossing(line: Sequence[tuple[int, float | None]], midpoint: bool) -> float | None:
    """The first day at which a line is at or below one half; exactly one half: halfway to the next step down."""
    below = [(day, value) for day, value in line if value is not None and value <= 0.5 + _TOLERANCE]
    if not below:
        return None
    day, value = below[0]
    if midpoint and abs(value - 0.5) < _TOLERANCE:
        later = [after for after, lower in below if lower < value - _TOLERANCE]
        return (day + later[0]) / 2 if later else float(day)
    return float(day)


def at_risk(found: Sequence[CurveStep], days: float) -> int:
    """How many are followed just before a day."""
    return next((step.at_risk for step in found if step.days >= days), 0)


def landmark(found: Sequence[CurveStep], days: float, at_least: int) -> Landmark:
    """The share without the event at a fixed time, with the number still at risk."""
    risk = at_risk(found, days)
    before = [step for step in found if step.days <= days]
    ended = bool(found) and days > found[-1].days and found[-1].survival > 0
    if not found or ended or risk < at_least:
        return Landmark(days=days, at_risk=risk)
    if not before:
        return Landmark(days=days, at_risk=risk, survival=1.0, low=1.0, high=1.0)
    last = before[-1]
    return Landmark(days=days, at_risk=risk, survival=last.survival, low=last.low, high=last.high)


def curve(endpoint: str, rule: str, followed: Sequence[Followed], settings: TimeToEvent, undetermined: int = 0
          ) -> Curve:
    """A whole curve: table, median, rates at the protocol's months."""
    found = steps(followed, settings.km_ci)
    return Curve(
        endpoint=endpoint, rule=rule, n=len(followed), events=sum(one.event for one in followed),
        undetermined=undetermined, steps=found, median=quantile(found, settings),
        rates=tuple(landmark(found, months * settings.days_per_month, settings.min_at_risk)
                    for months in settings.rates_at_months)
        if found else (),
    )


def follow_up(followed: Sequence[Followed], settings: TimeToEvent) -> Quantile:
    """The median follow-up by the reverse Kaplan-Meier method: censoring is the event (Schemper and Smith 1996)."""
    return quantile(steps([Followed(one.days, not one.event) for one in followed], settings.km_ci), settings)
