"""The response of every time point computed from lesions, series by series.

Sums, nadirs and the two RECIST tables work on whole columns (`recist`); what follows looks back and ahead:
1. an equivocal new lesion that is confirmed later is progression at the first scan that showed it;
2. after an overall CR any lesion that is back is progression;
3. after a confirmed PR the time point stays PR until progression.
Progression counts on the earliest of: first scan with the unequivocal new lesion, scan with the non-target
progression, last target measurement. Source: endpoints.md §0.1, §0.7, §2.2 to §2.5.
"""

from collections import defaultdict

import pandas as pd

from fhir_adapter.core.study import Response
from fhir_adapter.endpoints.confirmation import first_confirmed
from fhir_adapter.endpoints.frames import written
from fhir_adapter.endpoints.grouping import Series
from fhir_adapter.endpoints.lesions import Finding
from fhir_adapter.endpoints.new_lesions import Sighting, first_sight
from fhir_adapter.endpoints.readings import Reading
from fhir_adapter.endpoints.recist import nadir, overall_response, target_response


def respond(readings: list[Reading], findings: dict[int, Finding | None]) -> None:
    """Fill sums' consequences into readings of source `lesions`: nadir, target and overall response.

    In: readings of all series in time order, baselines first; `findings` by position. Readings before a baseline are
    not passed in.
    """
    if not readings:
        return
    frame = pd.DataFrame({
        "subject": [one.series[0] for one in readings],
        "evaluator": [one.series[1] for one in readings],
        "number": [one.number for one in readings],
        "targets": [one.targets for one in readings],
        "sum_um": pd.array([one.sum_um for one in readings], dtype="Int64").to_numpy("float64", na_value=float("nan")),
        "complete": [one.complete for one in readings],
        "gone": [found is not None and found.gone for found in (findings.get(i) for i in range(len(readings)))],
        "non_target": [one.non_target for one in readings],
        "new_lesion": [one.new_lesion for one in readings],
    })
    baseline = frame["sum_um"].where((frame["number"] == 0) & frame["complete"])
    frame["baseline_um"] = baseline.groupby([frame["subject"], frame["evaluator"]]).transform("max")
    frame["nadir_um"] = nadir(frame)
    frame["target"] = target_response(frame)
    frame.loc[[one.target == "NE" for one in readings], "target"] = "NE"
    frame["overall"] = overall_response(frame)
    columns = (frame[name].tolist() for name in ("baseline_um", "nadir_um", "target", "overall"))
    for one, base, low, target, overall in zip(readings, *columns, strict=True):
        one.baseline_um = None if pd.isna(base) else int(base)
        one.nadir_um = None if pd.isna(low) else int(low)
        one.target = target if one.number > 0 else None
        one.overall = overall if one.number > 0 else None
    _name_nadirs(readings)


def _name_nadirs(readings: list[Reading]) -> None:
    """Say on which day the nadir was measured."""
    seen: dict[tuple[Series, int], int] = {}
    for one in readings:
        if one.nadir_um is not None:
            one.nadir_of = seen.get((one.series, one.nadir_um))
        if one.complete and one.sum_um is not None and one.number >= 0:
            seen.setdefault((one.series, one.sum_um), one.first)


def look_around(readings: list[Reading], findings: list[Finding | None], seen: list[Sighting],
                progressed: list[int | None], rules: Response) -> None:
    """Apply the rules that look back and ahead to the time points after the baseline of one series."""
    for position, one in enumerate(readings):
        if one.overall == "PD":
            one.progression = _progression(one, findings[position], seen[position], progressed[position])
    for position, sighting in enumerate(seen):
        if sighting.level == "unequivocal":
            _date_back(readings, seen, position)
    _after_complete_response(readings, findings)
    if rules.strict:
        for one in readings:
            if one.new_lesion == "not stated" and one.overall in ("CR", "PR", "SD"):
                one.overall, one.note = "NE", "nothing was stated about new lesions"
    _keep_confirmed(readings, rules)


def _progression(one: Reading, finding: Finding | None, seen: Sighting, progressed: int | None) -> int:
    days = []
    if seen.level == "unequivocal" and seen.day is not None:
        days.append(seen.day)
    if one.non_target == "PD":
        days.append(one.first if progressed is None else progressed)
    if one.target == "PD" and finding is not None and finding.last_target is not None:
        days.append(finding.last_target)
    return min(days, default=one.first)


def _date_back(readings: list[Reading], seen: list[Sighting], confirmed: int) -> None:
    """The scans that called it equivocal showed it: progression from the first of them on."""
    for place in range(first_sight(seen, confirmed), confirmed):
        one, sighting = readings[place], seen[place]
        if sighting.level == "equivocal" and sighting.may_be(seen[confirmed]):
            one.new_lesion, one.ground = "unequivocal", one.ground | readings[confirmed].ground
            one.progresses(one.first if sighting.day is None else sighting.day,
                           f"new lesion, equivocal then, confirmed {written(readings[confirmed].first)}")


def _after_complete_response(readings: list[Reading], findings: list[Finding | None]) -> None:
    complete = None
    for one, finding in zip(readings, findings, strict=True):
        if one.overall == "PD":
            return
        if complete is not None:
            back = finding is not None and not finding.gone
            if back or one.non_target == "NON-CR/NON-PD":
                on = finding.last_target if back and finding is not None else None
                single = finding is not None and back and len(finding.back) == finding.nodes_back == 1
                image = " (a single node: image again)" if single and one.non_target in ("CR", "NONE") else ""
                one.progresses(one.first if on is None else on,
                               f"a lesion is back after the complete response of {written(complete)}{image}")
                return
        elif one.overall == "CR":
            complete = one.first


def _keep_confirmed(readings: list[Reading], rules: Response) -> None:
    """After a confirmed PR a stable time point is still PR (EORTC)."""
    so_far: list[tuple[int, str]] = []
    for one in readings:
        if one.overall == "PD":
            return
        if one.overall == "SD" and first_confirmed(so_far, rules) is not None:
            one.overall, one.note = "PR", "stable after a confirmed partial response"
        so_far.append((one.first, one.overall or "NE"))


def by_series(readings: list[Reading]) -> dict[Series, list[Reading]]:
    """Readings after the baseline, series by series."""
    found: dict[Series, list[Reading]] = defaultdict(list)
    for one in readings:
        if one.number > 0:
            found[one.series].append(one)
    return found
