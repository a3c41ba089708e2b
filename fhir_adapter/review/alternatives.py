"""What an open conflict could turn out to be: every way of settling it that the facts allow. Pure.

Each side accepted, each side excluded, all of them excluded, taken as it stands; dates known to the month or year at
both ends; a size or a dose in the unit that would make sense; a fatal event as a death; a retracted record as if it
still stood; a treatment in each role. Source: endpoints.md §0.11, §0.16, end of §0.
Codes and identities are not here: they change what records mean or whose they are (steps/sensitivity.py).
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec
import pandas as pd

from fhir_adapter.core.dates import PartialDate
from fhir_adapter.review.disputes import digest
from fhir_adapter.review.kinds import BY_NAME
from fhir_adapter.review.settling import Conflict, Frames

MOST = 8
"""Conflicts with more sides are not tried side by side: all excluded, and taken as they stand."""

ROLES = ("prior", "study", "subsequent", "supportive")
LEVELS = ("treatment", "visits", "records")

_DAY = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_GRADE = re.compile(r": ([1-5])$")


class Alternative(msgspec.Struct, frozen=True, kw_only=True):
    """One way in which a conflict could be settled: a choice with its value, or facts that it would add or revive.

    `label` says it in words; `added`: rows by table; `revived`: the record whose retraction would not count.
    """

    label: str
    choice: str = ""
    value: str = ""
    added: Mapping[str, tuple[dict[str, Any], ...]] = {}
    revived: str = ""


def alternatives(conflict: Conflict, frames: Frames, recorded: Mapping[str, str]) -> list[Alternative]:
    """Every alternative of one open conflict of a subject, each once, in a fixed order.

    `frames`: the facts of its subject, of any standing. `recorded`: by record, the day on which its source stored it:
    the latest day on which an undated death can have happened.
    """
    found: dict[tuple[str, str, str], Alternative] = {}
    for one in (*_special(conflict, frames, recorded), *_chosen(conflict)):
        key = (one.choice, one.value, "" if one.choice else one.label)
        found.setdefault(key, one)
    return list(found.values())


def _special(conflict: Conflict, frames: Frames, recorded: Mapping[str, str]) -> Iterator[Alternative]:
    finder = _SPECIAL.get(conflict.kind)
    if finder is not None:
        yield from finder(conflict, frames, recorded)


def _chosen(conflict: Conflict) -> Iterator[Alternative]:
    """What the kind's own choices allow without a value that only a person can know."""
    choices = BY_NAME[conflict.kind].choices
    sides = [one for one in conflict.members if one.fact_key]
    if 1 < len(sides) <= MOST:
        for place, one in enumerate(sides, start=1):
            if "accept" in choices:
                yield Alternative(label=f"side {place} ({one.hospital}) holds", choice="accept", value=one.fact_key)
            if "exclude" in choices:
                yield Alternative(label=f"side {place} ({one.hospital}) is wrong", choice="exclude", value=one.fact_key)
    if "exclude" in choices and sides:
        yield Alternative(label="all of it is wrong" if len(sides) > 1 else "it is wrong", choice="exclude")
    if "confirm" in choices:
        yield Alternative(label="as it stands", choice="confirm")
    if "set_role" in choices:
        yield from (Alternative(label=f"role {role}", choice="set_role", value=role) for role in ROLES)
    if "set_level" in choices:
        yield from (Alternative(label=f"level {level}", choice="set_level", value=level) for level in LEVELS)


def _override(label: str, columns: Mapping[str, Any]) -> Alternative:
    return Alternative(label=label, choice="override", value=json.dumps(columns, sort_keys=True))


def _rows(conflict: Conflict, frames: Frames) -> Iterator[tuple[str, Any]]:
    for one in conflict.members:
        if one.table and one.table in frames:
            frame = frames[one.table]
            for row in frame[frame.fact_key == one.fact_key].itertuples():
                yield one.table, row


def _bounds(conflict: Conflict, frames: Frames, _: Mapping[str, str]) -> Iterator[Alternative]:
    """The first and the last day that a date known to the month or year can be."""
    for _table, row in _rows(conflict, frames):
        for name in row._fields:
            if name.endswith("_precision") and getattr(row, name) in ("month", "year"):
                column = name.removesuffix("_precision")
                date = PartialDate(text=getattr(row, column), written="")
                for words, day in (("first", date.earliest), ("last", date.latest)):
                    yield _override(f"{column} on the {words} possible day", {column: day.isoformat()})
        return


