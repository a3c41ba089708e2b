"""Dates as hospitals write them: a year, a month or a day, never completed by guessing.

A date keeps the local calendar day as written: `2024-03-31T23:30:00+08:00` is 2024-03-31, never via UTC
(profiles.md §8.3).
"""

import re
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache

import msgspec

_FHIR_DATE = re.compile(
    r"(?P<date>\d{4}(-\d{2}(-\d{2})?)?)"
    r"(T\d{2}:\d{2}(:\d{2}(\.\d{1,12})?)?(?P<zone>Z|[+-]\d{2}:\d{2})?)?"
)


class Precision(StrEnum):
    """How much of a date is known."""

    YEAR = "year"
    MONTH = "month"
    DAY = "day"


_PRECISION_BY_LENGTH = {4: Precision.YEAR, 7: Precision.MONTH, 10: Precision.DAY}


class PartialDate(msgspec.Struct, frozen=True, order=False, gc=False):
    """A calendar date with the precision its source gave it.

    `text` is `YYYY`, `YYYY-MM` or `YYYY-MM-DD`; `written` is the source's own text with time and offset.
    """

    text: str
    written: str

    @property
    def precision(self) -> Precision:
        """Year, month or day."""
        return _PRECISION_BY_LENGTH[len(self.text)]

    @property
    def day(self) -> date | None:
        """The date, if it is known to the day; None otherwise."""
        return date.fromisoformat(self.text) if len(self.text) == 10 else None

    @property
    def earliest(self) -> date:
        """The first day that this date can be."""
        return date.fromisoformat(self.text + "-01-01"[len(self.text) - 4 :] if len(self.text) < 10 else self.text)

    @property
    def latest(self) -> date:
        """The last day that this date can be."""
        first = self.earliest
        if len(self.text) == 4:
            return date(first.year, 12, 31)
        if len(self.text) == 7:
            return (
                date(first.year, 12, 31)
                if first.month == 12
                else date(first.year, first.month + 1, 1) - timedelta(days=1)
            )
        return first


@lru_cache(maxsize=65_536)
def read_date(written: str) -> PartialDate:
    """A FHIR date, dateTime or instant; a time without zone is accepted (2.6 % of real data, profiles.md §8.13).

    Raises ValueError, without the value in its text, for anything else: impossible days, month 13, year 0.
    """
    match = _FHIR_DATE.fullmatch(written)
    if match is None:
        raise ValueError("not a FHIR date")
    found = PartialDate(text=match["date"], written=written)
    try:
        found.earliest  # noqa: B018 - the calendar itself refuses impossible days
    except ValueError:
        raise ValueError("not a day of the calendar") from None
    return found


def day_of(text: str | None) -> date | None:
    """The day of a stored `YYYY-MM-DD`; None for a missing or partial date."""
    return date.fromisoformat(text) if text is not None and len(text) == 10 else None
