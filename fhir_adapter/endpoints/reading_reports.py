"""The response of every time point as the reader reports it.

Of several responses at one time point the worst counts (PD, NON-CR/NON-PD, SD, PR, CR; NE loses against any); that
they differ on one day, and that a PR follows a CR, are doubts for the investigator. A PR after a CR is read as
progression meanwhile (`cr_then_pr = "pd"`) or the CR before it as PR (`downgrade`).
iRECIST responses are a series of their own and not read here. Source: endpoints.md §0.5, §2.4, §2.5.
"""

from collections import defaultdict

import msgspec

from fhir_adapter.core.study import Response
from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import Ground, Row, Trial, ground, together, written
from fhir_adapter.endpoints.lesions import Place
from fhir_adapter.endpoints.new_lesions import Sighting, first_sight
from fhir_adapter.endpoints.readings import Reading

WORST = ("PD", "NON-CR/NON-PD", "SD", "PR", "CR", "NED", "NE")
"""Responses from worst to best; NE loses against any."""

WORST_IMMUNE = ("iCPD", "iUPD", "NON-iCR/NON-iUPD", "iSD", "iPR", "iCR", "NE")
"""The same of iRECIST."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What was stated in one category at one time point."""

    value: str
    day: int
    differs: bool
    performers: frozenset[str | None]
    ground: Ground


def reports(trial: Trial, places: dict[str, int], days: dict[str, int], category: str, *,
            immune: bool = False) -> dict[Place, Report]:
    """The worst statement of a category at every time point that has one; `immune`: by iRECIST."""
    order = WORST_IMMUNE if immune else (*WORST, "none")
    said: dict[Place, list[tuple[Row, int]]] = defaultdict(list)
    for row in trial.rows("response_assessment"):
        ref = f"response_assessment:{row.fact_key}"
        if row.category == category and row.value in order and (row.criteria == "iRECIST") == immune and ref in places:
            said[row.subject, row.evaluator, places[ref]].append((row, days[ref]))
    return {place: _worst(some, order) for place, some in said.items()}


def _worst(some: list[tuple[Row, int]], order: tuple[str, ...]) -> Report:
    value = min((row.value for row, _ in some), key=order.index)
    by_day: dict[int, set[str]] = defaultdict(set)
    for row, number in some:
        by_day[number].add(row.value)
    return Report(
        value=value, day=min(number for row, number in some if row.value == value),
        differs=any(len(values) > 1 for values in by_day.values()),
        performers=frozenset(row.performer for row, _ in some),
        ground=together(ground("response_assessment", row) for row, _ in some),
    )


def contradictions(found: dict[Place, Report]) -> list[Doubt]:
    """A doubt for every day on which one reader states two responses; two readers are a matter of the review."""
    return [
        Doubt(
            kind="response_contradiction", subject=place[0], ground=report.ground,
            message="one reader states different responses on one day; the worse counts meanwhile",
            values=(report.value,),
        )
        for place, report in found.items()
        if report.differs and len(report.performers) == 1
    ]


def date_progressions(readings: list[Reading], seen: list[Sighting], progressed: list[int | None]) -> None:
    """Date reported progressions by what they rest on, if it is stated, and go back to an equivocal first sight.

    A progression without a stated basis counts on the day of the scan that the reader judged.
    """
    for position, one in enumerate(readings):
        if one.overall != "PD":
            continue
        days = []
        if seen[position].level == "unequivocal":
            first = first_sight(seen, position)
            on = seen[first].day
            if first != position and on is not None:
                readings[first].new_lesion = "unequivocal"
                readings[first].ground = readings[first].ground | one.ground
                readings[first].progresses(on, f"new lesion, equivocal then, confirmed {written(one.first)}")
            days.extend([seen[position].day] if seen[position].day is not None else [])
        if one.non_target == "PD":
            days.append(one.first if progressed[position] is None else progressed[position])
        known = [number for number in days if number is not None]
        if known:
            one.progression = min(known)


def partial_after_complete(readings: list[Reading], rules: Response) -> list[Doubt]:
    """Read a PR that follows a CR by option, in place, and doubt it; readings of one series in time order."""
    doubts: list[Doubt] = []
    complete: list[Reading] = []
    for one in readings:
        if one.overall == "PD":
            break
        if one.overall == "CR":
            complete.append(one)
        elif one.overall == "PR" and complete:
            both = together(part.ground for part in (*complete, one)).doubted("response_contradiction")
            doubts.append(Doubt(
                kind="response_contradiction", subject=one.series[0], ground=both, values=("CR", "PR"),
                message="a partial response follows a complete response",
            ))
            if rules.cr_then_pr == "pd":
                one.ground = both
                one.progresses(one.first, f"PR stated after the complete response of {written(complete[0].first)}, "
                                          "read as progression while that is open")
                break
            for earlier in complete:
                earlier.overall, earlier.ground = "PR", both
                earlier.note = f"CR re-read as PR: PR stated {written(one.first)}"
            complete = []
    return doubts