def _undated_death(conflict: Conflict, frames: Frames, recorded: Mapping[str, str]) -> Iterator[Alternative]:
    """The death on the day on which its source stored it; excluded, the subject is censored at the last alive."""
    for one in conflict.members:
        day = recorded.get(one.resource, "")
        if len(day) == 10:
            yield _override("dead on the day of the record", {"death": day})
            return


def _other_unit(conflict: Conflict, frames: Frames, _: Mapping[str, str]) -> Iterator[Alternative]:
    """A size ten times as large, or a tenth, where that makes it plausible; a dose in cGy instead of Gy."""
    for table, row in _rows(conflict, frames):
        if table == "lesion_measurement" and not pd.isna(row.size_um):
            size = int(row.size_um)
            other = size * 10 if size < 2_000 else size // 10
            yield _override("the size in the other unit", {"size_um": other})
        if table == "radiotherapy_volume" and isinstance(row.dose_text, str):
            with suppress(InvalidOperation, OverflowError, ValueError):
                yield _override("the dose in cGy", {"dose_cgy": int(Decimal(row.dose_text))})


def _fatal(conflict: Conflict, frames: Frames, _: Mapping[str, str]) -> Iterator[Alternative]:
    """A death at the end of the fatal event, else at its onset."""
    for table, row in _rows(conflict, frames):
        day = next((one for one in (row.end_date, row.onset) if isinstance(one, str) and len(one) == 10), None)
        if table == "adverse_event" and day is not None:
            same = ("subject", "hospital", "resource", "ordinal", "element", "position")
            death = {name: getattr(row, name) for name in same} | {
                "fact_key": digest(conflict.key, "death"), "status": "dead", "statement": "sheet", "death": day,
                "death_precision": "day", "death_written": day, "standing": "current"}
            yield Alternative(label=f"dead on {day}", added={"vital_status": (death,)})


def _death_wrong(conflict: Conflict, frames: Frames, _: Mapping[str, str]) -> Iterator[Alternative]:
    """The death, not the later activity, is wrong."""
    for one in conflict.members:
        if one.table == "vital_status":
            yield Alternative(label=f"the death of {one.hospital} is wrong", choice="exclude", value=one.fact_key)


def _revived(conflict: Conflict, _frames: Frames, _: Mapping[str, str]) -> Iterator[Alternative]:
    yield from (Alternative(label="it counts after all", revived=one) for one in
                sorted({member.resource for member in conflict.members}))


def _onsets(conflict: Conflict, _frames: Frames, _: Mapping[str, str]) -> Iterator[Alternative]:
    """Each of the days in dispute."""
    days = sorted({one for one in conflict.values if _DAY.fullmatch(one)})
    yield from (_override(f"onset {one}", {"onset": one}) for one in days)


def _grades(conflict: Conflict, _frames: Frames, _: Mapping[str, str]) -> Iterator[Alternative]:
    """Each of the grades in dispute; the values name them as `element: grade`."""
    grades = {int(found.group(1)) for one in conflict.values if (found := _GRADE.search(one))}
    yield from (_override(f"grade {one}", {"grade": one}) for one in sorted(grades))


_SPECIAL: dict[str, Callable[[Conflict, Frames, Mapping[str, str]], Iterator[Alternative]]] = {
    "partial_date": _bounds, "death_date_missing": _undated_death, "unit_implausible": _other_unit,
    "radiotherapy_dose_implausible": _other_unit, "fatal_ae_without_death": _fatal, "retracted_record": _revived,
    "activity_after_death": _death_wrong, "onset_dates_differ": _onsets, "grades_disagree": _grades,
}


def laid(frames: Frames, origins: pd.DataFrame, chosen: Alternative) -> tuple[Frames, pd.DataFrame]:
    """The facts and origins with what an alternative adds or revives."""
    for table, rows in chosen.added.items():
        more = pd.DataFrame(list(rows), columns=frames[table].columns).astype(object)
        frames = {**frames, table: pd.concat([frames[table].astype(object), more], ignore_index=True)}
    if chosen.revived:
        origins = _without_end(frames, origins, chosen.revived)
    return frames, origins


def _without_end(frames: Frames, origins: pd.DataFrame, resource: str) -> pd.DataFrame:
    """The versions of a record up to the last one that stated facts, which is its newest then."""
    stated = [int(ordinal) for frame in frames.values() if not frame.empty
              for ordinal in frame[frame.resource == resource].ordinal]
    mine = origins.resource == resource
    if not stated:
        return origins
    kept = origins[~mine | (origins.ordinal <= max(stated))]
    last = (kept.resource == resource) & (kept.ordinal == max(stated))
    return kept.assign(is_head=kept.is_head.astype(bool) & (kept.resource != resource) | last,
                       reason=kept.reason.where(~last, ""))
