"""The radiotherapy dose of a subject: physical, delivered, of one level, of the highest volume.

A course's own volumes count if they state a dose, else its phases, else its fractions (`dose_levels`); levels are never
added. Of several courses the highest counts, or with `dose_sites` the highest of those to such a site (a course whose
site nobody says stays among them). `at_least_subgroup`: yes from `subgroup_gy` Gy on, exactly; `ambiguous`
when the highest volume is below it but the volumes of its course could add up to it; unknown when no dose, or not every
dose, is known; none without study radiotherapy.
BED = n d (1 + d / (a/b)); EQD2 = D (d + a/b) / (2 + a/b). Source: endpoints.md §13, §0.13.
"""

from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction

import msgspec

from fhir_adapter.core.study import Radiotherapy
from fhir_adapter.endpoints.courses import Course, Volume
from fhir_adapter.endpoints.doubts import Doubt
from fhir_adapter.endpoints.frames import NOTHING, Ground, together


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """The dose that counts: the volume that received most, and whether it reaches the subgroup's limit."""

    volume: Volume | None = None
    group: str = "none"
    ground: Ground = NOTHING


def bed(dose_gy: Decimal, fractions: int, alpha_beta: int) -> Fraction:
    """Biologically effective dose in Gy."""
    return Fraction(dose_gy) * (1 + Fraction(dose_gy) / fractions / alpha_beta)


def eqd2(dose_gy: Decimal, fractions: int, alpha_beta: int) -> Fraction:
    """Equivalent dose in 2-Gy fractions."""
    return Fraction(dose_gy) * (Fraction(dose_gy) / fractions + alpha_beta) / (2 + alpha_beta)


def rounded(number: Fraction) -> Decimal:
    """To hundredths, half up."""
    hundredths = (2 * number.numerator * 100 + number.denominator) // (2 * number.denominator)
    return Decimal(hundredths).scaleb(-2)


def effects(volume: Volume, alpha_beta: int) -> dict[str, Decimal]:
    """`eqd2_gy` and `bed_gy` of a volume; nothing without its dose or its fractions."""
    if volume.dose_cgy is None or not volume.fractions:
        return {}
    gray = volume.dose_cgy.scaleb(-2)
    return {"eqd2_gy": rounded(eqd2(gray, volume.fractions, alpha_beta)),
            "bed_gy": rounded(bed(gray, volume.fractions, alpha_beta))}


def highest(volumes: Sequence[Volume]) -> Volume | None:
    """The volume with the highest known dose."""
    known = [volume for volume in volumes if volume.dose_cgy is not None]
    return max(known, key=lambda volume: (volume.dose_cgy or Decimal(), volume.volume), default=None)


def of_level(course: Course, levels: Sequence[str]) -> list[Volume]:
    """The volumes of the first level that states a dose; without one those of the first level that has any."""
    by_level = [[volume for volume in course.volumes if volume.level == level] for level in levels]
    dosed = [some for some in by_level if any(volume.dose_cgy is not None for volume in some)]
    return next(iter(dosed or [some for some in by_level if some]), [])


def delivered(courses: Sequence[Course], rules: Radiotherapy) -> Delivered:
    """The dose of a subject over its study courses (to the sites that count)."""
    if rules.dose_sites:
        courses = [course for course in courses if course.site is None or course.site in rules.dose_sites]
    if not courses:
        return Delivered()
    limit = rules.subgroup_gy * 100
    chosen = [(course, of_level(course, rules.dose_levels)) for course in courses]
    most = highest([volume for _, some in chosen for volume in some])
    whole = together(course.ground | together(volume.ground for volume in some) for course, some in chosen)
    if most is not None and most.dose_cgy is not None and most.dose_cgy >= limit:
        group = "yes"
    elif any(not some or any(volume.dose_cgy is None for volume in some) for _, some in chosen):
        group = "unknown"
    elif any(sum((volume.dose_cgy or Decimal() for volume in some), Decimal()) >= limit for _, some in chosen):
        group = "ambiguous"
    else:
        group = "no"
    doubted = whole.doubted("radiotherapy_dose_ambiguous") if group == "ambiguous" else whole
    return Delivered(volume=most, group=group, ground=doubted)


def doubts(subject: str, found: Delivered, rules: Radiotherapy) -> list[Doubt]:
    """The doubt about a dose whose volumes could add up to the subgroup's limit."""
    if found.group != "ambiguous":
        return []
    return [Doubt(
        kind="radiotherapy_dose_ambiguous", subject=subject, ground=found.ground,
        message=f"the highest volume is below {rules.subgroup_gy} Gy, but its volumes could add up to it",
    )]
