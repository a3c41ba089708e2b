"""Radiotherapy records as courses: what belongs to what, when it began and ended, what each volume received.

A course is a record of level `course` with everything that is part of it; phases or fractions without one form the
course of the record they say they are part of, else each is its own. Levels are never added to each other.
Source: endpoints.md §13, §0.13.
"""

from collections import defaultdict
from decimal import Decimal

import msgspec

from fhir_adapter.endpoints.frames import NOTHING, Ground, Row, Trial, day, ground, together

NOT_GIVEN = frozenset({"not-done", "preparation", "entered-in-error", "on-hold", "unknown"})
IMPLAUSIBLE = frozenset({"radiotherapy_dose_implausible", "unit_unknown", "unit_implausible"})
"""Held for one of these a dose is unknown."""


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """What one volume received according to one level; `dose_cgy` is None when any part of it is unknown."""

    level: str
    volume: str
    dose_cgy: Decimal | None
    fractions: int | None
    ground: Ground


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """One course of radiotherapy; days are None when not known to the day."""

    subject: str
    key: str
    start: int | None
    end: int | None
    site: str | None
    resources: frozenset[str]
    volumes: tuple[Volume, ...]
    ground: Ground


def courses(trial: Trial) -> list[Course]:
    """Every course that was given, by subject and start."""
    records: dict[tuple[str, str], list[Row]] = defaultdict(list)
    parents: dict[str, str] = {}
    for row in trial.rows("radiotherapy"):
        if row.status not in NOT_GIVEN:
            parents[row.resource] = row.part_of or ""
            records[row.subject, row.resource].append(row)
    doses: dict[str, list[Row]] = defaultdict(list)
    for row in trial.rows("radiotherapy_volume"):
        doses[row.resource].append(row)
    grouped: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for (subject, resource), rows in records.items():
        grouped[subject, _root(resource, parents)].extend(rows)
    found = [_course(key, rows, doses) for key, rows in sorted(grouped.items())]
    return sorted(found, key=lambda course: (course.subject, course.start or 0, course.key))


def _root(resource: str, parents: dict[str, str]) -> str:
    seen = {resource}
    while (parent := parents.get(resource)) and parent not in seen:
        seen.add(parent)
        resource = parent
    return resource


def _course(key: tuple[str, str], rows: list[Row], doses: dict[str, list[Row]]) -> Course:
    own = [row for row in rows if row.level == "course"] or rows
    starts = [found for row in own if (found := day(row.start_date)) is not None]
    ends = [found for row in rows for text in (row.end_date, row.start_date) if (found := day(text)) is not None]
    whole = together(ground("radiotherapy", row) for row in rows)
    volumes = [volume for level in ("course", "phase", "fraction") for volume in _volumes(level, rows, doses)]
    return Course(
        subject=key[0], key=key[1], start=min(starts, default=None), end=max(ends, default=None),
        site=next((row.site for row in own if row.site), None), resources=frozenset(row.resource for row in rows),
        volumes=tuple(volumes), ground=whole,
    )


def _volumes(level: str, rows: list[Row], doses: dict[str, list[Row]]) -> list[Volume]:
    """What each volume received by the records of one level: parts of one volume are added, unnamed ones never."""
    parts: dict[str, list[tuple[Row, Row]]] = defaultdict(list)
    for record in rows:
        if record.level == level:
            for number, dose in enumerate(doses.get(record.resource, [])):
                parts[dose.volume or f"{record.resource}#{number}"].append((record, dose))
    found = []
    for name, pairs in sorted(parts.items()):
        amounts = [None if dose.held_kind in IMPLAUSIBLE else dose.dose_cgy for _, dose in pairs]
        counts = [record.sessions if dose.fractions is None else dose.fractions for record, dose in pairs]
        known = [amount for amount in amounts if amount is not None]
        fractions = [int(count) for count in counts if count is not None]
        found.append(Volume(
            level=level, volume=name,
            dose_cgy=sum(map(Decimal, known), Decimal()) if len(known) == len(amounts) else None,
            fractions=sum(fractions) if len(fractions) == len(counts) else None,
            ground=together(ground("radiotherapy_volume", dose) for _, dose in pairs) | _of_records(pairs),
        ))
    return found


def _of_records(pairs: list[tuple[Row, Row]]) -> Ground:
    return together([NOTHING, *(ground("radiotherapy", record) for record, _ in pairs)])
