"""Quiet hours: when a hospital's server has other work than ours."""

import re
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from fhir_adapter.core.errors import UsageError

_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


class QuietHours(msgspec.Struct, frozen=True):
    """A span of each day, also across midnight, in a zone (None: this machine's own); without `start`: never."""

    start: time | None = None
    end: time = time(0)
    zone: ZoneInfo | None = None

    @classmethod
    def parse(cls, written: str | None, zone: str | None) -> "QuietHours":
        """The hours of `08:00-18:00`.

        Raises:
            UsageError: they are not of that form, or the zone is unknown.
        """
        if not written:
            return cls()
        match = _SPAN.fullmatch(written)
        if match is None:
            raise UsageError("pull.quiet_hours is not of the form 08:00-18:00")
        try:
            found = ZoneInfo(zone) if zone else None
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise UsageError("pull.time_zone is no zone such as Europe/Vienna") from None
        hours = [int(number) for number in match.groups()]
        return cls(time(hours[0], hours[1]), time(hours[2], hours[3]), found)

    def until(self, now: datetime) -> datetime | None:
        """When the quiet hours that `now` lies in end; None outside of them."""
        if self.start is None or self.start == self.end:
            return None
        local = now.astimezone(self.zone)
        clock = local.timetz().replace(tzinfo=None)
        is_over_midnight = self.start > self.end
        is_quiet = clock >= self.start or clock < self.end if is_over_midnight else self.start <= clock < self.end
        if not is_quiet:
            return None
        days = 1 if is_over_midnight and clock >= self.start else 0
        end = datetime.combine(local.date() + timedelta(days=days), self.end, tzinfo=local.tzinfo)
        return end.astimezone(now.tzinfo)
