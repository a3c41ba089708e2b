"""Subgroups: landmark and time-dependent doses, suppression, hazard ratios. endpoints.md §0.13, §8."""

from math import exp
from random import Random

import numpy as np
import pandas as pd
import pytest

from fhir_adapter.core.figures import Subgroup
from fhir_adapter.core.protocol import Subgroups
from fhir_adapter.endpoints import estimated_subgroups
from fhir_adapter.endpoints.subgroup_estimates import Timed, at_landmark, hazard_ratio, known_at_start, time_dependent
from tests.endpoints.build import conclude, facts, protocol, table, treated

RULES = protocol(time_to_event={"day_one_counts": False})


def timed(*given: tuple[int, int, str, int | None]) -> list[Timed]:
    """Days, event, level, days to the level."""
    return [Timed(subject=f"S{number}", days=days, event=bool(event), level=level, since=since)
            for number, (days, event, level, since) in enumerate(given)]


def counts(found: Subgroup) -> dict[str, tuple[int, int]]:
    """Subjects and events by level."""
    return {level.name: (level.curve.n, level.curve.events) for level in found.levels}


def test_landmark_excludes_and_counts_what_ended_before() -> None:
    """Day 90: who died on day 90 or was censored before is out; time counts from there; unknown is its own level."""
    found = at_landmark("dose", "OS", timed(
        (90, 1, "yes", 50), (80, 0, "no", None), (91, 1, "yes", 50), (200, 1, "yes", 95), (300, 0, "no", None),
        (150, 1, "unknown", None), (160, 0, "ambiguous", 60), (170, 0, "none", None)), {}, RULES)
    assert found.excluded == {"censored before the landmark": 1, "event before the landmark": 1}
    assert counts(found) == {"no": (2, 1), "yes": (1, 1), "ambiguous": (1, 0), "none": (1, 0), "unknown": (1, 1)}
    yes = next(level for level in found.levels if level.name == "yes")
    assert yes.curve.steps[0].days == 1
    assert {level.name: level.hazard.reason for level in found.levels if level.name != "yes"} == {
        "no": "reference", "ambiguous": "left_out", "none": "left_out", "unknown": "left_out"}


def simulated(number: int = 600) -> list[Timed]:
    """No effect of the dose at all: exponential survival, mean 180 days; a course takes 45 to 75 days."""
    random = Random(5)
    found = []
    for count in range(number):
        days, ends = 1 + int(random.expovariate(1 / 180)), random.randint(45, 75)
        planned = random.random() < 0.5
        level = "yes" if planned and days > ends else "no"
        found.append(Timed(subject=f"S{count}", days=days, event=True, level=level, since=ends if planned else None))
    return found


def test_immortal_time_does_not_help() -> None:
    """§0.13: one must live to receive 60 Gy. From the first dose it looks as if the dose helped; by the landmark and as
    a time-dependent covariate the ratio's interval holds 1."""
    given = simulated()
    naive = known_at_start("dose", "OS", given, {}, RULES).levels[1].hazard
    assert naive.high is not None
    assert naive.high < 1
    for found in (at_landmark("dose", "OS", given, {}, RULES), time_dependent("dose", "OS", given, {}, RULES)):
        hazard = next(level.hazard for level in found.levels if level.name == "yes")
        assert hazard.low is not None
        assert hazard.high is not None
        assert hazard.low < 1 < hazard.high


def test_no_cox_below_ten_events_and_none_without_events_on_one_side() -> None:
    """Nine events: too few; eleven on one side only: log-rank alone."""
    few = [Timed(subject="a", days=day, event=day < 6, level="x") for day in range(1, 12)]
    assert hazard_ratio(few, few[:4], 10).reason == "too_few_events"
    many = [Timed(subject="a", days=day, event=True, level="x") for day in range(1, 12)]
    none = [Timed(subject="b", days=day, event=False, level="y") for day in range(1, 12)]
    found = hazard_ratio(many, none, 10)
    assert (found.reason, found.ratio) == ("not_estimable", None)
    assert found.p is not None


