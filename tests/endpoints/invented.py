"""Invented subjects for comparisons: seeded, full of the values that sit on a threshold."""

from datetime import date
from fractions import Fraction
from random import Random

import pandas as pd

from tests.endpoints.build import facts, table
from tests.endpoints.reference import Lesion, Subject, Visit, days

START = date(2023, 1, 2)
_FACTORS = (Fraction(0), Fraction(3, 10), Fraction(6, 10), Fraction(7, 10), Fraction(8, 10), Fraction(1),
            Fraction(11, 10), Fraction(12, 10), Fraction(13, 10))


def subject(number: int) -> Subject:
    """The subject of that number, always the same."""
    random = Random(number)
    lesions = [Lesion(f"T{count}", "target", random.random() < 0.3) for count in range(random.choice((0, 1, 1, 2, 3)))]
    lesions += [Lesion(f"N{count}", "non-target") for count in range(random.choice((0, 0, 1, 2)))]
    lesions = lesions or [Lesion("T0", "target")]
    baseline = Visit(START - days(random.choice((0, 3, 14, 28))), {
        one.name: Fraction(random.choice((15, 20, 25, 40, 50))) if one.role == "target" else "present"
        for one in lesions})
    if random.random() < 0.08:
        baseline.found[lesions[0].name] = "not_evaluated"
    visits, day, sizes = [], START, dict(baseline.found)
    for _ in range(random.choice((0, 1, 2, 3, 4, 5, 6))):
        day += days(random.choice((20, 27, 28, 35, 42, 42, 43, 98, 99, 120)))
        visits.append(_visit(random, day, lesions, sizes))
    last = visits[-1].day if visits else START
    known = Subject(f"S{number:05d}", START, lesions, baseline if random.random() < 0.93 else None, visits)
    if random.random() < 0.5:
        known.death = last + days(random.choice((5, 60, 98, 99, 200)))
    if random.random() < 0.3:
        known.new_therapy = START + days(random.choice((1, 42, 60, 84, 150, 250)))
    if known.death is None and random.random() < 0.5:
        known.contacts.append(last + days(random.choice((1, 30, 300))))
    return known


def _visit(random: Random, day: date, lesions: list[Lesion], sizes: dict[str, Fraction | str]) -> Visit:
    visit = Visit(day)
    for one in lesions:
        chance = random.random()
        if one.role == "non-target":
            visit.found[one.name] = random.choice(("present", "present", "present", "absent", "absent", "not_evaluated",
                                                   "progressed" if random.random() < 0.2 else "present"))
        elif chance < 0.06:
            visit.found[one.name] = "not_evaluated"
        elif chance < 0.12:
            visit.found[one.name] = "too_small"
        elif chance < 0.25:
            visit.found[one.name] = "absent"
        else:
            before = sizes[one.name]
            size = (before if isinstance(before, Fraction) else Fraction(10)) * random.choice(_FACTORS)
            size = Fraction(round(size * 1000), 1000)  # a micrometre is the finest that a fact can say
            sizes[one.name] = size or Fraction(4)
            visit.found[one.name] = size
    visit.new = random.choice(("none",) * 12 + ("not stated",) * 4 + ("equivocal",) * 2 + ("unequivocal",))
    return visit


def as_facts(*some: Subject) -> dict[str, pd.DataFrame]:
    """The subjects' facts as hospitals would state them; fact keys are unique."""
    sizes, said, lesions, steps, doses, deaths, therapies = (
        ["subject lesion axis date mm"], ["subject category date value"], ["subject lesion role node"],
        ["subject event date"], ["subject start_date dose_mg"], ["subject death"], ["subject therapy start_date"])
    for known in some:
        name, nodes = known.name, {one.name: one.node for one in known.lesions}
        for visit in ([known.baseline] if known.baseline else []) + known.visits:
            for lesion, found in visit.found.items():
                cell = found if isinstance(found, str) else f"{float(found):.3f}"
                sizes.append(f"{name} {name}{lesion} {'short' if nodes[lesion] else 'longest'} {visit.day} {cell}")
            if visit.new != "not stated" and visit is not known.baseline:
                said.append(f"{name} new_lesion {visit.day} {visit.new.replace(' ', '_')}")
        lesions += [f"{name} {name}{one.name} {one.role} {'yes' if one.node else 'no'}" for one in known.lesions]
        steps += [f"{name} enrolled {known.start - days(3)}", *(f"{name} contact {day}" for day in known.contacts)]
        doses.append(f"{name} {known.start} 200")
        deaths += [f"{name} {known.death}"] if known.death is not None else []
        therapies += [f"{name} dabrafenib {known.new_therapy}"] if known.new_therapy is not None else []
    lines = {"lesion_measurement": sizes, "response_assessment": said, "lesion": lesions, "disposition": steps,
             "drug_administration": doses, "vital_status": deaths, "anticancer_therapy": therapies}
    return facts(*(table(name, "\n".join(rows)) for name, rows in lines.items() if len(rows) > 1))
