"""Adverse events: participants, never events, each once at the worst grade; by system organ class and term."""

from collections import Counter, defaultdict

import msgspec

from fhir_adapter.core.figures import AeCounts
from fhir_adapter.report.conclusions import Frames, Row, members, rows, whole

MISSING = "missing"
COLUMNS = ("1", "2", "3", "4", "5", MISSING)
SETS = {"registered": "in_registered", "teae": "in_teae", "extended": "in_extended"}
SET_TITLES = {
    "registered": "Registered: first study treatment to end of follow-up",
    "teae": "Treatment-emergent: to the last component and the window after it",
    "extended": "Extended: serious or immune-related, to the longer window",
}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table: participants by worst grade, those without any known grade apart."""

    name: str
    level: str
    participants: int
    by_grade: dict[str, int]
    grade_3_or_more: int
    serious: int
    related: int
    provisional: int


def table(frames: Frames, analysis_set: str) -> tuple[Line, ...]:
    """Lines in order: any event, then each class followed by its terms; most frequent first, then by name.

    A class counts a participant once, so it is not the sum of its terms. A missing grade neither raises nor lowers
    the worst grade. Source: endpoints.md §10.
    """
    found = [row for row in rows(frames, "ae_episode") if row[SETS[analysis_set]]]
    if not found:
        return ()
    classes: dict[str, list[Row]] = defaultdict(list)
    for row in found:
        classes[row["soc"]].append(row)
    lines = [_line("Any adverse event", "any", found)]
    for soc, of_class in _by_frequency(classes):
        lines.append(_line(soc, "soc", of_class))
        terms: dict[str, list[Row]] = defaultdict(list)
        for row in of_class:
            terms[row["term"]].append(row)
        lines.extend(_line(term, "term", of_term) for term, of_term in _by_frequency(terms))
    return tuple(lines)


def versions(frames: Frames) -> tuple[str, ...]:
    """The CTCAE versions of the grades; more than one must not stand in one table unsaid."""
    return tuple(sorted({row["ctcae"] for row in rows(frames, "ae_episode") if row["ctcae"]}))


def counts(frames: Frames, analysis_set: str) -> AeCounts:
    """The standard rows of one analysis set, counted over the conclusions; the denominator is the safety population."""
    found = [row for row in rows(frames, "ae_episode") if row[SETS[analysis_set]]]
    severe = [row for row in found if (whole(row["grade"]) or 0) >= 3]
    return AeCounts(
        name=analysis_set,
        n=len(members(frames, "safety")),
        any=_people(found),
        grade_3_or_more=_people(severe),
        grade_5=_people([row for row in severe if whole(row["grade"]) == 5]),
        serious=_people([row for row in found if row["serious"]]),
        related=_people([row for row in found if row["related"]]),
        related_3_or_more=_people([row for row in severe if row["related"]]),
        worst_grade=_worst(found),
    )


def _people(found: list[Row]) -> int:
    return len({row["subject"] for row in found})


def _worst(found: list[Row]) -> dict[str, int]:
    worst: dict[str, int] = {}
    for row in found:
        worst[row["subject"]] = max(worst.get(row["subject"], 0), whole(row["grade"]) or 0)
    counted = Counter(str(grade) if grade else MISSING for grade in worst.values())
    return {column: counted[column] for column in COLUMNS}


def _line(name: str, level: str, found: list[Row]) -> Line:
    by_grade = _worst(found)
    return Line(
        name=name, level=level, participants=_people(found), by_grade=by_grade,
        grade_3_or_more=sum(by_grade[grade] for grade in ("3", "4", "5")),
        serious=_people([row for row in found if row["serious"]]),
        related=_people([row for row in found if row["related"]]),
        provisional=_people([row for row in found if row["provisional"]]),
    )


def _by_frequency(groups: dict[str, list[Row]]) -> list[tuple[str, list[Row]]]:
    return sorted(groups.items(), key=lambda item: (-_people(item[1]), item[0].casefold()))
