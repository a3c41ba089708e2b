"""A slow second opinion: RECIST, best response, PFS and OS of one subject, written from the text of endpoints.md.

It shares no code with the product: plain dates, exact fractions of millimetres, one subject at a time, one rule after
the other in the order of the text. It knows only what the generated subjects hold (`invented.py`).
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise

MM = Fraction


@dataclass
class Lesion:
    """A lesion: role target or non-target, node or not."""

    name: str
    role: str
    node: bool = False


@dataclass
class Visit:
    """One scan day: by lesion a size in millimetres or a state; what was stated about new lesions."""

    day: date
    found: dict[str, MM | str] = field(default_factory=dict)
    new: str = "not stated"


@dataclass
class Subject:
    """Everything known of one generated subject."""

    name: str
    start: date
    lesions: list[Lesion]
    baseline: Visit | None
    visits: list[Visit]
    death: date | None = None
    new_therapy: date | None = None
    contacts: list[date] = field(default_factory=list)


@dataclass
class Point:
    """A time point as read here."""

    day: date
    overall: str
    evaluable: bool


def total(subject: Subject, visit: Visit) -> tuple[MM, bool, bool]:
    """Sum of the measured targets, whether all are measured, whether all are gone (§2.2)."""
    amount, whole, gone = MM(0), True, True
    for lesion in subject.lesions:
        if lesion.role != "target":
            continue
        found = visit.found.get(lesion.name, "not_evaluated")
        if found == "too_small":
            found = MM(5)
        if found == "absent":
            found = MM(0)
        if isinstance(found, str):
            whole = False
            continue
        amount += found
        if found >= 10 if lesion.node else found > 0:
            gone = False
    return amount, whole, gone


def other_lesions(subject: Subject, visit: Visit) -> str:
    """Non-target response (§2.3)."""
    others = [lesion.name for lesion in subject.lesions if lesion.role == "non-target"]
    states = [visit.found.get(name, "not_evaluated") for name in others]
    if not states:
        return "NONE"
    if "progressed" in states:
        return "PD"
    if "not_evaluated" in states:
        return "NE"
    return "CR" if all(state == "absent" for state in states) else "NON-CR/NON-PD"


def overall(target: str, other: str, new: bool) -> str:
    """§2.4, row by row."""
    if new or target == "PD" or other == "PD":
        return "PD"
    if target == "CR":
        return "CR" if other in ("CR", "NONE") else "PR"
    if target in ("PR", "SD", "NE"):
        return target
    return {"CR": "CR", "NON-CR/NON-PD": "NON-CR/NON-PD", "NE": "NE"}.get(other, "NED")


def assessed(subject: Subject) -> list[Point]:
    """The overall response of every visit, with the rules that look back (§0.7, §2.3)."""
    base = None
    sums: list[MM] = []
    if subject.baseline is not None:
        amount, whole, _ = total(subject, subject.baseline)
        if whole and any(lesion.role == "target" for lesion in subject.lesions):
            base = amount
            sums.append(amount)
    points: list[Point] = []
    backs: list[bool] = []
    for number, visit in enumerate(subject.visits):
        amount, whole, gone = total(subject, visit)
        other = other_lesions(subject, visit)
        targets = any(lesion.role == "target" for lesion in subject.lesions)
        nadir = min(sums) if sums else None
        measured = any(not isinstance(visit.found.get(one.name, "not_evaluated"), str)
                       or visit.found.get(one.name) in ("too_small", "absent")
                       for one in subject.lesions if one.role == "target")
        if not targets:
            target = "NONE"
        elif base and nadir is not None and measured and amount - nadir >= 5 and amount >= nadir * MM(12, 10):
            target = "PD"
        elif base is None or not whole:
            target = "NE"
        elif gone:
            target = "CR"
        elif amount <= base * MM(7, 10):
            target = "PR"
        else:
            target = "SD"
        answer = overall(target, other, visit.new == "unequivocal")
        back = (measured and not gone) or other == "NON-CR/NON-PD"
        backs.append(back)
        if targets and whole:
            sums.append(amount)
        points.append(Point(visit.day, answer, answer != "NE"))
        if visit.new == "unequivocal":
            earlier = number - 1
            while earlier >= 0 and subject.visits[earlier].new in ("equivocal", "not stated"):
                if subject.visits[earlier].new == "equivocal":
                    points[earlier].overall, points[earlier].evaluable = "PD", True
                earlier -= 1
    return stays_partial(after_complete(points, backs))


def after_complete(points: list[Point], backs: list[bool]) -> list[Point]:
    """After an overall CR, as finally read, any lesion that is back is PD (§0.7)."""
    complete = False
    for point, back in zip(points, backs, strict=True):
        if point.overall == "PD":
            break
        if complete and back:
            point.overall, point.evaluable = "PD", True
            break
        complete = complete or point.overall == "CR"
    return points


def stays_partial(points: list[Point]) -> list[Point]:
    """After a confirmed PR the time point stays PR until PD."""
    for number, point in enumerate(points):
        if point.overall == "PD":
            break
        before = points[:number]
        kept = confirmed_pair(before, "PR") is not None or confirmed_pair(before, "CR") is not None
        if point.overall == "SD" and kept:
            point.overall = "PR"
    return points


def confirmed_pair(points: list[Point], value: str) -> int | None:
    """Where the earliest confirmed response of that value begins (28 days, at most one NE between)."""
    enough = {"CR": {"CR"}, "PR": {"CR", "PR"}}[value]
    for first in range(len(points)):
        if points[first].overall != value:
            continue
        for second in range(first + 1, len(points)):
            between = [one.overall for one in points[first + 1 : second]]
            if (points[second].overall in enough and (points[second].day - points[first].day).days >= 28
                    and set(between) <= enough | {"NE"} and between.count("NE") <= 1):
                return first
    return None


def counted(subject: Subject) -> list[Point]:
    """Assessments up to and including the first PD, not after new therapy."""
    some: list[Point] = []
    for point in assessed(subject):
        if subject.new_therapy is not None and point.day > subject.new_therapy:
            break
        some.append(point)
        if point.overall == "PD":
            break
    return some


def best(subject: Subject, confirmed: bool, minimum: int = 35) -> str:
    """Best overall response (§2.5)."""
    points = counted(subject)
    values = [one.overall for one in points]
    for value in ("CR", "PR"):
        if (confirmed_pair(points, value) is not None) if confirmed else (value in values):
            return value
    late = [one.overall for one in points if (one.day - subject.start).days >= minimum]
    if set(late) & {"CR", "PR", "SD"}:
        return "SD"
    seen = [value for value in values if value != "NE"]
    pairs = list(pairwise(seen))
    if ("PR", "SD") in pairs and ("CR", "SD") not in pairs[: pairs.index(("PR", "SD"))]:
        return "SD"
    for value in ("NON-CR/NON-PD", "NED"):
        if value in late:
            return value
    if "PD" in values or ("CR", "SD") in pairs:
        return "PD"
    return "NE"


def progression(subject: Subject) -> date | None:
    """The first PD; every scan of a generated subject is one day."""
    return next((one.day for one in assessed(subject) if one.overall == "PD"), None)


def has_baseline(subject: Subject) -> bool:
    """A complete tumour assessment at most 28 days before the first dose."""
    return (subject.baseline is not None and total(subject, subject.baseline)[1]
            and (subject.start - subject.baseline.day).days <= 28)


def pfs(subject: Subject, table_a: bool) -> tuple[date, str]:
    """Date and status (§6, interval 42 days, window 7 days)."""
    fails = [(day, order) for order, day in enumerate((progression(subject), subject.death)) if day is not None]
    event = min(fails)[0] if fails else None
    adequate = []
    for point in assessed(subject):
        if point.overall == "PD":
            break
        if point.evaluable:
            adequate.append(point.day)
    if table_a:
        if not has_baseline(subject):
            return subject.start, "censored"
        new = subject.new_therapy
        if new is not None and (event is None or new < event):
            return max([subject.start, *(day for day in adequate if day <= new)]), "censored"
        if event is not None:
            last = max([subject.start, *(day for day in adequate if day < event)])
            if (event - last).days > 2 * (42 + 7):
                return last, "censored"
    if event is not None:
        return event, "event"
    return max([subject.start, *adequate]), "censored"


def survival(subject: Subject) -> tuple[date, str]:
    """Death, else the last proof of life (§7)."""
    if subject.death is not None:
        return subject.death, "event"
    proofs = [subject.start, *subject.contacts, *(visit.day for visit in subject.visits)]
    return max(proofs), "censored"


def days(number: int) -> timedelta:
    """A span of days."""
    return timedelta(days=number)
