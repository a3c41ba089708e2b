"""What each subject received of each study treatment.

Drugs: doses of the best evidence; a dose of unknown amount counts as exposure, its amount is not guessed; a dose that
was not given is none, a stopped one is a dose of what was given. Duration: from the first dose to the end of the last
cycle; a cycle begins with a dose that follows a break longer than half the planned rest.
Two rules, by name: `relative_intensity` = (total / duration) / planned intensity x 100, lowered by smaller doses and by
delays; `dose_percent` = total / planned doses of the cycles begun x 100, lowered by smaller and missing doses only
(admiral's `doseint`). Both only when every amount is known from administrations. Radiotherapy: see `radiation`.
Source: endpoints.md §13, §0.12.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from fhir_adapter.core.study import Protocol, Radiotherapy, Regimen
from fhir_adapter.endpoints.conclusions import Exposure
from fhir_adapter.endpoints.courses import Course
from fhir_adapter.endpoints.frames import together, written_or_none
from fhir_adapter.endpoints.radiation import Delivered, effects, highest, of_level, rounded
from fhir_adapter.endpoints.treatment import Dose

RADIOTHERAPY = "radiotherapy"


def of_drugs(subject: str, given: list[Dose], protocol: Protocol,
             omitted: Mapping[str, int] | None = None) -> list[Exposure]:
    """One row per study drug that the subject received; `omitted`: by drug the doses that were not given."""
    by_drug: dict[str, list[Dose]] = defaultdict(list)
    for dose in given:
        by_drug[dose.drug].append(dose)
    return [_of_drug(subject, some, protocol.regimen.get(drug), (omitted or {}).get(drug, 0))
            for drug, some in sorted(by_drug.items())]


def _of_drug(subject: str, some: list[Dose], regimen: Regimen | None, omitted: int) -> Exposure:
    starts = sorted(dose.start for dose in some if dose.start is not None)
    ends = [dose.end for dose in some if dose.end is not None]
    administered = some[0].evidence == "administered"
    amounts = [dose.milligrams for dose in some] if administered else []
    known = [amount for amount in amounts if amount is not None]
    total = sum(known, Decimal()) if known else None
    last = max([*starts, *ends], default=None)
    duration = cycles = planned_mg = None
    if starts and last is not None:
        duration = last - starts[0] + 1
        if regimen is not None and administered:
            begun = cycle_starts(starts, regimen)
            cycles, planned_mg = len(begun), Decimal(len(begun) * regimen.doses_per_cycle * regimen.dose_mg)
            duration = max(duration, begun[-1] - starts[0] + regimen.cycle_days)
    intensity = relative = percent = None
    if total is not None and duration and len(known) == len(some):
        weekly = Fraction(total) * 7 / duration
        intensity = rounded(weekly)
        if regimen is not None:
            planned = Fraction(regimen.dose_mg * regimen.doses_per_cycle * 7, regimen.cycle_days)
            relative = rounded(weekly / planned * 100)
            percent = None if not planned_mg else rounded(Fraction(total) / Fraction(planned_mg) * 100)
    flag = "" if administered else f" ({some[0].evidence}: amounts are not counted)"
    told = f"{len(some)} doses of {some[0].drug}{flag}" + (f", {total.normalize():f} mg" if total is not None else "")
    return Exposure(
        subject=subject, treatment=some[0].drug, evidence=some[0].evidence, doses=len(some),
        doses_unknown=len(some) - len(known), doses_partial=sum(dose.partial for dose in some), doses_omitted=omitted,
        cycles=cycles, total_mg=total, planned_mg=planned_mg, dose_percent=percent,
        first_date=written_or_none(min(starts, default=None)),
        last_date=written_or_none(last), duration_days=duration, intensity=intensity, relative_intensity=relative,
        **together(dose.ground for dose in some).told(told),
    )


def cycle_starts(starts: list[int], regimen: Regimen) -> list[int]:
    """The days on which cycles began; `starts` in time order."""
    rest = regimen.cycle_days - regimen.doses_per_cycle
    return [starts[0], *(after for before, after in pairwise(starts) if 2 * (after - before - 1) > rest)]


def _by_course(courses: list[Course], rules: Radiotherapy) -> str:
    """Each course with the dose of its own highest volume, as JSON; doses of courses are never added."""
    lines = []
    for course in courses:
        volume = highest(of_level(course, rules.dose_levels))
        effect = {} if volume is None else effects(volume, rules.alpha_beta)
        lines.append({
            "site": course.site, "first": written_or_none(course.start), "last": written_or_none(course.end),
            "level": None if volume is None else volume.level,
            "dose_cgy": None if volume is None or volume.dose_cgy is None else f"{volume.dose_cgy:f}",
            "fractions": None if volume is None else volume.fractions,
            **{name: f"{gray:f}" for name, gray in effect.items()},
        })
    return json.dumps(lines)


def of_radiotherapy(subject: str, courses: list[Course], found: Delivered, rules: Radiotherapy) -> Exposure:
    """The radiotherapy row of a treated subject; without study radiotherapy its group is `none`."""
    starts = [course.start for course in courses if course.start is not None]
    ends = [course.end for course in courses if course.end is not None]
    first, last = min(starts, default=None), max([*starts, *ends], default=None)
    volume = found.volume
    dose = volume.dose_cgy if volume is not None else None
    fractions = volume.fractions if volume is not None else None
    gray = dose.scaleb(-2) if dose is not None else None
    effect = {} if volume is None else effects(volume, rules.alpha_beta)
    told = "no study radiotherapy"
    if courses:
        told = "dose unknown" if gray is None else f"{gray.normalize():f} Gy to the highest volume"
        told += f" ({found.group})" if found.group in ("ambiguous", "unknown") else ""
    return Exposure(
        subject=subject, treatment=RADIOTHERAPY, evidence="administered" if courses else None, doses=len(courses),
        doses_unknown=sum(all(one.dose_cgy is None for one in course.volumes) for course in courses),
        first_date=written_or_none(first), last_date=written_or_none(last),
        duration_days=None if first is None or last is None else last - first + 1, dose_cgy=dose, fractions=fractions,
        level=volume.level if volume is not None else None,
        eqd2_gy=effect.get("eqd2_gy"), bed_gy=effect.get("bed_gy"),
        alpha_beta=rules.alpha_beta if gray is not None and fractions else None,
        courses=_by_course(courses, rules) if courses else None, at_least_subgroup=found.group,
        **found.ground.told(told),
    )