def test_hazard_ratio_of_the_lung_data() -> None:
    """R 4.2.2, survival 3.5-3: survdiff(Surv(time, status) ~ sex, lung): p = 0.0013; coxph: 0.588 for women."""
    from lifelines.datasets import load_lung

    lung = load_lung()
    groups = [[Timed(subject=str(number), days=int(row.time), event=bool(row.status), level=str(sex))
               for number, row in lung[lung["sex"] == sex].iterrows()] for sex in (1, 2)]
    found = hazard_ratio(groups[0], groups[1], 10)
    assert found.ratio == pytest.approx(0.588, abs=5e-4)
    assert found.p == pytest.approx(0.0013, abs=5e-5)


def test_time_dependent_cox_agrees_with_statsmodels() -> None:
    """Left-truncated spells: PHReg(entry=...), Efron ties.

    Days are doubled and changes odd: a change on the day of an event counts for statsmodels, not for R and lifelines.
    """
    from statsmodels.duration.hazard_regression import PHReg

    given = [Timed(subject=one.subject, days=2 * one.days, event=True, level=one.level,
                   since=None if one.since is None else 2 * one.since + 1) for one in simulated(200)]
    hazard = next(level.hazard for level in time_dependent("dose", "OS", given, {}, RULES).levels
                  if level.name == "yes")
    lines = []
    for one in given:
        if one.level == "yes" and one.since is not None:
            lines += [(0, one.since, 0, 0), (one.since, one.days, 1, 1)]
        else:
            lines.append((0, one.days, 1, 0))
    frame = pd.DataFrame(lines, columns=["start", "stop", "event", "level"])
    fitted = PHReg(frame["stop"], frame[["level"]].to_numpy(float), status=frame["event"], entry=frame["start"],
                   ties="efron").fit()
    assert hazard.ratio == pytest.approx(exp(float(np.asarray(fitted.params)[0])), rel=1e-4)


def people(number: int, sex: str, birth: int, end: int) -> list[dict[str, pd.DataFrame]]:
    """A treated subject who died so many days after the first dose."""
    name = f"S{number:02d}"
    died = (pd.Timestamp("2023-01-02") + pd.Timedelta(days=end)).date()
    return [treated(subject=name), table("demographic", f"subject sex birth_year\n{name} {sex} {birth}"),
            table("vital_status", f"subject death\n{name} {died}")]


def test_subgroups_from_conclusions() -> None:
    """Sex and age of the baseline; BRAF that nobody measured is left out; without radiotherapy the dose is `none`."""
    parts = [part for number in range(12) for part in people(
        number, "female" if number % 2 else "male", 1950 if number < 6 else 1980, 100 + 10 * number)]
    marked = table("biomarker", "subject marker result\nS00 braf_v600e present\nS01 braf_v600e absent")
    derived = conclude(facts(*parts))
    found = estimated_subgroups(derived.frames, RULES)
    assert [(one.name, one.endpoint, counts(one)) for one in found if one.endpoint == "OS"] == [
        ("sex", "OS", {"female": (6, 6), "male": (6, 6)}), ("age", "OS", {"< 65": (6, 6), ">= 65": (6, 6)}),
        ("radiotherapy dose", "OS", {"none": (12, 12)})]
    again = estimated_subgroups(conclude(facts(*parts, marked)).frames, RULES)
    assert [counts(one) for one in again if (one.name, one.endpoint) == ("BRAF", "OS")] == [
        {"absent": (1, 1), "present": (1, 1), "unknown": (10, 10)}]
    switched = protocol(subgroups=Subgroups(dose="time_dependent"))
    assert estimated_subgroups(derived.frames, switched)[-1].method == "time_dependent"


def test_rates_need_five_at_risk() -> None:
    """Four left at six months: no rate; by option three suffice."""
    given = timed(*((days, 1, "x", None) for days in (10, 20, 200, 210, 220, 230)))
    for least, expected in ((5, None), (3, 4 / 6)):
        rules = protocol(time_to_event={"min_at_risk": least})
        assert known_at_start("g", "OS", given, {}, rules).levels[0].curve.rates[0].survival == (
            None if expected is None else pytest.approx(expected))
