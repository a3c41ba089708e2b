"""Dates of a record: read, or told as a Problem with the field left empty."""

from fhir_adapter.core.dates import PartialDate, read_date
from fhir_adapter.core.problems import Problem
from fhir_adapter.domains.reading import Reading
from fhir_adapter.fhir.elements import Span


class Moments:
    """Reads the dates of one record and keeps the Problems that it met on the way."""

    __slots__ = ("problems", "reading")

    def __init__(self, reading: Reading) -> None:
        self.reading = reading
        self.problems: list[Problem] = []

    def read(self, written: str | None, element: str) -> PartialDate | None:
        """The date written at an element; None when there is none or it is none of the calendar."""
        if written is None:
            return None
        try:
            return read_date(written)
        except ValueError as error:
            self.problems.append(self.reading.problem("bad_date", str(error), element))
            return None


def moment(reading: Reading, when: Span) -> tuple[PartialDate | None, Problem | None]:
    """When something began; no date, and the Problem, for text that is none."""
    if when.start is None:
        return None, None
    try:
        return read_date(when.start), None
    except ValueError as error:
        return None, reading.problem("bad_date", str(error), when.element)


def time_of(date: PartialDate | None) -> str | None:
    """The time of day with its offset, as written; None for a date alone."""
    return None if date is None or len(date.written) <= 10 else date.written[11:]


def earlier(one: PartialDate, other: PartialDate) -> PartialDate:
    """The earlier of two dates; of two that begin on the same day the more precise one."""
    return min(one, other, key=lambda date: (date.earliest, -len(date.text)))


def contradict(one: PartialDate, other: PartialDate) -> bool:
    """Whether two dates cannot both be true: their possible days do not meet."""
    return one.latest < other.earliest or other.latest < one.earliest
