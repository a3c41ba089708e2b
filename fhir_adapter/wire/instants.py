"""Instants as servers write them and as we send them: UTC with `Z`, milliseconds kept.

sekmet-fhir compares `_since` as a string, so the same instant written `+02:00` finds nothing (servers.md, trap 3).
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

_INSTANT = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}):(\d{2})(\.\d+)?(Z|[+-]\d{2}:\d{2})")


def written(moment: datetime) -> str:
    """The instant as we send it: `2026-01-31T23:59:59.123Z`, rounded down to the millisecond."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=4096)
def read(text: str) -> datetime | None:
    """The instant that a server wrote; None for anything without a zone or beyond the calendar.

    Nanoseconds are cut to microseconds; a leap second counts as the last second of its minute.
    """
    match = _INSTANT.fullmatch(text.strip())
    if match is None:
        return None
    minute, second, fraction, zone = match.groups()
    whole = f"{minute}:{min(int(second), 59):02d}.{((fraction or '.')[1:] + '000000')[:6]}"
    try:
        return datetime.fromisoformat(whole + ("+00:00" if zone == "Z" else zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
