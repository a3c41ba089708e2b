"""Rates and Kaplan-Meier estimates. Cases W70 and W72; endpoints.md §4, §8."""

import pytest

from fhir_adapter.core.study import TimeToEvent
from fhir_adapter.endpoints.estimates import Followed, curve, follow_up, rate

# Times in tenths of a month, so that they are whole.
W70_TIMES = (14, 21, 28, 35, 42, 50, 63, 77, 91, 105, 126, 140)
W70_EVENTS = (1, 1, 0, 1, 1, 1, 0, 1, 1, 0, 1, 0)


def w70() -> list[Followed]:
    """The subjects of W70."""
    return [Followed(time, bool(event)) for time, event in zip(W70_TIMES, W70_EVENTS, strict=True)]


@pytest.mark.parametrize(("km_ci", "low", "high"), [("log-log", 21, 126), ("log", 42, None), ("plain", 35, 126)])
def test_w70_median_and_its_interval(km_ci: str, low: float, high: float | None) -> None:
    """W70: median 7.7; the three transformations differ.

    library(survival); survfit(Surv(time, event) ~ 1, conf.type = "log-log" | "log" | "plain")
    """
    median = curve("PFS", "", w70(), TimeToEvent(km_ci=km_ci)).median  # type: ignore[arg-type]

    assert (median.days, median.low, median.high, median.method) == (77, low, high, km_ci)


def test_w70_survival_at_fixed_times() -> None:
    """W70: at 6 months 0.5556 (0.2369-0.7867), at 12 months 0.3333 (0.0849-0.6131).

    Read from the table: with fewer than five at risk the rate itself is not shown.
    """
    found = curve("PFS", "", w70(), TimeToEvent(days_per_month=10.0, rates_at_months=(6, 12)))
    at = {step.days: step for step in found.steps}

    assert (at[50].survival, at[50].low, at[50].high) == pytest.approx((0.5556, 0.2369, 0.7867), abs=1e-4)
    assert (at[105].survival, at[105].low, at[105].high) == pytest.approx((0.3333, 0.0849, 0.6131), abs=1e-4)
    assert (found.rates[0].survival, found.rates[0].at_risk) == pytest.approx((0.5556, 6), abs=1e-4)
    assert (found.rates[1].survival, found.rates[1].at_risk) == (None, 2)


def test_w70_follow_up_by_reverse_kaplan_meier() -> None:
    """W70: exactly one half: the midpoint 12.25 as R, the first time 10.5 by option (as lifelines)."""
    assert follow_up(w70(), TimeToEvent()).days == 122.5
    assert follow_up(w70(), TimeToEvent(median_tie="first")).days == 105


def test_w72_median_not_reached() -> None:
    """W72: None, neither infinity nor the last time."""
    followed = [Followed(time, bool(event)) for time, event in zip((3, 5, 6, 8, 9, 11, 12, 13),
                                                                   (1, 0, 1, 0, 0, 0, 0, 0), strict=True)]

    assert curve("OS", "", followed, TimeToEvent()).median.days is None


def test_nobody_gives_no_estimate() -> None:
    """lifelines is never called on an empty set."""
    found = curve("OS", "", [], TimeToEvent(), undetermined=2)

    assert (found.n, found.steps, found.median.days, found.rates, found.undetermined) == (0, (), None, (), 2)


def test_an_event_at_the_very_end_has_no_upper_limit() -> None:
    """pharmaverse.md §10: where survival is 0, R gives no interval, lifelines that time."""
    found = curve("OS", "", [Followed(10, True), Followed(20, True)], TimeToEvent())

    assert (found.steps[-1].survival, found.steps[-1].low, found.steps[-1].high) == (0, None, None)
    assert found.median.days == 15


def test_no_rate_beyond_the_last_censored_time() -> None:
    """Nothing is extrapolated; a curve that ended at 0 stays there, but nobody is at risk to show it."""
    followed = [Followed(10 * number, False) for number in range(1, 11)]
    found = curve("OS", "", followed, TimeToEvent(days_per_month=1.0, rates_at_months=(50, 101)))

    assert [(one.survival, one.at_risk) for one in found.rates] == [(1.0, 6), (None, 0)]


@pytest.mark.parametrize(("x", "n", "low", "high"), [(8, 20, 0.1912, 0.6395), (0, 15, 0, 0.2180),
                                                      (10, 10, 0.6915, 1)])
def test_exact_intervals(x: int, n: int, low: float, high: float) -> None:
    """endpoints.md §4: 8/20 -> 19.12-63.95 %, 0/15 -> 0-21.80 %, 10/10 -> 69.15-100 %."""
    found = rate(x, n)

    assert (found.low, found.high) == pytest.approx((low, high), abs=1e-4)


def test_a_rate_of_nobody_has_no_interval() -> None:
    """n = 0: no value."""
    assert (rate(0, 0).share, rate(0, 0).low, rate(0, 0).high) == (None, None, None)


def test_intervals_agree_with_statsmodels() -> None:
    """A second opinion on Clopper-Pearson (statsmodels proportion_confint, method beta)."""
    from statsmodels.stats.proportion import proportion_confint

    for x, n in ((1, 7), (5, 60), (22, 60), (59, 60)):
        found = rate(x, n)
        assert (found.low, found.high) == pytest.approx(proportion_confint(x, n, method="beta"))
