"""Kaplan-Meier against other programs: R's held figures, statsmodels and lifelines, and sets worked out by hand.

endpoints.md §8; pharmaverse.md §10.
"""

from random import Random

import numpy as np
import pytest

from fhir_adapter.core.figures import Curve
from fhir_adapter.core.protocol import TimeToEvent
from fhir_adapter.endpoints.estimates import Followed, at_risk, curve, follow_up, steps

SETS = 200


def at(found: Curve) -> list[tuple[int, int, float]]:
    """Day, number at risk and survival of every step with an event."""
    return [(step.days, step.at_risk, round(step.survival, 6)) for step in found.steps if step.events]


def test_lung_data_as_r() -> None:
    """library(survival); summary(survfit(Surv(time, status) ~ 1, lung, conf.type = "log-log"), times = c(90, 180))

    R 4.2.2, survival 3.5-3: median 310 (284, 361); S(90) 0.88157894737 (0.83207, 0.91721);
    S(180) 0.72167065341 (0.65830, 0.77531).
    """
    from lifelines.datasets import load_lung

    lung = load_lung()
    given = [Followed(int(days), bool(event)) for days, event in zip(lung["time"], lung["status"], strict=True)]
    found = curve("OS", "", given, TimeToEvent(days_per_month=30.0, rates_at_months=(3, 6)))

    assert (found.n, found.events) == (228, 165)
    assert (found.median.days, found.median.low, found.median.high) == (310, 284, 361)
    assert [rate.survival for rate in found.rates] == pytest.approx([0.88157894737, 0.72167065341], abs=1e-11)
    limits = [limit for rate in found.rates for limit in (rate.low, rate.high)]
    assert limits == pytest.approx([0.83207, 0.91721, 0.65830, 0.77531], abs=5e-6)


def invented(number: int) -> list[Followed]:
    """A random set of 1 to 60 subjects with many ties."""
    random = Random(number)
    share = random.choice((0.1, 0.5, 0.9, 1.0))
    return [Followed(random.randint(1, random.choice((5, 40, 400))), random.random() < share)
            for _ in range(random.randint(1, 60))]


def test_agrees_with_statsmodels_on_random_sets() -> None:
    """Survival, number at risk and Greenwood's error of statsmodels' SurvfuncRight at every event, within 1e-9."""
    from statsmodels.duration.survfunc import SurvfuncRight

    compared = 0
    for number in range(SETS):
        given = invented(number)
        found = [step for step in steps(given, "plain") if step.events]
        other = SurvfuncRight(np.array([one.days for one in given]), np.array([one.event for one in given], dtype=int))
        died = {int(day): place for place, day in enumerate(other.surv_times)}
        for step in found:
            place = died[step.days]
            assert step.at_risk == other.n_risk[place]
            assert step.survival == pytest.approx(other.surv_prob[place], abs=1e-9)
            if step.low is not None and step.low > 0 and step.high is not None and step.high < 1:
                error = (step.high - step.low) / (2 * 1.959963984540054)
                assert error == pytest.approx(other.surv_prob_se[place], abs=1e-9)
                compared += 1
    assert compared > SETS


def test_agrees_with_lifelines_on_random_sets() -> None:
    """The log-log limits and the median without a tie at one half of lifelines' KaplanMeierFitter, within 1e-9."""
    from lifelines import KaplanMeierFitter

    for number in range(SETS):
        given = invented(number)
        fitted = KaplanMeierFitter().fit([one.days for one in given], [one.event for one in given])
        found = curve("OS", "", given, TimeToEvent(median_tie="first"))
        limits = fitted.confidence_interval_
        for step in found.steps:
            if step.events and step.low is not None:
                assert [step.low, step.high] == pytest.approx(limits.loc[step.days].tolist(), abs=1e-9)
        theirs = fitted.median_survival_time_
        touches = any(abs(step.survival - 0.5) < 1e-9 for step in found.steps)  # lifelines asks a rounded product
        assert touches or found.median.days == (None if np.isinf(theirs) else theirs)


def test_ties_worked_out_by_hand() -> None:
    """Days 5 (two deaths, one censored), 8 (one death), 9 (censored): 1 - 2/5 = 0.6, then times 1/2 is 0.3.

    Of one day deaths go before the censoring: it is still at risk on day 5.
    """
    given = [Followed(5, True), Followed(5, True), Followed(5, False), Followed(8, True), Followed(9, False)]
    found = curve("OS", "", given, TimeToEvent())
    assert at(found) == [(5, 5, 0.6), (8, 2, 0.3)]
    assert found.median.days == 8
    assert [at_risk(found.steps, day) for day in (1, 5, 6, 9, 10)] == [5, 5, 2, 1, 0]


def test_a_curve_that_touches_one_half() -> None:
    """Deaths on days 10, 20, 30, 40: S(20) is 0.5 exactly; R and SAS say 25, lifelines 20."""
    given = [Followed(day, True) for day in (10, 20, 30, 40)]
    assert curve("OS", "", given, TimeToEvent()).median.days == 25
    assert curve("OS", "", given, TimeToEvent(median_tie="first")).median.days == 20


def test_one_half_to_the_end_is_that_day() -> None:
    """S stays at 0.5 after day 10 and nobody dies later: R's midpoint needs a next event, so it is day 10."""
    assert curve("OS", "", [Followed(10, True), Followed(30, False)], TimeToEvent()).median.days == 10


@pytest.mark.parametrize(("given", "n", "events", "median"), [
    ([], 0, 0, None), ([Followed(7, True)], 1, 1, 7), ([Followed(7, False)], 1, 0, None),
    ([Followed(7, False), Followed(9, False)], 2, 0, None),
])
def test_nobody_one_and_all_censored(given: list[Followed], n: int, events: int, median: float | None) -> None:
    """n = 0: no estimate; n = 1: the day, or not reached; all censored: not reached."""
    found = curve("OS", "", given, TimeToEvent())
    assert (found.n, found.events, found.median.days) == (n, events, median)


def test_follow_up_turns_events_into_censorings() -> None:
    """Reverse Kaplan-Meier of deaths on 5 and 9, censored 7 and 12: at risk 3 on day 7, 1 on day 12: 2/3, 0."""
    given = [Followed(5, True), Followed(7, False), Followed(9, True), Followed(12, False)]
    assert follow_up(given, TimeToEvent()).days == 12
