"""How often and when a hospital is asked: a span or a cron line, and the hours in which it is left alone.

A cron line has the five fields of crontab(5): minute, hour, day of the month, month, day of the week (0 and 7 are
Sunday, names are allowed). Where both day fields are restricted, one of them suffices, as cron has it. Lines and hours
are read on the hospital's own clock (`pull.time_zone`; without one on this machine's).
"""

import re
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import msgspec

_SPAN_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = re.compile(r"(\*|[a-z0-9]+)(?:-([a-z0-9]+))?(?:/([0-9]+))?")
_LONGEST = 8 * 366
"""Days within which every date of the calendar comes: 29 February can be eight years away (1896 to 1904)."""


def span(written: str) -> timedelta | None:
    """The span of a text such as `10m`, `6h`, `2d`; None for any other text."""
    if not written[:-1].isdecimal() or written[-1:] not in _SPAN_UNITS or len(written) > 7:
        return None
    return timedelta(**{_SPAN_UNITS[written[-1]]: int(written[:-1])})


class Cron(msgspec.Struct, frozen=True, kw_only=True):
    """The moments of a cron line; `either_day`: both day fields are restricted, and one of them suffices."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    def after(self, at: datetime) -> datetime | None:
        """The first moment after `at`, both on one wall clock (no time zone); None if there is none."""
        earliest = at.replace(second=0, microsecond=0) + timedelta(minutes=1)
        for days in range(_LONGEST):
            day = (earliest + timedelta(days=days)).date()
            if not self._is_day(day.month, day.day, day.isoweekday() % 7):
                continue
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    moment = datetime.combine(day, time(hour, minute))
                    if moment >= earliest:
                        return moment
        return None

    def _is_day(self, month: int, day: int, weekday: int) -> bool:
        if month not in self.months:
            return False
        found = (day in self.days, weekday in self.weekdays)
        return any(found) if self.either_day else all(found)


def every(written: str) -> timedelta | Cron:
    """What `pull.every` says: a span (`6h`) or a cron line (`0 5 * * mon-fri`).

    Raises ValueError when it is neither, a span of nothing, or a line whose moment never comes.
    """
    found = span(written.strip())
    if found is not None:
        if not found:
            raise ValueError("a span of nothing would ask without end")
        return found
    fields = written.lower().split()
    if len(fields) != 5:
        raise ValueError("neither a span such as 6h nor a cron line of five fields")
    weekdays = frozenset(day % 7 for day in _field(fields[4], 0, 7, _DAYS))
    cron = Cron(minutes=_field(fields[0], 0, 59), hours=_field(fields[1], 0, 23), days=_field(fields[2], 1, 31),
                months=_field(fields[3], 1, 12, ("", *_MONTHS)), weekdays=weekdays,
                either_day=not fields[2].startswith("*") and not fields[4].startswith("*"))
    if cron.after(datetime(2000, 1, 1)) is None:
        raise ValueError("a cron line whose day never comes")
    return cron


def _field(written: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    found: set[int] = set()
    for part in written.split(","):
        match = _PART.fullmatch(part)
        if match is None:
            raise ValueError("a cron line has numbers, names, *, ranges a-b, lists a,b and steps /n")
        first, last, step = match.groups()
        if first == "*" and last is None:
            start, end = low, high
        else:
            start = _number(first, names)
            end = _number(last, names) if last else high if step else start
        if not low <= start <= end <= high or step == "0":
            raise ValueError(f"a field of the cron line is outside {low} to {high}")
        found |= set(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def _number(written: str, names: tuple[str, ...]) -> int:
    if written and written in names:
        return names.index(written)
    if not written.isdecimal():
        raise ValueError("a cron line names a day or month that there is not")
    return int(written)


def next_after(written: str, at: datetime, zone: str | None) -> datetime:
    """When a hospital is due again that was asked at `at`; UTC."""
    cadence = every(written)
    if isinstance(cadence, timedelta):
        return at + cadence
    moment = cadence.after(_wall(at, zone))
    if moment is None:
        raise ValueError("a cron line whose day never comes")
    found = _instant(moment, zone)
    return found if found > at else _instant(moment.replace(fold=1), zone)


class QuietHours(msgspec.Struct, frozen=True):
    """The hours of each day in which a hospital is left alone; they may go over midnight."""

    start: time
    end: time

    def until(self, at: datetime, zone: str | None) -> datetime | None:
        """When they end, if `at` is within them; UTC. The end itself is outside."""
        wall = _wall(at, zone)
        now = wall.time()
        over_midnight = self.start > self.end
        within = now >= self.start or now < self.end if over_midnight else self.start <= now < self.end
        if not within:
            return None
        tomorrow = over_midnight and now >= self.start
        return _instant(datetime.combine(wall.date() + timedelta(days=int(tomorrow)), self.end), zone)


def quiet_hours(written: str) -> QuietHours:
    """What `pull.quiet_hours` says, such as `08:00-18:00`.

    Raises ValueError when it is not of that form, or would last all day.
    """
    match = _HOURS.fullmatch(written.strip())
    if match is None:
        raise ValueError("not of the form 08:00-18:00")
    hour, minute, last_hour, last_minute = (int(part) for part in match.groups())
    start, end = time(hour, minute), time(last_hour, last_minute)
    if start == end:
        raise ValueError("begins when it ends; such a hospital would never be asked")
    return QuietHours(start, end)


def time_zone(written: str) -> ZoneInfo:
    """A time zone by its IANA name, such as `Europe/Paris`. Raises ValueError when there is none of that name."""
    try:
        return ZoneInfo(written)
    except (OSError, ValueError, LookupError):
        raise ValueError("no time zone of that name; write it as Europe/Paris") from None


def _wall(at: datetime, zone: str | None) -> datetime:
    return at.astimezone(None if zone is None else time_zone(zone)).replace(tzinfo=None)


def _instant(wall: datetime, zone: str | None) -> datetime:
    return (wall if zone is None else wall.replace(tzinfo=time_zone(zone))).astimezone(UTC)
