"""Conclusions as plain rows: frames in, dictionaries with None for what is missing out."""

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from fhir_adapter.core.dates import day_of

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Any]
Frames = Mapping[str, "pd.DataFrame"]


def rows(frames: Frames, table: str) -> list[Row]:
    """The rows of a conclusion table in their order; [] for a table that is absent or empty."""
    frame = frames.get(table)
    if frame is None or frame.empty:
        return []
    plain: Any = frame.astype(object)
    return [
        {str(name): value for name, value in row.items()}
        for row in plain.where(plain.notna(), None).to_dict("records")
    ]


def whole(value: Any) -> int | None:
    """A whole number that a frame may have turned into a float; None stays None."""
    return None if value is None else int(value)


def day(value: Any) -> date | None:
    """The day of a stored date; None for a missing or partial one."""
    return day_of(value) if isinstance(value, str) else None


def kinds_of(row: Row) -> tuple[str, ...]:
    """The kinds of open conflicts that a conclusion names."""
    held = row.get("held_kinds")
    return tuple(json.loads(held)) if held else ()


def members(frames: Frames, population: str) -> tuple[str, ...]:
    """The subjects of a population, sorted."""
    found = {
        row["subject"] for row in rows(frames, "population") if row["population"] == population and row["included"]
    }
    return tuple(sorted(found))


def subjects(frames: Frames) -> tuple[str, ...]:
    """Every subject with a conclusion about who they are, sorted."""
    return tuple(sorted({row["subject"] for table in ("population", "baseline") for row in rows(frames, table)}))


def first_by_subject(found: list[Row], chosen: Callable[[Row], bool] = bool) -> dict[str, Row]:
    """The first row of each subject that is chosen."""
    by_subject: dict[str, Row] = {}
    for row in found:
        if chosen(row):
            by_subject.setdefault(row["subject"], row)
    return by_subject


def counted_series(frames: Frames) -> dict[str, tuple[str, str]]:
    """Each subject's evaluator and source whose readings are counted: those of the headline best response."""
    return {row["subject"]: (row["evaluator"], row["source"])
            for row in rows(frames, "best_response") if row["headline"]}


def best_responses(frames: Frames, *, confirmed: bool) -> dict[str, Row]:
    """Each subject's best response in the series that is counted, with or without the need of confirmation.

    The counted series is that of the subject's headline row; a subject without one has no entry.
    """
    series = counted_series(frames)
    return first_by_subject(
        rows(frames, "best_response"),
        lambda row: bool(row["confirmed"]) is confirmed
        and series.get(row["subject"]) == (row["evaluator"], row["source"]),
    )


def times(frames: Frames, endpoint: str, rule: str = "") -> dict[str, Row]:
    """Each subject's row of a time-to-event endpoint under a rule, by the investigator's readings."""
    return first_by_subject(
        rows(frames, "time_to_event"), lambda row: row["endpoint"] == endpoint and row["rule"] == rule
        and row["evaluator"] in ("", "investigator")
    )
