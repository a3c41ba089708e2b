"""What each subject received of each study treatment.

Drugs: doses of the best evidence; a dose of unknown amount counts as exposure, its amount is not guessed. Duration:
from the first dose to the end of the last cycle; a cycle begins with a dose that follows a break longer than half the
planned rest. Intensity = total / duration, relative = given / planned intensity x 100, both only when every amount is
known from administrations. Radiotherapy: see `radiation`. Source: endpoints.md §13, §0.12.
"""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

from fhir_adapter.core.study import Protocol, Regimen
from fhir_adapter.endpoints.conclusions import Exposure
from fhir_adapter.endpoints.courses import Course
from fhir_adapter.endpoints.frames import together, written_or_none
from fhir_adapter.endpoints.radiation import Delivered, eqd2, rounded
from fhir_adapter.endpoints.treatment import Dose

RADIOTHERAPY = "radiotherapy"


def of_drugs(subject: str, given: list[Dose], protocol: Protocol) -> list[Exposure]:
    """One row per study drug that the subject received."""
    by_drug: dict[str, list[Dose]] = defaultdict(list)
    for dose in given:
        by_drug[dose.drug].append(dose)
    return [_of_drug(subject, some, protocol.regimen.get(drug)) for drug, some in sorted(by_drug.items())]


def _of_drug(subject: str, some: list[Dose], regimen: Regimen | None) -> Exposure:
    starts = sorted(dose.start for dose in some if dose.start is not None)
    ends = [dose.end for dose in some if dose.end is not None]
    administered = some[0].evidence == "administered"
    amounts = [dose.milligrams for dose in some] if administered else []
    known = [amount for amount in amounts if amount is not None]
    total = sum(known, Decimal()) if known else None
    last = max([*starts, *ends], default=None)
    duration = None
    if starts and last is not None:
        duration = last - starts[0] + 1
        if regimen is not None and administered:
            duration = max(duration, last_cycle(starts, regimen) - starts[0] + regimen.cycle_days)
    intensity = relative = None
    if total is not None and duration and len(known) == len(some):
        weekly = Fraction(total) * 7 / duration
        intensity = rounded(weekly)
        if regimen is not None:
            planned = Fraction(regimen.dose_mg * regimen.doses_per_cycle * 7, regimen.cycle_days)
            relative = rounded(weekly / planned * 100)
    flag = "" if administered else f" ({some[0].evidence}: amounts are not counted)"
    told = f"{len(some)} doses of {some[0].drug}{flag}" + (f", {total.normalize():f} mg" if total is not None else "")
    return Exposure(
        subject=subject, treatment=some[0].drug, evidence=some[0].evidence, doses=len(some),
        doses_unknown=len(some) - len(known), total_mg=total, first_date=written_or_none(min(starts, default=None)),
        last_date=written_or_none(last), duration_days=duration, intensity=intensity, relative_intensity=relative,
        **together(dose.ground for dose in some).told(told),
    )


def last_cycle(starts: list[int], regimen: Regimen) -> int:
    """The day on which the last cycle began; `starts` in time order."""
    rest = regimen.cycle_days - regimen.doses_per_cycle
    begins = starts[0]
    for before, after in pairwise(starts):
        if 2 * (after - before - 1) > rest:
            begins = after
    return begins


def of_radiotherapy(subject: str, courses: list[Course], found: Delivered, alpha_beta: int) -> Exposure:
    """The radiotherapy row of a treated subject; without study radiotherapy its group is `none`."""
    starts = [course.start for course in courses if course.start is not None]
    ends = [course.end for course in courses if course.end is not None]
    first, last = min(starts, default=None), max([*starts, *ends], default=None)
    volume = found.volume
    dose = volume.dose_cgy if volume is not None else None
    fractions = volume.fractions if volume is not None else None
    gray = dose.scaleb(-2) if dose is not None else None
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
        eqd2_gy=rounded(eqd2(gray, fractions, alpha_beta)) if gray is not None and fractions else None,
        alpha_beta=alpha_beta if gray is not None and fractions else None, at_least_subgroup=found.group,
        **found.ground.told(told),
    )
